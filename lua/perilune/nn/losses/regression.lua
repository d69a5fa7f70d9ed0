-- Losses of numbers against numbers. Each is the mean over a sample's numbers, then over the batch.
local check = require "perilune.check"
local Loss = require "perilune.nn.losses.loss"

local regression = {}

--- (t − y)²
---@class MeanSquaredError: Loss
regression.MeanSquaredError = Loss:extend("MeanSquaredError")
function regression.MeanSquaredError:per_sample(y_true, y_pred)
  y_true = Loss.same_shape(self.name, y_true, y_pred)
  return Loss.mean_over_last((y_pred - y_true):square())
end

--- |t − y|
---@class MeanAbsoluteError: Loss
regression.MeanAbsoluteError = Loss:extend("MeanAbsoluteError")
function regression.MeanAbsoluteError:per_sample(y_true, y_pred)
  y_true = Loss.same_shape(self.name, y_true, y_pred)
  return Loss.mean_over_last((y_pred - y_true):abs())
end

--- ½(t − y)² up to an error of delta, and from there on the line that continues it.
---@class Huber: Loss
regression.Huber = Loss:extend("Huber", { "delta", delta = 1 })
function regression.Huber:init()
  check.arg(type(self.delta) == "number" and self.delta > 0, "Huber", "delta", "a number above 0", self.delta)
end

function regression.Huber:per_sample(y_true, y_pred)
  y_true = Loss.same_shape(self.name, y_true, y_pred)
  local size = (y_pred - y_true):abs()
  local within = size:clamp(nil, self.delta) -- min(|t − y|, delta)
  return Loss.mean_over_last(within * (size - within * 0.5))
end

return regression
