-- EarlyStopping: ends a training that no longer gets better.
local check = require "perilune.check"
local Callback = require "perilune.train.callbacks.callback"
local monitor = require "perilune.train.callbacks.monitor"

--- Stops when `monitor` has not got better by more than `min_delta` for `patience` epochs, as Keras counts
--- them. The weights then return to those of the best epoch: the one with the best value, be it better by
--- less than `min_delta` (Keras forgets that one). After a fit, best_epoch, best and stopped_epoch say what
--- happened; the same object can be used again.
---@class EarlyStopping: Callback
---@field monitor string "val_loss" by default
---@field min_delta number 0
---@field patience integer 0
---@field mode "auto"|"min"|"max"
---@field baseline number|false patience is renewed only by values better than this one
---@field start_from_epoch integer the first epochs, that many, do not count
---@field restore_best_weights boolean true
---@field verbose integer 1 says what it does, 0 does not
---@field best number? the best value
---@field best_epoch integer?
---@field stopped_epoch integer? nil when the training was not stopped
local EarlyStopping = Callback:extend("EarlyStopping", {
  "monitor", min_delta = 0, patience = 0, verbose = 1, mode = "auto", baseline = false,
  restore_best_weights = true, start_from_epoch = 0,
})

function EarlyStopping:init(fn)
  self.monitor = self.monitor or "val_loss"
  self.direction = monitor.direction(fn, self.monitor, self.mode)
  check.arg(type(self.min_delta) == "number", fn, "min_delta", "a number", self.min_delta)
  self.min_delta = math.abs(self.min_delta)
  self.patience = check.integer(self.patience, fn, "patience", 0)
  self.start_from_epoch = check.integer(self.start_from_epoch, fn, "start_from_epoch", 0)
  check.arg(not self.baseline or type(self.baseline) == "number", fn, "baseline", "a number", self.baseline)
end

function EarlyStopping:on_train_begin()
  monitor.check_measured("EarlyStopping", self.monitor, self.params)
  self.wait, self.reference = 0, nil -- reference: what has to be beaten by more than min_delta
  self.best, self.best_epoch, self.best_weights, self.stopped_epoch = nil, nil, nil, nil
end

function EarlyStopping:on_epoch_end(epoch, logs)
  local value = logs[self.monitor]
  self.last_epoch = epoch
  if epoch <= self.start_from_epoch then return end
  if monitor.better(self.direction, value, self.best, 0) then
    self.best, self.best_epoch = value == value and value or self.best, epoch
    if self.restore_best_weights then self.best_weights = self.model:get_weights() end
  end
  self.wait = self.wait + 1
  if monitor.better(self.direction, value, self.reference, self.min_delta) then
    self.reference = value
    if not self.baseline or monitor.better(self.direction, value, self.baseline, self.min_delta) then
      self.wait = 0
    end
  elseif self.wait >= self.patience and epoch > 1 then
    self.stopped_epoch = epoch
    self.model.stop_training = true
  end
end

--- After Ctrl-C the weights stay as they are.
function EarlyStopping:on_train_end(logs)
  local interrupted = logs and logs.interrupted
  local restores = self.restore_best_weights and self.best_weights and not interrupted
  if restores then self.model:set_weights(self.best_weights) end
  self.best_weights = nil
  if not self.best then return end
  local best = ("epoch %d (%s %.4f)"):format(self.best_epoch, self.monitor, self.best)
  if self.stopped_epoch then
    self:say("EarlyStopping: stopped after epoch %d; %s %s", self.stopped_epoch,
      restores and "the weights are those of" or "the best was", best)
  elseif restores and self.best_epoch ~= self.last_epoch then
    self:say("EarlyStopping: the weights are those of %s", best)
  end
end

function EarlyStopping:state()
  return {
    wait = self.wait, reference = self.reference, best = self.best, best_epoch = self.best_epoch,
    best_weights = self.best_weights, stopped_epoch = self.stopped_epoch,
  }
end

function EarlyStopping:load_state(state)
  for _, name in ipairs { "wait", "reference", "best", "best_epoch", "best_weights", "stopped_epoch" } do
    self[name] = state[name]
  end
end

return EarlyStopping
