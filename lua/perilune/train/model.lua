-- What a Sequential can do beyond computing: compile, evaluate, predict, single steps, its weights, files.
-- train/init.lua makes these its methods, and those of train/fit.lua.
local core = require "perilune.core"
local check = require "perilune.check"
local losses = require "perilune.nn.losses"
local metrics = require "perilune.nn.metrics"
local optim = require "perilune.optim"
local random = require "perilune.random"
local evaluation = require "perilune.train.evaluation"
local inputs = require "perilune.train.inputs"
local saving = require "perilune.train.saving"
local Stepper = require "perilune.train.step"
local Tally = require "perilune.train.tally"

---@class Sequential
---@field optimizer Optimizer? when compiled
---@field loss Loss|function
---@field metrics { name: string, object: Metric }[]
---@field history History? of the last fit
---@field stop_training boolean a callback sets it to end the training after this batch or epoch
local methods = {}

-- Random streams: weights below 2^32, layers from there, the order of the samples here.
local SHUFFLER <const> = 1 << 33

-- A method that was called with a dot gets its first argument for a model.
local function check_model(self, fn)
  if type(self) ~= "table" or type(self.all_weights) ~= "function" then
    check.raise("%s: expected a model before the arguments, got %s; write model:%s(…), with a colon", fn,
      check.describe(self), fn)
  end
end

-- ---- compile ---------------------------------------------------------------------------------------

--- Says how the model is trained and measured. What an earlier compile set is forgotten; weights stay.
---
---     model:compile{ optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"} }
---@param options { optimizer: string|Optimizer, loss: string|Loss|function, metrics: (string|Metric)[]? }
---  optimizer: by name or pl.optim.Adam{learning_rate = 1e-3, …}; "rmsprop" by default.
---  loss: by name or pl.nn.losses.…; or a function (y_true, y_pred) of recorded tensors.
---  metrics: by name or pl.nn.metrics.…
---@return Sequential self
function methods:compile(options)
  check_model(self, "compile")
  local fn = "compile"
  options = check.options(fn, options, { "optimizer", "loss", "metrics" })
  if options.loss == nil then
    check.raise("compile: option 'loss' is missing: what training makes small, as in "
      .. "loss = \"sparse_categorical_crossentropy\" for classes or loss = \"mse\" for numbers")
  end
  local given = options.metrics or {}
  check.arg(type(given) == "table", fn, "metrics", "a list of metrics, as in {\"accuracy\"}", given)
  local loss = losses.get(options.loss)
  local list, seen = {}, { loss = true }
  for i, spec in ipairs(given) do
    local object = metrics.get(spec)
    local name, n = object.name, 1
    while seen[name] do
      n = n + 1
      name = object.name .. "_" .. n
    end
    seen[name] = true
    list[i] = { name = name, object = object }
  end
  self.optimizer = optim.get(options.optimizer or "rmsprop")
  self.loss, self.metrics, self.stepper = loss, list, nil
  evaluation.forget(self)
  return self
end

local function check_compiled(self, fn)
  check_model(self, fn)
  if not self.optimizer then
    check.raise("%s: the model is not compiled; first model:compile{optimizer = \"adam\", loss = …}", fn)
  end
end

--- The stepper for the layers as they are: frozen ones may have thawed since.
---@return Stepper
function methods:current_stepper()
  if not self.stepper or self.stepper:is_stale() then self.stepper = Stepper.new(self) end
  local slots = self.optimizer and self.optimizer.slots
  if self.optimizer and (not slots or #slots ~= #self.stepper.parameters)
    and #self.stepper.parameters > 0 then
    self.optimizer:build(Stepper.optimized(self))
  end
  return self.stepper
end

--- The generators for a seed: of the order of the samples, and of layers that draw random numbers. The seed
--- they have already lets them go on; nil keeps them, or starts with the model's own.
---@param seed? integer
function methods:seed_training(seed)
  if seed == nil then seed = self.fit_seed or self.seed or 0 end
  if seed == self.fit_seed then return end
  self.fit_seed, self.shuffler = seed, random.rng(seed, SHUFFLER)
  self:set_seed(seed)
end

-- ---- measuring -------------------------------------------------------------------------------------

-- (x, y, options) or (dataset, options).
local function arguments(x, y, options)
  if type(x) == "table" and not core.is_tensor(y) then return x, nil, options or y end
  return x, y, options
end

local function read_batch_size(fn, options, n)
  if options.batch_size == nil then return math.min(32, n) end
  return check.integer(options.batch_size, fn, "batch_size", 1)
end

--- Loss and metrics over samples, in the order they come in, with dropout and the like switched off.
---@param x Tensor|table {n, …}; or a dataset { x =, y = }, without y then
---@param y? Tensor
---@param options? { batch_size: integer?, sample_weight: Tensor? } batch_size: 32
---@return table<string, number> measures loss and the metrics by name
function methods:evaluate(x, y, options)
  local fn = "evaluate"
  check_compiled(self, fn)
  x, y, options = arguments(x, y, options)
  options = check.options(fn, options, { "batch_size", "sample_weight", "verbose" })
  local feed = inputs.read(fn, self, x, y, true)
  inputs.weigh(fn, self, feed, options.sample_weight)
  return evaluation.measure(self, feed, read_batch_size(fn, options, feed.n))
end

local PREDICTING <const> = { "batch_size", "verbose" }

--- The model's outputs for samples, with dropout and the like switched off.
---@param x Tensor|table {n, …}, or a dataset
---@param options? { batch_size: integer? } 32
---@return Tensor {n, …}
function methods:predict(x, options)
  local fn = "predict"
  check_model(self, fn)
  options = check.options(fn, options, PREDICTING)
  local feed = inputs.read(fn, self, x, nil, false)
  return evaluation.predict(self, feed, read_batch_size(fn, options, feed.n))
end

-- ---- single steps ----------------------------------------------------------------------------------

local function read_batch(self, fn, x, y, options)
  check_compiled(self, fn)
  options = check.options(fn, options, { "sample_weight", "class_weight" })
  local feed = inputs.read(fn, self, x, y, true)
  inputs.weigh(fn, self, feed, options.sample_weight, options.class_weight)
  return feed:batch(1, feed.n)
end

--- One step of training on one batch.
---@param x Tensor {n, …}
---@param y Tensor
---@param options? { sample_weight: Tensor|number[]?, class_weight: table<integer, number>? }
---@return table<string, number> measures of this batch, before the step
function methods:train_on_batch(x, y, options)
  local weights
  x, y, weights = read_batch(self, "train_on_batch", x, y, options)
  self:seed_training()
  local stepper, tally = self:current_stepper(), Tally.new(self.metrics)
  local loss, y_pred = stepper:forward(x, y, weights)
  tally:add(loss, x:size(1), y, y_pred)
  stepper:backward()
  stepper:update()
  return tally:result()
end

--- Loss and metrics of one batch, without a step.
---@param x Tensor {n, …}
---@param y Tensor
---@param options? { sample_weight: Tensor|number[]?, class_weight: table<integer, number>? }
---@return table<string, number>
function methods:test_on_batch(x, y, options)
  local weights
  x, y, weights = read_batch(self, "test_on_batch", x, y, options)
  local tally = Tally.new(self.metrics)
  local y_pred, loss = evaluation.infer(self, x, y, weights)
  tally:add(loss, x:size(1), y, y_pred)
  return tally:result()
end

-- ---- weights ---------------------------------------------------------------------------------------

--- Copies of all weights, in the order of the layers.
---@return Tensor[]
function methods:get_weights()
  local list = {}
  for i, weight in ipairs(self:all_weights()) do list[i] = weight.tensor:clone() end
  return list
end

--- Sets all weights to what get_weights returned.
---@param list Tensor[]
---@return Sequential self
function methods:set_weights(list)
  local weights = self:all_weights()
  check.arg(type(list) == "table" and #list == #weights, "set_weights", "list",
    ("a list of %d tensors"):format(#weights),
    list)
  for i, weight in ipairs(weights) do
    if core.describe(list[i]) ~= core.describe(weight.tensor) then
      check.raise("set_weights: argument 'list[%d]' ('%s'): expected a %s, got %s", i, weight.path,
        core.describe(weight.tensor), core.describe(list[i]))
    end
  end
  for i, weight in ipairs(weights) do weight.tensor:copy_(list[i]) end
  return self
end

--- Starts anew: initial weights, optimizer and generators as if nothing had been trained.
---@param seed? integer of the initial weights, the model's own by default
---@return Sequential self
function methods:reset(seed)
  self:reset_weights(seed or self.seed)
  self.fit_seed, self.shuffler, self.history, self.stepper = nil, nil, nil, nil
  evaluation.forget(self)
  if self.optimizer then self.optimizer = optim.get(self.optimizer:config()) end
  return self
end

-- ---- files -----------------------------------------------------------------------------------------

local function check_built(self, fn)
  check_model(self, fn)
  if not self.built then
    check.raise("%s: the model has no weights yet; give it an nn.Input, or model:build{sizes}", fn)
  end
end

local function check_path(fn, path)
  check.arg(type(path) == "string" and path ~= "", fn, "path", "a path", path)
end

--- Writes the model to a safetensors file, from which pl.load makes it again: weights, layers, what compile
--- set, and the state of the training, so that fit goes on as if it had not stopped. The file of that name
--- is replaced only once the new one is complete.
---@param path string
---@param options? { optimizer: boolean? } false leaves the state of the training out, two thirds of a file
---  written after training with Adam
---@return true? ok nil when the file could not be written
---@return string? message
function methods:save(path, options)
  check_built(self, "save")
  check_path("save", path)
  options = check.options("save", options, { "optimizer" })
  return saving.write(path, self, nil, options)
end

--- Writes the weights alone, by their names: "conv2d/kernel", …
---@param path string
---@return true? ok, string? message
function methods:save_weights(path)
  check_built(self, "save_weights")
  check_path("save_weights", path)
  local tensors = {}
  for _, weight in ipairs(self:all_weights()) do tensors[weight.path] = weight.tensor end
  return require("perilune.data.safetensors").save(path, tensors)
end

--- Reads weights that save_weights or save wrote, or anything else that has tensors of these names and
--- shapes.
---@param path string
---@return true? ok nil when the file is damaged or does not fit; the weights are as before then
---@return string? message
function methods:load_weights(path)
  check_built(self, "load_weights")
  check_path("load_weights", path)
  return saving.load_weights(path, self)
end

return { methods = methods, check_compiled = check_compiled, arguments = arguments }
