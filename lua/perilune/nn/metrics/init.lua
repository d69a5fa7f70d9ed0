-- pl.nn.metrics: classes, nn.metrics.SparseTopKCategoricalAccuracy{k = 3}, and by name in compile. An
-- object has reset(), update(y_true, y_pred, weights) and result().
local check = require "perilune.check"
local class = require "perilune.nn.class"
local Metric = require "perilune.nn.metrics.metric"

local metrics = { Metric = Metric }

for _, file in ipairs { "accuracy", "mean", "confusion" } do
  for name, of in pairs(require("perilune.nn.metrics." .. file)) do metrics[name] = of end
end

local aliases = { acc = "Accuracy", mse = "MeanSquaredError", mae = "MeanAbsoluteError",
  bce = "BinaryCrossentropy",
  f1 = "F1Score" }
local resolve = class.resolver("metric", Metric, aliases)

-- A function of (y_true, y_pred): the mean of what it returns.
local function from_function(f)
  local metric = metrics.Mean { name = "custom" }
  local update = metric.update
  function metric:update(y_true, y_pred, weights) update(self, f(y_true, y_pred), weights) end
  return metric
end

--- The metric for a name ("accuracy", "mse"), an object, or a function of (y_true, y_pred) that returns a
--- number or one for each sample. It is called in logs as it was called here.
---@param value any
---@return Metric
function metrics.get(value)
  local found = resolve(value)
  check.arg(found ~= nil, "metrics.get", "metric", "a metric by name, as an object or a function", value)
  if type(found) == "function" then return from_function(found) end
  if type(value) == "string" then found.name = class.snake_case(value) end
  return found
end

return metrics
