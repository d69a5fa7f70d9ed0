-- Categorical cross-entropy: −Σ target · log(probability) of each sample, the mean over the batch.
-- The targets are classes counted from 1 (int32 {N}: SparseCategoricalCrossentropy) or a distribution for
-- each sample (float {N, C}: CategoricalCrossentropy). A recorded softmax is not differentiated through: the
-- loss is taken from its logits, which is faster and loses no digits.
local check = require "perilune.check"
local Loss = require "perilune.nn.losses.loss"

local OPTIONS <const> = { from_logits = false, label_smoothing = 0, name = false }
local EPSILON <const> = 1e-7 -- probabilities are kept away from 0 and 1 by this much, as in Keras

-- The logits that a recorded softmax over the last axis was made from.
local function logits_behind(y_pred)
  if type(y_pred) ~= "table" or y_pred.op ~= "softmax" then return nil end
  local axis = y_pred.slot and y_pred.slot.arguments[2] or -1
  return (axis == -1 or axis == y_pred:rank()) and y_pred.arguments[1] or nil
end

local function log_probabilities(y_pred, from_logits)
  if from_logits then return y_pred:log_softmax(-1) end
  return (y_pred / y_pred:sum(-1, true)):clamp(EPSILON, 1 - EPSILON):log()
end

local function shape_text(shape) return "{" .. table.concat(shape, ", ") .. "}" end

-- {…, C} as {N, C}, and {…} as {N}.
local function rows(t) return t:rank() == 2 and t or t:reshape(-1, t:size(-1)) end

---@class SparseCategoricalCrossentropy: Loss
local Sparse = Loss:extend("SparseCategoricalCrossentropy", OPTIONS)
---@class CategoricalCrossentropy: Loss
local Categorical = Loss:extend("CategoricalCrossentropy", OPTIONS)

local function check_smoothing(self)
  local s = self.label_smoothing
  check.arg(type(s) == "number" and s >= 0 and s <= 1, self.__name, "label_smoothing",
    "a number from 0 to 1", s)
end
Sparse.init, Categorical.init = check_smoothing, check_smoothing
Sparse.activation_before, Categorical.activation_before = "softmax", "softmax" -- without from_logits

-- Raises unless labels are int32 and have y_pred's shape but for the last axis.
function Sparse:check_targets(y_true, y_pred)
  local fn, expected = self.name, y_pred:shape()
  local classes = table.remove(expected)
  check.arg(#expected > 0, fn, "y_pred", "scores {N, classes}", y_pred)
  local wanted = ("classes %s int32, from 1 to %d, to go with y_pred %s"):format(shape_text(expected),
    classes,
    shape_text(y_pred:shape()))
  local given = check.describe(y_true)
  if type(y_true) ~= "userdata" then check.arg(false, fn, "y_true", wanted, y_true) end
  local shape = y_true:shape()
  if table.concat(shape, ",") ~= table.concat(expected, ",") then
    local fix = ""
    if #shape == #expected + 1 and shape[#shape] == 1 then
      fix = ("; reshape it, y_true:reshape(%s)"):format(table.concat(expected, ", "))
    elseif #shape == #expected + 1 and shape[#shape] == classes then
      fix = '; one-hot targets go with "categorical_crossentropy"'
    end
    check.raise("%s: argument 'y_true': expected %s, got %s%s", fn, wanted, given, fix)
  elseif y_true:dtype() ~= "int32" then
    check.raise("%s: argument 'y_true': expected %s, got %s; cast it, y_true:int()", fn, wanted, given)
  end
end

function Categorical:check_targets(y_true, y_pred)
  check.arg(y_pred:rank() >= 2, self.name, "y_pred", "scores {N, classes}", y_pred)
  if type(y_true) == "userdata" and y_true:rank() == y_pred:rank() - 1 and y_true:dtype() == "int32" then
    check.raise("%s: argument 'y_true': expected a distribution for each sample, %s, got %s; classes go with "
      .. '"sparse_categorical_crossentropy"', self.name, shape_text(y_pred:shape()), check.describe(y_true))
  end
  return Loss.same_shape(self.name, y_true, y_pred)
end

-- Raises for a label that is no class, as the fused operation does.
local function check_range(fn, y_true, classes)
  if y_true:numel() == 0 or y_true:min() >= 1 and y_true:max() <= classes then return end
  for row, label in ipairs(y_true:flatten():totable()) do
    if label < 1 or label > classes then
      check.raise("%s: argument 'y_true': expected classes from 1 to %d, got %d in row %d%s", fn, classes,
        label, row, label == 0 and "; labels that count from 0 need + 1" or "")
    end
  end
end

-- Each sample's loss from log probabilities.
function Sparse:from_log(y_true, log_p)
  check_range(self.name, y_true, log_p:size(-1))
  local own = log_p:gather(-1, y_true:unsqueeze(-1)):squeeze(-1)
  local s = self.label_smoothing
  if s == 0 then return -own end
  return own * (s - 1) - log_p:mean(-1) * s
end

function Categorical:from_log(y_true, log_p)
  local s = self.label_smoothing
  if s > 0 then y_true = y_true * (1 - s) + s / y_true:size(-1) end
  return -(log_p * y_true):sum(-1)
end

local function per_sample(self, y_true, y_pred)
  y_true = self:check_targets(y_true, y_pred) or y_true
  return self:from_log(y_true, log_probabilities(y_pred, self.from_logits))
end
Sparse.per_sample, Categorical.per_sample = per_sample, per_sample

-- The mean over the batch, straight from logits: the fused operation.
local function call(self, y_true, y_pred, weights)
  local logits = logits_behind(y_pred) or self.from_logits and y_pred
  local fused = self.reduction == "sum_over_batch_size" or self.reduction == "mean"
  if not (logits and fused) then
    if logits and not self.from_logits then
      local from_logits = getmetatable(self) {
        from_logits = true, label_smoothing = self.label_smoothing, reduction = self.reduction,
      }
      return from_logits(y_true, logits, weights)
    end
    return Loss.__call(self, y_true, y_pred, weights)
  end
  y_true = self:check_targets(y_true, logits) or y_true
  if weights ~= nil then
    local shape = logits:shape()
    shape[#shape] = nil
    weights = Loss.check_weights(self.name, weights, shape, logits:dtype()):reshape(-1)
  end
  if logits:rank() > 2 then
    y_true = getmetatable(self) == Sparse and y_true:reshape(-1) or rows(y_true)
    logits = rows(logits)
  end
  self.op_options = self.op_options or { label_smoothing = self.label_smoothing }
  self.op_options.weights = weights
  return logits:softmax_cross_entropy(y_true, self.op_options)
end
Sparse.__call, Categorical.__call = call, call

return { SparseCategoricalCrossentropy = Sparse, CategoricalCrossentropy = Categorical }
