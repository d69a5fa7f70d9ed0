-- Run: one call of fit, from its first epoch to its last.
local core = require "perilune.core"
local History = require "perilune.train.history"
local Progress = require "perilune.train.progress"
local Tally = require "perilune.train.tally"
local evaluation = require "perilune.train.evaluation"
local saving = require "perilune.train.saving"

---@class Run
---@field model Sequential
---@field data Feed
---@field validation Feed?
---@field options table of fit
---@field epoch integer epochs done
---@field step integer steps done of the next one
local Run = {}
Run.__index = Run

-- What an epoch is measured by.
local function measure_names(metrics, validated)
  local names = { "loss" }
  for _, metric in ipairs(metrics) do names[#names + 1] = metric.name end
  if validated then
    for i = 1, #names do names[#names + 1] = "val_" .. names[i] end
  end
  return names
end

-- History first, so that the others see this epoch in it; those that keep the others' state last.
local function in_order(history, given)
  local list, last = { history }, {}
  for _, callback in ipairs(given) do
    local to = callback.last and last or list
    to[#to + 1] = callback
  end
  return table.move(last, 1, #last, #list + 1, list)
end

---@param model Sequential compiled and built
---@param stepper Stepper
---@param data Feed
---@param validation Feed?
---@param options table of fit, checked
function Run.new(model, stepper, data, validation, options)
  local self = setmetatable({
    model = model, stepper = stepper, data = data, validation = validation, options = options,
    epoch = options.initial_epoch, step = 0, seconds = 0, logs = {},
  }, Run)
  local steps = (data.n + options.batch_size - 1) // options.batch_size
  self.steps = math.min(steps, options.steps_per_epoch or steps)
  self.tally = Tally.new(model.metrics)
  self.history = History {}
  self.callbacks = in_order(self.history, options.callbacks)
  self.measures = measure_names(model.metrics, validation ~= nil)
  self.params = {
    epochs = options.epochs, steps = self.steps, batch_size = options.batch_size, samples = data.n,
    metrics = table.move({ "learning_rate", "seconds" }, 1, 2, #self.measures + 1,
      { table.unpack(self.measures) }),
    verbose = options.verbose,
  }
  for _, callback in ipairs(self.callbacks) do
    callback.model, callback.params, callback.run = model, self.params, self
  end
  return self
end

function Run:tell(event, ...)
  for _, callback in ipairs(self.callbacks) do
    local method = callback[event]
    if method then method(callback, ...) end
  end
end

-- ---- an epoch --------------------------------------------------------------------------------------

-- The order of this epoch's samples; a resumed one draws it again.
local function draw_order(self)
  if not self.options.shuffle then return nil end
  local shuffler = self.model.shuffler
  if self.order_state then shuffler:set_state(self.order_state) end
  self.order_state = shuffler:state()
  return shuffler:permutation(self.data.n)
end

-- The loss is not a finite number. True when somebody took care of it, and the weights stay as they are.
local function hear_of_nan(self, step, x, y)
  local heard = false
  for _, callback in ipairs(self.callbacks) do
    if callback.on_nan then
      callback:on_nan(step, x, y)
      heard = true
    end
  end
  if not heard and not self.warned and self.options.verbose ~= 0 then
    self.warned = true
    io.write(("\nfit: the loss of epoch %d, step %d is not a finite number; callbacks.TerminateOnNaN{} "
      .. "finds out where it starts\n"):format(self.epoch + 1, step))
  end
  return heard
end

local function train_step(self, step, order)
  local size = self.options.batch_size
  local first = (step - 1) * size + 1
  local x, y, weights = self.data:batch(first, math.min(size, self.data.n - first + 1), order)
  local loss, y_pred = self.stepper:forward(x, y, weights)
  self.tally:add(loss, x:size(1), y, y_pred)
  if loss - loss == 0 or not hear_of_nan(self, step, x, y) then
    self.stepper:backward()
    self.stepper:update()
  end
end

-- All the steps that are left of the epoch; false when interrupted.
local function train_steps(self, epoch, progress, pause)
  local order = draw_order(self)
  while self.step < self.steps do
    local step = self.step + 1
    self:tell("on_batch_begin", step, self.logs)
    train_step(self, step, order)
    self.step = step
    self.tally:write(self.logs)
    self:tell("on_batch_end", step, self.logs)
    if progress then progress:update(step, self.logs) end
    if pause() then
      self.interrupted = { epoch = epoch, step = step }
      return false
    end
    if self.model.stop_training then break end
  end
  return true
end

-- A whole epoch, or the rest of one; false when interrupted.
local function run_epoch(self, pause)
  local epoch, o, start = self.epoch + 1, self.options, core.clock()
  if self.step == 0 then
    self.tally:reset()
    self:tell("on_epoch_begin", epoch, {})
  end
  local progress = o.verbose ~= 0
    and Progress.new(("Epoch %d/%d"):format(epoch, o.epochs), self.steps, self.measures, o.verbose)
  local rate = self.model.optimizer:learning_rate_now()
  local complete = train_steps(self, epoch, progress, pause)
  local logs, steps, training_seconds = self.tally:write({}), self.step, core.clock() - start
  if complete and self.validation then
    complete = evaluation.measure(self.model, self.validation, o.validation_batch_size, pause,
      logs, "val_")
    if not complete then self.interrupted = { epoch = epoch, step = steps } end
  end
  logs.learning_rate, logs.seconds = rate, self.seconds + core.clock() - start
  if progress then progress:finish(steps, training_seconds, logs, not complete and "  interrupted" or "") end
  if not complete then return false end
  self.epoch, self.step, self.order_state, self.seconds = epoch, 0, nil, 0
  self:tell("on_epoch_end", epoch, logs)
  return true
end

--- Trains.
---@param pause fun(): boolean between batches; true ends the training there
---@return History
function Run:go(pause)
  local model = self.model
  model.stop_training, model.history = false, self.history
  self:tell("on_train_begin", {})
  while self.epoch < self.options.epochs and not model.stop_training do
    if not run_epoch(self, pause) then break end
  end
  if not self.interrupted then model.optimizer:finalize(self.stepper.parameters) end
  self:tell("on_train_end", { interrupted = self.interrupted })
  return self.history
end

-- ---- backup and restore ----------------------------------------------------------------------------

--- Writes all that the rest of this run depends on.
---@param path string
---@return true? ok, string? message
function Run:backup(path)
  local callbacks = {}
  for i, callback in ipairs(self.callbacks) do
    callbacks[i] = callback.state and callback:state() or false
  end
  return saving.write(path, self.model, {
    epoch = self.epoch, step = self.step, order_state = self.order_state or false, tally = self.tally:state(),
    callbacks = callbacks, stop_training = self.model.stop_training, samples = self.data.n,
    batch_size = self.options.batch_size,
  })
end

--- Goes back to where backup was called.
---@param path string
---@return true? ok, string? message
function Run:restore(path)
  local run, message = saving.restore(path, self.model)
  if not run then return nil, message end
  if run.samples ~= self.data.n or run.batch_size ~= self.options.batch_size then
    return nil, ("%s: is of a training on %d samples in batches of %d, this one has %d in batches of %d")
      :format(path, run.samples, run.batch_size, self.data.n, self.options.batch_size)
  end
  if #run.callbacks ~= #self.callbacks then
    return nil, ("%s: is of a training with %d callbacks, this one has %d"):format(path, #run.callbacks - 1,
      #self.callbacks - 1)
  end
  self.epoch, self.step, self.order_state = run.epoch, run.step, run.order_state or nil
  self.model.stop_training = run.stop_training
  self.tally:load_state(run.tally)
  for i, callback in ipairs(self.callbacks) do
    if run.callbacks[i] and callback.load_state then callback:load_state(run.callbacks[i]) end
  end
  return true
end

return Run
