-- A plain random search: every trial draws its hyperparameters, trains a net and is judged on validation.
-- Trial t draws from stream t of the seed; all nets start, and draw their batches, from pl.rng(seed). So a
-- trial is the same in a search of any length, and on its own from the hyperparameters in the table.
local pl = require "perilune"
local task = require "two_layer.task"

local search = {}

-- Rounded to two digits, so that the table shows the very numbers that were used.
local function two_digits(x) return tonumber(("%.2g"):format(x)) end

local function between(rng, low, high) return two_digits(rng:uniform(low, high)) end

local function log_between(rng, low, high)
  return two_digits(math.exp(rng:uniform(math.log(low), math.log(high))))
end

--- The hyperparameters of a trial.
---@param seed integer
---@param trial integer from 1 up
---@return table config as task.train takes it
function search.draw(seed, trial)
  local rng = pl.rng(seed, trial)
  local hidden_sizes <const> = { 100, 150, 200, 250, 300 }
  return {
    hidden_size = hidden_sizes[rng:choice(#hidden_sizes)],
    learning_rate = log_between(rng, 1e-3, 4e-3),
    learning_rate_decay = between(rng, 0.75, 0.95),
    reg = log_between(rng, 0.03, 0.5),
    epochs = rng:randint(8, 15),
  }
end

--- Runs the trials and keeps the net that is best on validation.
---@param data Cifar
---@param options table seed; trials, how many; progress(label), makes the progress function of a trial;
---  on_best(trial), called with each trial that is better than all before it
---@return table[] trials config, val, train (accuracies), diverged; in the order they ran
---@return table best one of them, with its net and histories
function search.run(data, options)
  local trials, best = {}, nil
  for t = 1, options.trials do
    local config = search.draw(options.seed, t)
    local progress = options.progress(("trial %2d/%d"):format(t, options.trials))
    local net, histories = task.train(data, config, pl.rng(options.seed), progress)
    local trial = {
      number = t,
      config = config,
      diverged = histories.diverged,
      train = histories.diverged and 0 or task.accuracy(net, data.train),
      val = histories.diverged and 0 or task.accuracy(net, data.val),
    }
    trials[t] = trial
    if not best or trial.val > best.val then
      if best then best.net, best.histories = nil, nil end
      best, trial.net, trial.histories = trial, net, histories
      if options.on_best then options.on_best(best) end
    end
  end
  return trials, best
end

--- How to shrink the gap between training and test accuracy: the best configuration again, with one thing
--- changed at a time.
---@param data Cifar
---@param best table a trial
---@param options { seed: integer, progress: fun(label: string): function }
---@return { what: string, train: number, test: number }[] rows, first the best trial itself
function search.gap_study(data, best, options)
  local config = best.config
  local function changed(changes) return setmetatable(changes, { __index = config }) end
  -- A quarter of the images, seen four times as often: the same steps at the same rates.
  local few = #data.train.x // 4
  local quarter = { x = data.train.x:narrow(1, 1, few), y = data.train.y:narrow(1, 1, few) }
  local decay = config.learning_rate_decay ^ (1 / 4)
  local slowly = changed{ epochs = 4 * config.epochs, learning_rate_decay = decay }
  local variants = {
    { "no regularisation", changed{ reg = 0 } },
    { "regularisation × 4", changed{ reg = 4 * config.reg } },
    { "hidden units × ½", changed{ hidden_size = config.hidden_size // 2 } },
    { "hidden units × 2", changed{ hidden_size = 2 * config.hidden_size } },
    { "a quarter of the images", slowly, setmetatable(quarter, { __index = data.train }) },
  }
  local rows = { { what = "the best trial", train = best.train, test = task.accuracy(best.net, data.test) } }
  for _, variant in ipairs(variants) do
    local what, new_config, train = variant[1], variant[2], variant[3] or data.train
    local new_data = setmetatable({ train = train }, { __index = data })
    local net = task.train(new_data, new_config, pl.rng(options.seed), options.progress(what))
    local row = { what = what, train = task.accuracy(net, train), test = task.accuracy(net, data.test) }
    table.insert(rows, row)
  end
  return rows
end

return search
