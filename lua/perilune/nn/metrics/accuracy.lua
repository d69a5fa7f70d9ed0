-- Accuracy: the part of the samples that were classified rightly. Classes count from 1.
local core = require "perilune.core"
local check = require "perilune.check"
local Metric = require "perilune.nn.metrics.metric"

local accuracy = {}

local function shape_text(t) return "{" .. table.concat(t:shape(), ", ") .. "}" end

local function check_tensors(self, y_true, y_pred)
  check.arg(core.is_tensor(y_true), self.name, "y_true", "a tensor", y_true)
  check.arg(core.is_tensor(y_pred), self.name, "y_pred", "a tensor", y_pred)
end

-- Raises unless labels have the shape of the predictions without their last axis.
local function check_classes(self, y_true, y_pred)
  local shape = y_pred:shape()
  shape[#shape] = nil
  local wanted = table.concat(shape, ", ")
  if table.concat(y_true:shape(), ", ") == wanted then return end
  check.raise("%s: y_pred %s wants classes {%s}, got y_true %s%s", self.name, shape_text(y_pred), wanted,
    shape_text(y_true), y_true:numel() * y_pred:size(-1) == y_pred:numel()
      and ("; reshape it, y_true:reshape(%s)"):format(wanted) or "")
end

local function check_same(self, y_true, y_pred)
  if shape_text(y_true) == shape_text(y_pred) then return end
  check.raise("%s: y_true %s and y_pred %s differ in shape, and nothing broadcasts here%s", self.name,
    shape_text(y_true), shape_text(y_pred), y_true:numel() == y_pred:numel()
      and ("; reshape one, y_true:reshape(%s)"):format(table.concat(y_pred:shape(), ", ")) or "")
end

--- The samples whose class has the highest score.
---@class SparseCategoricalAccuracy: Metric
accuracy.SparseCategoricalAccuracy = Metric:extend("SparseCategoricalAccuracy")
function accuracy.SparseCategoricalAccuracy:update(y_true, y_pred, weights)
  y_pred = Metric.plain(y_pred)
  check_tensors(self, y_true, y_pred)
  check_classes(self, y_true, y_pred)
  self:add(y_pred:argmax(-1):eq(y_true:int()), weights)
end

--- The same for one-hot targets.
---@class CategoricalAccuracy: Metric
accuracy.CategoricalAccuracy = Metric:extend("CategoricalAccuracy")
function accuracy.CategoricalAccuracy:update(y_true, y_pred, weights)
  y_pred = Metric.plain(y_pred)
  check_tensors(self, y_true, y_pred)
  check_same(self, y_true, y_pred)
  self:add(y_pred:argmax(-1):eq(y_true:argmax(-1)), weights)
end

--- The numbers that are on the right side of the threshold; a sample's part of them, where it has several.
---@class BinaryAccuracy: Metric
accuracy.BinaryAccuracy = Metric:extend("BinaryAccuracy", { "threshold", threshold = 0.5 })
function accuracy.BinaryAccuracy:update(y_true, y_pred, weights)
  y_pred = Metric.plain(y_pred)
  check_tensors(self, y_true, y_pred)
  check_same(self, y_true, y_pred)
  local right = y_pred:gt(self.threshold):eq(y_true:byte())
  self:add(right:rank() > 1 and right:mean(-1) or right, weights)
end

--- Whether the true class is among the k highest scores.
---@class SparseTopKCategoricalAccuracy: Metric
accuracy.SparseTopKCategoricalAccuracy = Metric:extend("SparseTopKCategoricalAccuracy", { "k", k = 5 })
function accuracy.SparseTopKCategoricalAccuracy:init() self.k = check.integer(self.k, self.__name, "k", 1) end

-- The true class counts when fewer than k scores are higher.
local function among_highest(self, classes, y_pred)
  local own = y_pred:gather(-1, classes:unsqueeze(-1))
  return y_pred:gt(own):sum(-1):lt(self.k)
end

function accuracy.SparseTopKCategoricalAccuracy:update(y_true, y_pred, weights)
  y_pred = Metric.plain(y_pred)
  check_tensors(self, y_true, y_pred)
  check_classes(self, y_true, y_pred)
  self:add(among_highest(self, y_true:int(), y_pred), weights)
end

--- The same for one-hot targets.
---@class TopKCategoricalAccuracy: Metric
accuracy.TopKCategoricalAccuracy = Metric:extend("TopKCategoricalAccuracy", { "k", k = 5 })
accuracy.TopKCategoricalAccuracy.init = accuracy.SparseTopKCategoricalAccuracy.init
function accuracy.TopKCategoricalAccuracy:update(y_true, y_pred, weights)
  y_pred = Metric.plain(y_pred)
  check_tensors(self, y_true, y_pred)
  check_same(self, y_true, y_pred)
  self:add(among_highest(self, y_true:argmax(-1), y_pred), weights)
end

--- "accuracy": the one of the three that fits the shapes of the first batch, chosen as Keras chooses: one
--- score a sample is binary, targets with an axis less than the scores are classes, others one-hot.
---@class Accuracy: Metric
accuracy.Accuracy = Metric:extend("Accuracy")

local function chosen(y_true, y_pred)
  if y_pred:rank() == 1 or y_pred:size(-1) == 1 then return accuracy.BinaryAccuracy end
  if y_true:rank() < y_pred:rank() or y_true:size(-1) == 1 then return accuracy.SparseCategoricalAccuracy end
  return accuracy.CategoricalAccuracy
end

function accuracy.Accuracy:update(y_true, y_pred, weights)
  y_pred = Metric.plain(y_pred)
  check_tensors(self, y_true, y_pred)
  self.kind = self.kind or chosen(y_true, y_pred)
  self.threshold = 0.5
  self.kind.update(self, y_true, y_pred, weights)
end

return accuracy
