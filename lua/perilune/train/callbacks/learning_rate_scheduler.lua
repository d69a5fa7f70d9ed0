-- LearningRateScheduler: a function that says the learning rate of each epoch.
local check = require "perilune.check"
local Callback = require "perilune.train.callbacks.callback"

--- Sets the learning rate to schedule(epoch, rate) before every epoch; epochs count from 1.
---@class LearningRateScheduler: Callback
---@field schedule fun(epoch: integer, rate: number): number
---@field verbose integer 0
local LearningRateScheduler = Callback:extend("LearningRateScheduler", { "schedule", verbose = 0 })

function LearningRateScheduler:init(fn)
  check.arg(type(self.schedule) == "function", fn, "schedule", "a function (epoch, rate)", self.schedule)
end

function LearningRateScheduler:on_epoch_begin(epoch)
  local optimizer = self.model.optimizer
  check.arg(type(optimizer.learning_rate) == "number", "LearningRateScheduler", "learning_rate",
    "an optimizer with a number, not a schedule of its own", optimizer.learning_rate)
  local rate = self.schedule(epoch, optimizer.learning_rate)
  check.arg(type(rate) == "number" and rate >= 0, "LearningRateScheduler", "schedule",
    "a function that returns a number from 0 up", rate)
  optimizer.learning_rate = rate
  self:say("LearningRateScheduler: the learning rate of epoch %d is %.4g", epoch, rate)
end

return LearningRateScheduler
