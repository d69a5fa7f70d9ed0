-- Initializers: what weights start as, under Keras's names and with its defaults. An initializer is called
-- with a shape, a generator and a dtype; one with a seed of its own always makes the same tensor. A function
-- of these three arguments, or a tensor of the right shape, serves as one too.
local core = require "perilune.core"
local check = require "perilune.check"
local class = require "perilune.nn.class"
local random = require "perilune.random"

---@class Initializer: Object
local Initializer = class.root("Initializer")
local initializers = { Initializer = Initializer }

--- A tensor of initial values.
---@param shape integer[]
---@param rng? Generator pl.rng(0) by default; not used by one with a seed
---@param dtype? string "float32" by default
---@return Tensor
function Initializer:__call(shape, rng, dtype)
  check.arg(type(shape) == "table", self.__name, "shape", "a list of sizes", shape)
  if self.seed then rng = random.rng(self.seed) end
  return self:make(shape, rng or random.rng(0), dtype or "float32")
end

local function number(self, name, low)
  local value = self[name]
  local good = type(value) == "number" and value - value == 0 and not (low and value < low)
  check.arg(good, self.__name, name, low and "a number from " .. low .. " up" or "a number", value)
end

--- How many inputs and outputs a unit has. The last two axes are inputs and outputs, those before them
--- the window of a convolution.
---@param shape integer[] {inputs, outputs}, {kh, kw, inputs, outputs}, …
---@return number fan_in, number fan_out
function initializers.fans(shape)
  local rank, window = #shape, 1
  if rank == 0 then return 1, 1 end
  if rank == 1 then return shape[1], shape[1] end
  for axis = 1, rank - 2 do window = window * shape[axis] end
  return window * shape[rank - 1], window * shape[rank]
end

-- ---- constants -------------------------------------------------------------------------------------

initializers.Zeros = Initializer:extend("Zeros")
function initializers.Zeros:make(shape, _, dtype) return core.full(shape, 0, dtype) end

initializers.Ones = Initializer:extend("Ones")
function initializers.Ones:make(shape, _, dtype) return core.full(shape, 1, dtype) end

initializers.Constant = Initializer:extend("Constant", { "value", value = 0 })
function initializers.Constant:init() number(self, "value") end
function initializers.Constant:make(shape, _, dtype) return core.full(shape, self.value, dtype) end

initializers.Identity = Initializer:extend("Identity", { "gain", gain = 1 })
function initializers.Identity:init() number(self, "gain") end
function initializers.Identity:make(shape, _, dtype)
  check.arg(#shape == 2, "Identity", "shape", "a matrix's shape {rows, columns}", shape)
  local t = core.full(shape, 0, dtype)
  for i = 1, math.min(shape[1], shape[2]) do t[{ i, i }] = self.gain end
  return t
end

-- ---- plain distributions ---------------------------------------------------------------------------

-- Standard normals within two standard deviations: what falls outside is drawn again, from streams of
-- its own, so that the result depends on nothing but the generator's state.
local function truncated_normal(shape, rng, dtype)
  local t = rng:randn(shape, dtype)
  while true do
    local outside = t:abs():gt(2)
    if not outside:any() then return t end
    t = outside:where(rng:randn(shape, dtype), t)
  end
end

initializers.RandomNormal = Initializer:extend("RandomNormal", { "mean", "stddev", mean = 0, stddev = 0.05,
  seed = false })
function initializers.RandomNormal:init() number(self, "mean") number(self, "stddev", 0) end
function initializers.RandomNormal:make(shape, rng, dtype) return rng:normal(self.mean, self.stddev, shape,
  dtype) end

initializers.TruncatedNormal =
  Initializer:extend("TruncatedNormal", { "mean", "stddev", mean = 0, stddev = 0.05, seed = false })
function initializers.TruncatedNormal:init() number(self, "mean") number(self, "stddev", 0) end
function initializers.TruncatedNormal:make(shape, rng, dtype)
  return truncated_normal(shape, rng, dtype):mul_(self.stddev):add_(self.mean)
end

initializers.RandomUniform =
  Initializer:extend("RandomUniform", { "minval", "maxval", minval = -0.05, maxval = 0.05, seed = false })
function initializers.RandomUniform:init() number(self, "minval") number(self, "maxval", self.minval) end
function initializers.RandomUniform:make(shape, rng, dtype)
  return rng:uniform(self.minval, self.maxval, shape, dtype)
end

-- ---- scaled to the fans ----------------------------------------------------------------------------

-- The standard deviation of a standard normal that is cut off at two.
local TRUNCATED_STDDEV <const> = 0.87962566103423978

initializers.VarianceScaling = Initializer:extend("VarianceScaling",
  { scale = 1, mode = "fan_in", distribution = "truncated_normal", seed = false })
local VarianceScaling = initializers.VarianceScaling

local modes = {
  fan_in = function(fan_in) return fan_in end,
  fan_out = function(_, fan_out) return fan_out end,
  fan_avg = function(fan_in, fan_out) return (fan_in + fan_out) / 2 end,
}

-- Numbers of variance v.
local distributions = {
  truncated_normal = function(shape, rng, dtype, v)
    return truncated_normal(shape, rng, dtype):mul_(math.sqrt(v) / TRUNCATED_STDDEV)
  end,
  untruncated_normal = function(shape, rng, dtype, v) return rng:normal(0, math.sqrt(v), shape, dtype) end,
  uniform = function(shape, rng, dtype, v)
    local limit = math.sqrt(3 * v)
    return rng:uniform(-limit, limit, shape, dtype)
  end,
}
distributions.normal = distributions.truncated_normal

function VarianceScaling:init()
  number(self, "scale", 0)
  check.arg(modes[self.mode], self.__name, "mode", '"fan_in", "fan_out" or "fan_avg"', self.mode)
  check.arg(distributions[self.distribution], self.__name, "distribution",
    '"truncated_normal", "untruncated_normal" or "uniform"', self.distribution)
end

function VarianceScaling:make(shape, rng, dtype)
  local fan = modes[self.mode](initializers.fans(shape))
  return distributions[self.distribution](shape, rng, dtype, self.scale / math.max(1, fan))
end

-- name, scale, mode, distribution
for _, row in ipairs {
  { "GlorotUniform", 1, "fan_avg", "uniform" }, { "GlorotNormal", 1, "fan_avg", "truncated_normal" },
  { "HeUniform", 2, "fan_in", "uniform" }, { "HeNormal", 2, "fan_in", "truncated_normal" },
  { "LecunUniform", 1, "fan_in", "uniform" }, { "LecunNormal", 1, "fan_in", "truncated_normal" },
} do
  local name, scale, mode, distribution = table.unpack(row)
  local scaled = Initializer:extend(name, { seed = false })
  scaled.scale, scaled.mode, scaled.distribution = scale, mode, distribution
  scaled.make = VarianceScaling.make
  initializers[name] = scaled
end

-- ---- orthogonal ------------------------------------------------------------------------------------

initializers.Orthogonal = Initializer:extend("Orthogonal", { "gain", gain = 1, seed = false })
function initializers.Orthogonal:init() number(self, "gain") end

--- A matrix whose rows or columns, whichever are fewer, are orthonormal: normal numbers made orthogonal
--- row by row (Gram and Schmidt, each twice, in float64).
function initializers.Orthogonal:make(shape, rng, dtype)
  check.arg(#shape >= 2, "Orthogonal", "shape", "a shape of two axes or more", shape)
  local columns, rows = shape[#shape], 1
  for axis = 1, #shape - 1 do rows = rows * shape[axis] end
  local few, many = math.min(rows, columns), math.max(rows, columns)
  local q = rng:randn({ few, many }, "float64")
  for i = 1, few do
    local row = q[i]
    for _ = 1, i > 1 and 2 or 0 do
      local before = q:narrow(1, 1, i - 1)
      row:sub_(before:t():matmul(before:matmul(row)))
    end
    row:div_(math.sqrt(row:dot(row)))
  end
  if rows > columns then q = q:t() end
  return (q * self.gain):reshape(shape):to(dtype)
end

-- ---- by name ---------------------------------------------------------------------------------------

local resolve = class.resolver("initializer", Initializer, { normal = "RandomNormal",
  uniform = "RandomUniform",
  zero = "Zeros", one = "Ones" })

--- The initializer for a name ("he_normal", "HeNormal"), an object, a function or a tensor; nil for nil.
---@param value any
---@return fun(shape: integer[], rng: Generator, dtype: string): Tensor
function initializers.get(value)
  if core.is_tensor(value) then
    return function(_, _, dtype) return value:to(dtype):clone() end
  end
  return resolve(value)
end

return initializers
