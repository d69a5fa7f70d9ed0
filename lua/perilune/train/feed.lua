-- Feed: the samples of a fit, an evaluation or a prediction, as batches of what the model takes. Bytes are
-- made into floats, and a dataset's images normalised, a batch at a time.
local check = require "perilune.check"
local core = require "perilune.core"
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
  if not fields.source then fields.x = fields.x:contiguous() end
  return setmetatable(fields, Feed)
end

--- The first of the samples, and the last `count`, as feeds of their own.
---@return Feed first, Feed last
function Feed:split(count)
  local function part(offset, n)
    local weights = self.weights and self.weights:narrow(1, offset + 1, n)
    return setmetatable({
      x = self.x, y = self.y, source = self.source, dtype = self.dtype, float = self.float,
      weights = weights, n = n, offset = self.offset + offset,
    }, Feed)
  end
  return part(0, self.n - count), part(self.n - count, count)
end

-- Memory for a batch of count samples, the same for every batch.
local function buffer(self, count)
  if not self.memory or self.memory:size(1) < count then
    local shape = self.x:shape()
    shape[1] = count
    self.memory, self.room = core.empty(shape, self.dtype), {}
  end
  self.room[count] = self.room[count] or self.memory:narrow(1, 1, count)
  return self.room[count]
end

local function gathered(self, indices)
  local y = self.y and self.y:index_select(1, indices)
  if not self.dtype:find "float" then return self.x:index_select(1, indices), y end
  local x = buffer(self, indices:size(1))
  core.nn.pack(x, self.x, indices)
  return x, y
end

-- What a dataset's own batch gives; it may write into the memory offered, or not.
local function asked(self, indices)
  local n = indices:size(1)
  local x, y = self.source:batch(indices, self.dtype == "float32" and buffer(self, n) or nil)
  if not core.is_tensor(x) or x:rank() == 0 or x:size(1) ~= n then
    check.raise("the dataset's batch was to give %d samples, one for each index, and gave %s", n,
      core.describe(x))
  end
  return x:dtype() == self.dtype and x or x:to(self.dtype), y
end

-- Samples as they lie in x.
local function sliced(self, first, count)
  local x, y, all = self.x, self.y, count == self.x:size(1)
  if not all then x = x:narrow(1, self.offset + first, count) end
  if y and not all then y = y:narrow(1, self.offset + first, count) end
  if x:dtype() ~= self.dtype then x = buffer(self, count):copy_(x) end
  return x, y
end

--- Samples `first` to `first + count - 1`: of the order given, or of the order they come in. x lives until
--- the next batch.
---@param first integer
---@param count integer
---@param order? Tensor int32 {n}
---@return Tensor x
---@return Tensor? y
---@return Tensor? weights
function Feed:batch(first, count, order)
  local weights = self.weights
  if not order and not self.source then
    local x, y = sliced(self, first, count)
    return x, y, weights and weights:narrow(1, first, count)
  end
  local indices = order and order:narrow(1, first, count)
    or tensor.arange(first, first + count - 1, 1, "int32")
  weights = weights and weights:index_select(1, indices)
  if self.offset > 0 then indices = indices + self.offset end
  local x, y = (self.source and asked or gathered)(self, indices)
  return x, y, weights
end

return Feed
