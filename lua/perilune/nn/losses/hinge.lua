-- Hinge loss: max(1 − t·y, 0), the mean over a sample's numbers and the batch. The targets are −1 and 1;
-- targets 0 and 1 are taken for these.
local Loss = require "perilune.nn.losses.loss"

---@class Hinge: Loss
local Hinge = Loss:extend("Hinge")

-- 0 and 1 as −1 and 1; other targets as they are.
local function signs(y_true)
  local binary = y_true:eq(0):logical_or(y_true:eq(1)):all()
  return binary and y_true * 2 - 1 or y_true
end

function Hinge:per_sample(y_true, y_pred)
  y_true = signs(Loss.same_shape(self.name, y_true, y_pred))
  return Loss.mean_over_last((1 - y_pred * y_true):relu())
end

return { Hinge = Hinge }
