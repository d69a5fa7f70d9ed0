-- Feed: the samples of a fit, an evaluation or a prediction, as batches of what the model takes. Bytes are
-- made into floats, and a dataset's images normalised, a batch at a time.
local tensor = require "perilune.tensor"

---@class Feed
---@field n integer how many samples
---@field x Tensor all of them
---@field y Tensor?
---@field weights Tensor? {n}, a weight a sample, in the model's dtype
---@field source table? a dataset with a batch(indices) of its own
---@field dtype string of the batches' x
---@field float string the model's: of targets that are no classes, and of the weights
---@field offset integer samples of x before the first
local Feed = {}
Feed.__index = Feed

---@param fields { x: Tensor, y: Tensor?, source: table?, dtype: string, float: string }
---@return Feed
function Feed.new(fields)
  fields.n, fields.offset = fields.x:size(1), 0
  return setmetatable(fields, Feed)
end

--- The first of the samples, and the last `count`, as feeds of their own.
---@return Feed first, Feed last
function Feed:split(count)
  local function part(offset, n)
    local weights = self.weights and self.weights:narrow(1, offset + 1, n)
    return setmetatable({
      x = self.x, y = self.y, source = self.source, dtype = self.dtype, float = self.float, weights = weights,
        n = n, offset = self.offset + offset,
    }, Feed)
  end
  return part(0, self.n - count), part(self.n - count, count)
end

local function prepared(self, x)
  if x:dtype() ~= self.dtype then x = x:to(self.dtype) end
  return x
end

local function batch_of(self, indices)
  local x, y
  if self.source then
    x, y = self.source:batch(indices)
  else
    x, y = self.x:index_select(1, indices), self.y and self.y:index_select(1, indices)
  end
  return prepared(self, x), y
end

--- Samples `first` to `first + count - 1`: of the order given, or of the order they come in.
---@param first integer
---@param count integer
---@param order? Tensor int32 {n}
---@return Tensor x
---@return Tensor? y
---@return Tensor? weights
function Feed:batch(first, count, order)
  local weights = self.weights
  if not order and not self.source then
    local y = self.y and self.y:narrow(1, self.offset + first, count)
    return prepared(self, self.x:narrow(1, self.offset + first, count)), y,
      weights and weights:narrow(1, first, count)
  end
  local indices = order and order:narrow(1, first, count) or tensor.arange(first, first + count - 1, 1,
    "int32")
  weights = weights and weights:index_select(1, indices)
  if self.offset > 0 then indices = indices + self.offset end
  local x, y = batch_of(self, indices)
  return x, y, weights
end

return Feed
