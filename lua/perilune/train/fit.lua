-- model:fit: its options and its data, read and checked; the training itself is in train/run.lua.
local core = require "perilune.core"
local check = require "perilune.check"
local inputs = require "perilune.train.inputs"
local interrupt = require "perilune.train.interrupt"
local model_module = require "perilune.train.model"
local Run = require "perilune.train.run"

local fit = {}

local FN <const> = "fit"
local OPTIONS <const> = {
  "batch_size", "epochs", "initial_epoch", "shuffle", "validation_data", "validation_split",
  "validation_batch_size", "class_weight", "sample_weight", "verbose", "seed", "callbacks", "steps_per_epoch",
}

local function read_verbose(verbose)
  if verbose == nil or verbose == true or verbose == "auto" then return 1 end
  if verbose == false then return 0 end
  return check.integer(verbose, FN, "verbose", 0, 2)
end

local function read_callbacks(given)
  if given == nil then return {} end
  check.arg(type(given) == "table", FN, "callbacks", "a list of callbacks", given)
  local list = getmetatable(given) and { given } or given
  for i, callback in ipairs(list) do
    local what = ("callbacks[%d]"):format(i)
    check.arg(type(callback) == "table", FN, what, "a callback, as callbacks.EarlyStopping{…} makes it",
      callback)
    local mt = getmetatable(callback)
    if mt and mt.__call and rawget(callback, "__name") then
      check.raise("fit: argument '%s': expected a callback, got a class; write %s{…}", what, callback.__name)
    end
  end
  return list
end

local function read_options(given, n)
  local o = check.options(FN, given, OPTIONS)
  local function count(name, default, low, high)
    if o[name] == nil then return default end
    return check.integer(o[name], FN, name, low, high)
  end
  local batch_size = count("batch_size", math.min(32, n), 1)
  if batch_size > n then
    check.raise("fit: argument 'batch_size': expected at most the %d samples that there are, got %d", n,
      batch_size)
  end
  check.arg(o.shuffle == nil or type(o.shuffle) == "boolean", FN, "shuffle", "true or false", o.shuffle)
  return {
    batch_size = batch_size, epochs = count("epochs", 1, 0), initial_epoch = count("initial_epoch", 0, 0),
    shuffle = o.shuffle ~= false, seed = count("seed", nil, 0),
    validation_batch_size = count("validation_batch_size", batch_size, 1),
    steps_per_epoch = count("steps_per_epoch", nil, 1, (n + batch_size - 1) // batch_size),
    verbose = read_verbose(o.verbose), callbacks = read_callbacks(o.callbacks),
  }
end

-- validation_data = {x, y}, {x, y, weights} or a dataset.
local function read_validation(model, given)
  check.arg(type(given) == "table", FN, "validation_data", "{x, y} or a dataset", given)
  local x, y = given[1], given[2]
  if not core.is_tensor(x) then x, y = given, nil end
  local feed = inputs.read(FN .. ": validation_data", model, x, y, true)
  if core.is_tensor(x) then inputs.weigh(FN .. ": validation_data", model, feed, given[3]) end
  return feed
end

-- The last samples, before any shuffling, as in Keras.
local function split(feed, fraction)
  check.arg(type(fraction) == "number" and fraction > 0 and fraction < 1, FN, "validation_split",
    "a number between 0 and 1", fraction)
  local kept = math.floor(feed.n * (1 - fraction))
  if kept == 0 or kept == feed.n then
    check.raise("fit: argument 'validation_split': %g of %d samples leaves %s", fraction, feed.n,
      kept == 0 and "none to train on" or "none to validate with")
  end
  return feed:split(feed.n - kept)
end

-- A loss of probabilities after a layer that makes any numbers learns nothing, and says nothing.
local function check_probabilities(model)
  local loss, last = model.loss, model.layers[#model.layers]
  local expected = type(loss) == "table" and loss.from_logits == false and loss.activation_before
  if not expected or not last or last.activation ~= false then return end
  check.raise('fit: the loss, %s, expects probabilities, and the last layer, %s, has no activation; write '
    .. 'activation = "%s" there, or loss = pl.nn.losses.%s{from_logits = true}', loss.name,
    last.name or last.__name, expected, loss.__name)
end

--- Trains the model. Called again it goes on where it stopped, with the optimizer's state and its random
--- generators. The same seed gives the same bits, at any number of threads.
---
---     local history = model:fit(x, y, { epochs = 10, batch_size = 32, validation_split = 0.1, seed = 1 })
---@param x Tensor|table {n, …}, in the model's dtype, or uint8 bytes, made into it batch by batch; or a
---  dataset
---  { x =, y = }, as pl.data.cifar10's splits are, which may have a batch(indices) of its own: no y then
---@param y? Tensor classes from 1 up, int32 {n}, for the sparse losses; else {n, …} as the model's output
---@param options? { batch_size: integer?, epochs: integer?, initial_epoch: integer?, shuffle: boolean?,
---  validation_data: table?, validation_split: number?, validation_batch_size: integer?, class_weight:
---  table?,
---  sample_weight: Tensor?, verbose: integer|boolean|nil, seed: integer?, callbacks: Callback[]?,
---  steps_per_epoch: integer? }
---  batch_size: 32. epochs: 1, the number of the last epoch. initial_epoch: 0, epochs done before.
---  shuffle: true. validation_data: {x, y} or a dataset; or validation_split, the fraction taken from the
---  end.
---  class_weight: what samples of a class count for, {[3] = 2}; sample_weight: {n}, or a list.
---  verbose: 1 a line rewritten on a terminal, elsewhere a line an epoch; 2 a line an epoch; 0 nothing.
---  seed: of shuffling and dropout; given again, they go on. steps_per_epoch: fewer than there are.
---  A loss of probabilities after a last layer without activation is an error.
---@return History history what was measured in each epoch, history.history by name
function fit.fit(model, x, y, options)
  model_module.check_compiled(model, FN)
  x, y, options = model_module.arguments(x, y, options)
  check.options(FN, options, OPTIONS)
  local given = options or {}
  local data = inputs.read(FN, model, x, y, true)
  inputs.weigh(FN, model, data, given.sample_weight, given.class_weight)
  local validation
  if given.validation_data ~= nil then
    validation = read_validation(model, given.validation_data)
  elseif given.validation_split ~= nil and given.validation_split ~= 0 then
    data, validation = split(data, given.validation_split)
  end
  local o = read_options(given, data.n)
  local stepper = model:current_stepper()
  if not stepper:trains() then
    check.raise(#stepper.parameters == 0 and "fit: the model has no weights to train"
      or "fit: every layer is frozen; set layer.trainable = true where training is wanted")
  end
  check_probabilities(model)
  model:seed_training(o.seed)
  local run = Run.new(model, stepper, data, validation, o)
  return interrupt.run(function(pause) return run:go(pause) end)
end

return fit
