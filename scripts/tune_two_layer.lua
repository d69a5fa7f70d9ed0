-- Finds good hyperparameters for the two-layer net on CIFAR-10 by random search, and shows how to shrink the
-- gap between training and test accuracy:
--
--   perilune scripts/tune_two_layer.lua [--trials 16] [--seed 1] [--out runs/two_layer/tune]
--
-- Prints a table of its trials and leaves it as report.md; beside it lies the best net on validation.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local pl = require "perilune"
local console = require "console"
local search = require "two_layer.search"
local task = require "two_layer.task"

local options = console.options("Random search for the two-layer net's hyperparameters on CIFAR-10.", {
  { "trials", 16, "nets to train" },
  { "seed", 1, "of every draw: the same seed gives the same table" },
  { "data", "", "folder of CIFAR-10's six binary files" },
  { "sample", false, "the committed sample instead of CIFAR-10" },
  { "out", "runs/two_layer/tune", "folder for the net and the report" },
})
if options.trials == 0 then options.trials = 1 end

local net_path, report_path = options.out .. "/net.safetensors", options.out .. "/report.md"
local percent = console.percent

local start = pl.clock()
local data = task.load{ dir = options.data, sample = options.sample, test = 10000 }

local function points(fraction) return ("%.1f"):format(100 * fraction) end

-- ---- the search ------------------------------------------------------------------------------------

console.heading(("Random search: %d trials, seed %d"):format(options.trials, options.seed))
local trials, best = search.run(data, {
  seed = options.seed,
  trials = options.trials,
  progress = console.progress,
  on_best = function(trial) console.must(trial.net:save(net_path)) end,
})

local ranking = table.move(trials, 1, #trials, 1, {})
table.sort(ranking, function(a, b)
  if a.val ~= b.val then return a.val > b.val end
  return a.number < b.number
end)
local rows = { { "trial", "hidden", "rate", "decay", "reg", "epochs", "training", "validation", "gap" } }
for i, trial in ipairs(ranking) do
  local row = { ("%d"):format(trial.number) }
  for _, name in ipairs { "hidden_size", "learning_rate", "learning_rate_decay", "reg", "epochs" } do
    table.insert(row, ("%g"):format(trial.config[name]))
  end
  if trial.diverged then
    table.move({ "diverged", "", "" }, 1, 3, #row + 1, row)
  else
    local measured = { percent(trial.train), percent(trial.val), points(trial.train - trial.val) }
    table.move(measured, 1, 3, #row + 1, row)
  end
  rows[i + 1] = row
end
local trial_table = console.table(rows)
print("\n" .. trial_table)

local tests = math.min(1000, #data.test.x)
local test = task.accuracy(best.net, data.test, tests)
local verdict = ("Best on validation: trial %d with %s; test accuracy %s (the first %d test images)."):format(
  best.number, percent(best.val), percent(test), tests)
print("\n" .. verdict)

-- ---- the gap ---------------------------------------------------------------------------------------

console.heading("How to shrink the gap between training and test accuracy")
print("The best trial again, one thing changed at a time:")
local study = search.gap_study(data, best, {
  seed = options.seed,
  progress = function(what) return console.progress(console.pad(what, 24)) end,
})
local before = study[1]
rows = { { "changed", "training", "test", "gap" } }
local effects = {}
for i, row in ipairs(study) do
  local gap = row.train - row.test
  rows[i + 1] = { row.what, percent(row.train), percent(row.test), points(gap) }
  if i > 1 then
    local change, gain = gap - (before.train - before.test), row.test - before.test
    effects[i - 1] = ("- %s: the gap %s by %s points, test accuracy %s by %s"):format(row.what,
      change < 0 and "shrinks" or "grows", points(math.abs(change)), gain < 0 and "falls" or "rises",
      points(math.abs(gain)))
  end
end
local gap_table = console.table(rows) .. "\n\n" .. table.concat(effects, "\n")
print("\n" .. gap_table)

-- ---- the files -------------------------------------------------------------------------------------

local report = ([[
# The two-layer net on CIFAR-10: tuning

%d trials of random search, seed %d, on %d training images. Validation accuracy is of %d images, and so
uncertain by about %.1f points.

%s

%s

## How to shrink the gap between training and test accuracy

The best trial again, one thing changed at a time; test accuracy of all %d test images.

%s
]]):format(options.trials, options.seed, #data.train.x, #data.val.x,
  100 * math.sqrt(0.25 / #data.val.x), trial_table, verdict, #data.test.x, gap_table)

local file = console.must(io.open(report_path, "w"))
console.must(file:write(report))
console.must(file:close())
print(("\n%s  the best net\n%s  these tables"):format(net_path, report_path))
print(("%.0f s in all"):format(pl.clock() - start))
