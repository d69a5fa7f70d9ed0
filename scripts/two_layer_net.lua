-- Problem 1 of the course, whole: the two-layer net checked on a toy, trained on CIFAR-10 with the course's
-- default options and diagnosed, then trained with good ones. Figures and the net go to runs/two_layer/.
--
--   perilune scripts/two_layer_net.lua [--seed 1] [--data DIR] [--out DIR] [--quick]
--
-- Status 0 when every target is reached, 1 when one is missed.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local pl = require "perilune"
local TwoLayerNet = require "nets.two_layer_net"
local console = require "console"
local diagnosis = require "two_layer.diagnosis"
local figures = require "two_layer.figures"
local task = require "two_layer.task"
local toy = require "two_layer.toy"

-- The course's first guess.
local DEFAULT <const> = {
  hidden_size = 50, learning_rate = 1e-4, learning_rate_decay = 0.95, reg = 0.25, num_iters = 1000,
}

-- Trial 11 of 16, the best on validation: perilune scripts/tune_two_layer.lua --trials 16 --seed 1
local GOOD <const> = {
  hidden_size = 300, learning_rate = 2.2e-3, learning_rate_decay = 0.78, reg = 0.17, epochs = 14,
}

local options = console.options("The two-layer net: toy oracle, default run and diagnosis, tuned run.", {
  { "seed", 1, "of the nets and their batches" },
  { "data", "", "folder of CIFAR-10's six binary files" },
  { "sample", false, "the committed sample instead of CIFAR-10" },
  { "quick", false, "a tenth of the training, to see that all works" },
  { "out", "runs/two_layer", "folder for the figures and the net" },
})

local start = pl.clock()
local percent = console.percent
local targets, missed = 0, 0

-- Prints a target and whether it is reached.
local function target(reached, text)
  targets, missed = targets + 1, missed + (reached and 0 or 1)
  print(("  %-11s %s"):format(reached and "reached" or "NOT REACHED", text))
end

local files = {}

local function save(name, meaning, writer)
  local path = options.out .. "/" .. name
  console.must(writer(path))
  table.insert(files, { path = path, meaning = meaning })
  return path
end

local function save_figure(name, meaning, figure)
  save(name, meaning, function(path) return figure:save(path) end)
end

-- ---- a toy, whose right numbers are known ----------------------------------------------------------

console.heading("Toy oracle: how far the net is from the course's numbers, in float64")
for _, hidden_size in ipairs { 10, 5 } do
  local scores, checks = toy.check(hidden_size)
  print(("With %d hidden units. Scores of 5 rows: %s"):format(hidden_size, scores))
  for _, check in ipairs(checks) do
    local line = ("%-36s %9.3g < %-5g  %s"):format(check.what, check.value, check.limit, check.note)
    target(check.value < check.limit, (line:gsub(" +$", "")))
  end
end

-- ---- CIFAR-10 --------------------------------------------------------------------------------------

console.heading("CIFAR-10")
local data, is_real = task.load{ dir = options.data, sample = options.sample }
local judged = is_real and not options.quick
local shapes = { { "split", "images", "classes" } }
for _, name in ipairs { "train", "val", "test" } do
  local split = data[name]
  table.insert(shapes, { name, ("%d × %d"):format(#split.x, split.x:size(2)), ("%d"):format(#split.y) })
end
print(console.table(shapes))
print(("from %s; the mean training image is subtracted"):format(data.dir))

-- Trains, draws, measures and diagnoses; returns the net and its accuracies.
local function run(name, title, config)
  console.heading(title)
  if options.quick then
    config = setmetatable({
      num_iters = config.num_iters and config.num_iters // 10,
      epochs = config.epochs and math.ceil(config.epochs / 10),
    }, { __index = config })
  end
  print(("%d hidden units, rate %g, decay %g, regularisation %g, %s, batch 200, seed %d"):format(
    config.hidden_size, config.learning_rate, config.learning_rate_decay, config.reg,
    config.epochs and config.epochs .. " epochs" or config.num_iters .. " iterations", options.seed))
  local net, histories = task.train(data, config, pl.rng(options.seed), console.progress("training"))
  local accuracy, count = {}, {}
  for _, split in ipairs { "train", "val", "test" } do
    accuracy[split], count[split] = task.accuracy(net, data[split]), #data[split].x
  end
  local found = diagnosis.of(histories, accuracy, count)
  print(("Accuracy: training %s, validation %s, test %s"):format(percent(accuracy.train),
    percent(accuracy.val), percent(accuracy.test)))
  print("Diagnosis from its curves:\n" .. found.text)
  save_figure(name .. "_history.png", "loss and accuracy", figures.history(histories, title))
  save_figure(name .. "_weights.png", "what its hidden units look for", figures.weights(net))
  return net, accuracy, histories
end

local _, default, histories = run("default", "The default run", DEFAULT)
if judged then
  local first = histories.loss_history[1]
  target(math.abs(first - 2.303) < 0.005, ("first loss about 2.303, log(10): %.4f"):format(first))
  target(default.val >= 0.26 and default.val <= 0.32, "validation 26 to 32 %: " .. percent(default.val))
end

local net, tuned = run("tuned", "The tuned run", GOOD)
if judged then
  target(tuned.val >= 0.52, "validation at least 52 %: " .. percent(tuned.val))
  target(tuned.test >= 0.50, "test at least 50 %: " .. percent(tuned.test))
end

-- ---- the net, kept ---------------------------------------------------------------------------------

local path = save("net.safetensors", "the tuned net", function(path) return net:save(path) end)
local loaded = console.must(TwoLayerNet.load(path))
local same = true
for name, param in pairs(net.params) do same = same and param:tobytes() == loaded.params[name]:tobytes() end
local again = task.accuracy(loaded, data.test)
target(same and again == tuned.test, "saved and loaded, the same bits: test again " .. percent(again))

-- ---- summary ---------------------------------------------------------------------------------------

console.heading("Summary")
print(console.table{
  { "accuracy", "training", "validation", "test" },
  { "default run", percent(default.train), percent(default.val), percent(default.test) },
  { "tuned run", percent(tuned.train), percent(tuned.val), percent(tuned.test) },
})
for _, file in ipairs(files) do print(("  %-40s %s"):format(file.path, file.meaning)) end
if not judged then
  print("Accuracies are not judged: " .. (is_real and "a quick run." or "the sample, not CIFAR-10."))
end
local outcome = missed == 0 and "Every target reached" or ("%d of %d targets missed"):format(missed, targets)
print(("%s, in %.0f s."):format(outcome, pl.clock() - start))
os.exit(missed == 0 and 0 or 1, true)
