-- ReduceLROnPlateau: smaller steps once a measure no longer gets better.
local check = require "perilune.check"
local Callback = require "perilune.train.callbacks.callback"
local monitor = require "perilune.train.callbacks.monitor"

--- Multiplies the learning rate by `factor` when `monitor` has not got better by more than `min_delta` for
--- `patience` epochs, then waits `cooldown` epochs before it counts again; never below `min_lr`. As Keras.
---@class ReduceLROnPlateau: Callback
---@field monitor string "val_loss" by default
---@field factor number 0.1
---@field patience integer 10
---@field mode "auto"|"min"|"max"
---@field min_delta number 1e-4
---@field cooldown integer 0
---@field min_lr number 0
local ReduceLROnPlateau = Callback:extend("ReduceLROnPlateau", {
  "monitor", factor = 0.1, patience = 10, verbose = 1, mode = "auto", min_delta = 1e-4, cooldown = 0,
  min_lr = 0,
})

function ReduceLROnPlateau:init(fn)
  self.monitor = self.monitor or "val_loss"
  self.direction = monitor.direction(fn, self.monitor, self.mode)
  check.arg(type(self.factor) == "number" and self.factor > 0 and self.factor < 1, fn, "factor",
    "a number between 0 and 1", self.factor)
  self.patience = check.integer(self.patience, fn, "patience", 0)
  self.cooldown = check.integer(self.cooldown, fn, "cooldown", 0)
  check.arg(type(self.min_delta) == "number", fn, "min_delta", "a number", self.min_delta)
  check.arg(type(self.min_lr) == "number" and self.min_lr >= 0, fn, "min_lr", "a number from 0 up",
    self.min_lr)
end

function ReduceLROnPlateau:on_train_begin()
  monitor.check_measured("ReduceLROnPlateau", self.monitor, self.params)
  local rate = self.model.optimizer.learning_rate
  check.arg(type(rate) == "number", "ReduceLROnPlateau", "learning_rate",
    "an optimizer with a number, which can be changed; a schedule changes it by itself", rate)
  self.best, self.wait, self.cooling = nil, 0, 0
end

function ReduceLROnPlateau:on_epoch_end(epoch, logs)
  local value, optimizer = logs[self.monitor], self.model.optimizer
  if self.cooling > 0 then
    self.cooling, self.wait = self.cooling - 1, 0
  end
  if monitor.better(self.direction, value, self.best, self.min_delta) then
    self.best, self.wait = value, 0
  elseif self.cooling == 0 then
    self.wait = self.wait + 1
    if self.wait >= self.patience and optimizer.learning_rate > self.min_lr then
      optimizer.learning_rate = math.max(optimizer.learning_rate * self.factor, self.min_lr)
      self.cooling, self.wait = self.cooldown, 0
      self:say("ReduceLROnPlateau: the learning rate is %.4g after epoch %d", optimizer.learning_rate, epoch)
    end
  end
end

function ReduceLROnPlateau:state()
  return { best = self.best, wait = self.wait, cooling = self.cooling }
end

function ReduceLROnPlateau:load_state(state)
  self.best, self.wait, self.cooling = state.best, state.wait, state.cooling
end

return ReduceLROnPlateau
