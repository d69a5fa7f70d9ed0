-- Means over the epoch: of numbers as they come, and of what a loss makes of each sample.
local check = require "perilune.check"
local losses = require "perilune.nn.losses"
local Metric = require "perilune.nn.metrics.metric"

local mean = {}

--- The mean of the values given: update(value, weight), value a number or a tensor.
---@class Mean: Metric
mean.Mean = Metric:extend("Mean")
function mean.Mean:update(value, weight)
  value = Metric.plain(value)
  if type(value) ~= "number" then return self:add(value, weight) end
  check.arg(weight == nil or type(weight) == "number", self.name, "weight", "a number", weight)
  self.total, self.count = self.total + value * (weight or 1), self.count + (weight or 1)
end

local function of_loss(name)
  local metric = Metric:extend(name, losses[name].options.defaults)
  function metric:init()
    local options = {}
    for key in pairs(losses[name].options.defaults) do options[key] = self[key] end
    options.reduction = "none"
    self.loss = losses[name](options)
  end

  function metric:update(y_true, y_pred, weights)
    self:add(self.loss(y_true, Metric.plain(y_pred)), weights)
  end

  mean[name] = metric
end

for _, name in ipairs {
  "MeanSquaredError", "MeanAbsoluteError", "BinaryCrossentropy", "CategoricalCrossentropy",
  "SparseCategoricalCrossentropy", "Huber", "Hinge",
} do
  of_loss(name)
end

return mean
