-- Binary cross-entropy: −(t·log(p) + (1 − t)·log(1 − p)), the mean over a sample's numbers and the batch.
-- A recorded sigmoid is not differentiated through: the loss is taken from its logits.
local check = require "perilune.check"
local Loss = require "perilune.nn.losses.loss"

local EPSILON <const> = 1e-7 -- probabilities are kept away from 0 and 1 by this much, as in Keras

---@class BinaryCrossentropy: Loss
local BinaryCrossentropy = Loss:extend("BinaryCrossentropy", { from_logits = false, label_smoothing = 0 })

BinaryCrossentropy.activation_before = "sigmoid" -- without from_logits

function BinaryCrossentropy:init()
  local s = self.label_smoothing
  check.arg(type(s) == "number" and s >= 0 and s <= 1, self.__name, "label_smoothing",
    "a number from 0 to 1", s)
end

function BinaryCrossentropy:per_sample(y_true, y_pred)
  y_true = Loss.same_shape(self.name, y_true, y_pred)
  local s = self.label_smoothing
  if s > 0 then y_true = y_true * (1 - s) + s / 2 end
  local logits = self.from_logits and y_pred
  if type(y_pred) == "table" and y_pred.op == "sigmoid" then logits = y_pred.arguments[1] end
  if logits then return Loss.mean_over_last(logits:softplus() - logits * y_true) end
  local p = y_pred:clamp(EPSILON, 1 - EPSILON)
  return Loss.mean_over_last(-(p:log() * y_true + (1 - p):log() * (1 - y_true)))
end

return { BinaryCrossentropy = BinaryCrossentropy }
