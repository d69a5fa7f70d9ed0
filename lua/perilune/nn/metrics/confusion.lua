-- What is counted in the confusion matrix: rows are true classes, columns predicted ones, from 1.
-- Scores {N, C} predict the class of the highest; one score a sample predicts class 2, "positive", above 0.5,
-- where targets 0 and 1 stand for the classes 1 and 2.
local core = require "perilune.core"
local check = require "perilune.check"
local Metric = require "perilune.nn.metrics.metric"

local confusion = {}

-- True and predicted classes, int32 {N}, and how many classes there are.
local function classes_of(self, y_true, y_pred)
  check.arg(core.is_tensor(y_true), self.name, "y_true", "a tensor", y_true)
  check.arg(core.is_tensor(y_pred), self.name, "y_pred", "a tensor", y_pred)
  local a, b = y_true:shape(), y_pred:shape()
  local same = table.concat(a, ",") == table.concat(b, ",")
  if same and (#b == 1 or b[#b] == 1) and y_pred:dtype():find "float" then
    return y_true:int():reshape(-1) + 1, y_pred:gt(self.threshold or 0.5):int():reshape(-1) + 1, 2
  elseif same and #b == 1 then -- classes against classes
    return y_true:int(), y_pred:int(), nil
  elseif same then
    return y_true:argmax(-1):reshape(-1), y_pred:argmax(-1):reshape(-1), b[#b]
  elseif #a == #b - 1 and table.concat(a, ",") == table.concat(b, ",", 1, #b - 1) then
    return y_true:int():reshape(-1), y_pred:argmax(-1):reshape(-1), b[#b]
  end
  return check.raise("%s: y_true %s does not go with y_pred %s, and nothing broadcasts here; "
    .. "expected classes {N} with scores {N, C}", self.name, check.describe(y_true), check.describe(y_pred))
end

--- How often each class was taken for each: result() is a tensor {C, C} float64, of weights when there are
--- any.
---@class ConfusionMatrix: Metric
local ConfusionMatrix = Metric:extend("ConfusionMatrix", { "num_classes", num_classes = false })
confusion.ConfusionMatrix = ConfusionMatrix

function ConfusionMatrix:reset() self.matrix = nil end

-- The matrix with room for n classes.
local function grown(self, n)
  n = self.num_classes or n
  if self.matrix and self.matrix:size(1) >= n then return self.matrix end
  local larger = core.full({ n, n }, 0, "float64")
  if self.matrix then
    local m = self.matrix:size(1)
    larger:narrow(1, 1, m):narrow(2, 1, m):copy_(self.matrix)
  end
  self.matrix = larger
  return larger
end

function ConfusionMatrix:update(y_true, y_pred, weights)
  local rows, columns, n = classes_of(self, y_true, Metric.plain(y_pred))
  if #rows == 0 then return end
  local lowest, highest = math.min(rows:min(), columns:min()), math.max(rows:max(), columns:max())
  local limit = self.num_classes or n
  if lowest < 1 or limit and highest > limit then
    check.raise("%s: expected classes from 1 to %s, got one that is %d%s", self.name, limit or "…",
      lowest < 1 and lowest or highest, lowest == 0 and "; labels that count from 0 need + 1" or "")
  end
  local matrix = grown(self, n or highest)
  local places = (rows - 1) * matrix:size(1) + columns
  local amounts = weights and weights:double() or core.full(places:shape(), 1, "float64")
  matrix:view(-1):index_add_(1, places, amounts)
end

function ConfusionMatrix:result()
  return self.matrix and self.matrix:clone() or grown(self, 0):clone()
end

-- ---- made from it ----------------------------------------------------------------------------------

-- Quotients of tensors {C}; 0 where nothing was counted.
local function ratio(a, b) return b:gt(0):where(a / b:maximum(1e-300), 0) end

local function parts(matrix)
  local size = matrix:size(1)
  local right = core.full({ size }, 0, "float64")
  for i = 1, size do right[i] = matrix[{ i, i }] end
  return right, matrix:sum(1), matrix:sum(2) -- right ones, predicted, true ones of each class
end

local OPTIONS <const> = { average = "macro", class_id = false, threshold = 0.5, num_classes = false }

-- A metric of each class; result() is their mean, that of one class (class_id), or a tensor {C} (average =
-- false).
local function per_class(name, formula)
  local metric = ConfusionMatrix:extend(name, OPTIONS)
  metric.options.positional = {}
  function metric:init()
    check.arg(self.average == "macro" or self.average == "weighted" or self.average == false, name, "average",
      '"macro", "weighted" or false', self.average)
  end

  function metric:result()
    if not self.matrix then return self.average and 0 or core.full({ 0 }, 0, "float64") end
    local right, predicted, actual = parts(self.matrix)
    local values = formula(right, predicted, actual)
    if self.class_id then return values[check.integer(self.class_id, name, "class_id", 1, #values)] end
    if not self.average then return values end
    if self.average == "macro" then return values:mean() end
    return (values * actual):sum() / math.max(actual:sum(), 1e-300)
  end

  confusion[name] = metric
end

--- Of those that were taken for a class, the part that are of it.
per_class("Precision", function(right, predicted) return ratio(right, predicted) end)
--- Of those of a class, the part that were taken for it.
per_class("Recall", function(right, _, actual) return ratio(right, actual) end)
--- The harmonic mean of both: 2·right / (predicted + true ones).
per_class("F1Score", function(right, predicted, actual) return ratio(right * 2, predicted + actual) end)

return confusion
