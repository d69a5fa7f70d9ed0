-- nn.Normalization{}: y = (x - mean)/√variance, of each channel; layer:adapt(x) learns both from data.
-- Takes bytes too: nn.Input{32, 32, 3, dtype = "uint8"} first.
--   axis        -1: each number of the last axis by itself; false: one mean and variance for all
--   mean, variance   given rather than learned: a number, or a list with one for each channel
--   invert      false; true undoes it: y = x·√variance + mean
-- Weights: mean, variance, which no optimizer touches.
local check = require "perilune.check"
local core = require "perilune.core"
local Layer = require "perilune.nn.layer"

---@class Normalization: Layer
local Normalization = Layer:extend("Normalization",
  { axis = -1, mean = false, variance = false, invert = false })

local EPSILON <const> = 1e-7
local CHUNK <const> = 1 << 20 -- numbers that are made float64 at a time

function Normalization:init()
  check.arg(self.axis == -1 or self.axis == false, "Normalization", "axis", "-1 or false", self.axis)
  check.arg((self.mean ~= false) == (self.variance ~= false), "Normalization", "variance",
    "both mean and variance, or neither", self.variance)
  self.given = self.mean and { mean = self.mean, variance = self.variance }
end

local function initial(layer, name, default)
  local value = layer.given and layer.given[name]
  if not value then return default end
  return function(shape, _, dtype)
    if type(value) == "number" then return core.full(shape, value, dtype) end
    check.arg(type(value) == "table" and #value == shape[1], "Normalization", name,
      ("a number, or a list of %d"):format(shape[1]), value)
    return core.from_table(value, dtype)
  end
end

function Normalization:build(shape)
  local sizes = { self.axis and shape[#shape] or 1 }
  self.mean = self:weight("mean", sizes, initial(self, "mean", "zeros"), { trainable = false })
  self.variance = self:weight("variance", sizes, initial(self, "variance", "ones"), { trainable = false })
end

function Normalization:forward(x)
  if x:dtype() ~= self.dtype then x = x:to(self.dtype) end
  local deviation = self.variance:sqrt():maximum(EPSILON)
  if self.invert then return x * deviation + self.mean end
  return (x - self.mean) / deviation
end

-- The fields mean and variance are the weights once it is built; its options are what was given.
function Normalization:config()
  local config = Layer.config(self)
  for _, name in ipairs { "mean", "variance" } do
    local value = self.given and self.given[name] or false
    config[name] = type(value) == "table" and table.move(value, 1, #value, 1, {}) or value
  end
  return config
end

-- Σ f(rows) over chunks of rows, {C} in float64.
local function chunked_sum(rows, f)
  local n, total = #rows, nil
  local step = math.max(1, CHUNK // rows:size(2))
  for first = 1, n, step do
    local part = f(rows:narrow(1, first, math.min(step, n - first + 1)):double()):sum(1)
    total = total and total:add_(part) or part
  end
  return total
end

--- Learns the mean and variance from data, in place of what they were.
---@param x Tensor {N, …, C} of any dtype
---@return Normalization self
function Normalization:adapt(x)
  check.arg(core.is_tensor(x) and x:rank() >= 2 and x:numel() > 0, "adapt", "x", "a tensor {N, …}", x)
  if not self.built then self(x:narrow(1, 1, 1)) end
  local shape = self.input_shape
  if #shape ~= x:rank() - 1 or shape[#shape] ~= x:size(-1) then
    check.raise("adapt: argument 'x': expected data {N, %s}, got %s", table.concat(shape, ", "),
      core.describe(x))
  end
  local rows = x:reshape(-1, self.mean:numel() == 1 and not self.axis and 1 or x:size(-1))
  local n = #rows
  local mean = chunked_sum(rows, function(part) return part end):div_(n)
  local variance = chunked_sum(rows, function(part) return part:sub_(mean):square_() end):div_(n)
  self.mean:copy_(mean)
  self.variance:copy_(variance)
  return self
end

return Normalization
