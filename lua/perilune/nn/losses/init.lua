-- pl.nn.losses: as classes, nn.losses.Huber{delta = 2}, whose objects are called with (y_true, y_pred,
-- weights); as functions of (y_true, y_pred, options), nn.losses.huber(y, p, {delta = 2}); and by name in
-- compile.
local check = require "perilune.check"
local class = require "perilune.nn.class"
local Loss = require "perilune.nn.losses.loss"

local losses = { Loss = Loss }

for _, file in ipairs { "crossentropy", "binary_crossentropy", "regression", "hinge" } do
  for name, of in pairs(require("perilune.nn.losses." .. file)) do losses[name] = of end
end

local aliases = { mse = "MeanSquaredError", mae = "MeanAbsoluteError", bce = "BinaryCrossentropy",
  MSE = "MeanSquaredError", MAE = "MeanAbsoluteError" }

for name, of in pairs(Loss.registered) do losses[class.snake_case(name)] = Loss.as_function(of) end
for alias, name in pairs(aliases) do losses[alias] = losses[class.snake_case(name)] end

local resolve = class.resolver("loss", Loss, aliases)

--- The loss for a name ("sparse_categorical_crossentropy", "mse"), an object, or a function of
--- (y_true, y_pred), for which sample weights raise.
---@param value any
---@return fun(y_true: Tensor, y_pred: Tensor|Variable, weights?: Tensor): number|Variable
function losses.get(value)
  local found = resolve(value)
  check.arg(found ~= nil, "losses.get", "loss", "a loss by name, as an object or a function", value)
  if type(found) ~= "function" then return found end
  return function(y_true, y_pred, weights)
    if weights ~= nil then
      check.raise("a loss given as a function has no use for sample weights; make it a class with "
        .. "nn.losses.Loss:extend")
    end
    return found(y_true, y_pred)
  end
end

return losses
