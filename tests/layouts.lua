-- Makes the operands of a case: numbers from a domain, laid out in memory in every way a tensor can be;
-- and compares what came out with what the reference says.
local reference = require "tests.reference"

local layouts = {}

--- Every way in which operands are laid out.
layouts.names = { "contiguous", "offset", "stepped", "reversed", "transposed", "expanded" }

--- Shapes for elementwise operations: rank 0 to 6, empty ones, and sizes about a vector's.
layouts.shapes = {
  {}, { 0 }, { 1 }, { 3 }, { 5 }, { 17 }, { 65 }, { 1031 }, { 2, 0, 3 }, { 3, 5 }, { 1, 7 }, { 17, 3 },
  { 34, 9 },
  { 5, 1, 7 }, { 2, 3, 4, 5 }, { 1, 2, 1, 3, 1, 2 }, { 2, 1, 3, 2, 1, 9 },
}

--- Shapes that broadcast.
layouts.pairs = {
  { {}, { 3 } }, { { 4 }, {} }, { { 3, 5 }, { 5 } }, { { 3 }, { 17, 3 } }, { { 3, 1 }, { 1, 5 } },
  { { 2, 0, 3 }, { 3 } }, { { 0 }, { 1 } }, { { 2, 1, 3, 1 }, { 4, 1, 5 } }, { { 3, 65 }, { 65 } },
  { { 5, 33 }, { 5, 1 } }, { { 131 }, { 1 } },
  { { 1, 2, 1, 3, 1, 2 }, { 2, 1, 4, 1, 2, 1 } },
}

--- Long enough to be cut into several chunks.
layouts.long = { { 16384 + 77 }, { 130, 131 } }

local smallest_normal <const> = { float32 = 2.0 ^ -126, float64 = 2.0 ^ -1022 }
local largest <const> = { float32 = (2 - 2.0 ^ -23) * 2.0 ^ 127, float64 = (2 - 2.0 ^ -52) * 2.0 ^ 1023 }
local epsilon <const> = { float32 = 2.0 ^ -23, float64 = 2.0 ^ -52 }

--- Floats that need care; mild ones leave out those whose quotients are denormal.
function layouts.special(dtype, mild)
  local list = { 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, math.huge, -math.huge, 0.0 / 0.0, 100.0, -100.0 }
  if not mild then
    for _, x in ipairs { largest[dtype], -largest[dtype], smallest_normal[dtype], 2.0 ^ -20 } do
      list[#list + 1] = x
    end
  end
  return list
end

-- Numbers ---------------------------------------------------------------------------------------------

--- A generator of numbers that is the same everywhere: random() in [0, 1), random(m, n) an integer.
function layouts.generator(seed)
  local state = seed * 2 + 1
  return function(m, n)
    state = state * 6364136223846793005 + 1442695040888963407
    local fraction = (state >> 11) * 2.0 ^ -53
    if not m then return fraction end
    return m + math.floor(fraction * (n - m + 1))
  end
end

local function uniform(low, high)
  return function(random) return low + (high - low) * random() end
end

local function integers(low, high)
  return function(random) return random(low, high) end
end

-- 1, and now and then another, so that long products fit.
local function rarely(other)
  return function(random) return random() < 0.05 and other or 1 end
end

--- Domains: for floats, int32 and uint8 the function that draws a number. `indices` are places on the
--- axis of the first operand that the case names.
layouts.domains = {
  any = {
    float = function(random) -- many halves, so that there are ties
      if random() < 0.3 then return random(-8, 8) / 2 end
      return 8 * random() - 4
    end,
    int32 = function(random)
      if random() < 0.1 then return random() < 0.5 and -0x80000000 or 0x7fffffff end
      return random(-100, 100)
    end,
    uint8 = integers(0, 255),
  },
  positive = { float = uniform(0.05, 8), int32 = integers(1, 90), uint8 = integers(1, 255) },
  above_minus_one = { float = uniform(-0.95, 4) },
  not_zero = {
    float = function(random) return (random() < 0.5 and -1 or 1) * (0.25 + 4 * random()) end,
    int32 = function(random) return (random() < 0.5 and -1 or 1) * random(1, 30) end,
    uint8 = integers(1, 30),
  },
  small = { float = uniform(-2, 2), int32 = integers(-9, 9), uint8 = integers(0, 9) },
  -- nowhere near 0, a halved integer or another number of the case
  distinct = {
    float = function(random, instance)
      local taken, place = instance.taken or { count = 0 }
      if taken.count > 380 then taken = { count = 0 } end
      repeat place = random(-200, 199) until not taken[place]
      instance.taken, taken[place], taken.count = taken, true, taken.count + 1
      return (place + 0.25 + 0.5 * random()) / 50
    end,
  },
  near_one = { float = uniform(0.5, 1.5), int32 = rarely(-1), uint8 = rarely(0) },
  ties = {
    float = function(random) return random(-4, 4) / 2 end,
    int32 = integers(-3, 3),
    uint8 = integers(0, 4),
  },
  mask = { uint8 = function(random) return ({ 0, 0, 1, 1, 1, 255 })[random(1, 6)] end },
  mask_like = {
    float = function(random) return random() < 0.6 and 0.0 or 0.5 end,
    int32 = function(random) return random() < 0.6 and 0 or -7 end,
    uint8 = function(random) return random() < 0.6 and 0 or 3 end,
  },
  mostly_true = {
    float = function(random) return random() < 0.9 and 1.5 or 0.0 end,
    int32 = function(random) return random() < 0.9 and -1 or 0 end,
    uint8 = function(random) return random() < 0.9 and 2 or 0 end,
  },
  indices = {
    int32 = function(random, instance)
      local shape, axis = instance[1], instance.axis
      return random(1, shape[axis < 0 and axis + #shape + 1 or axis])
    end,
  },
}

local format_of <const> = { float32 = "f", float64 = "d", uint8 = "B", int32 = "i4" }

--- The bytes of a list of numbers, little-endian.
function layouts.pack(list, dtype)
  local parts, letter = {}, format_of[dtype]
  for i = 1, #list, 128 do
    local last = math.min(i + 127, #list)
    parts[#parts + 1] = string.pack("<" .. letter:rep(last - i + 1), table.unpack(list, i, last))
  end
  return table.concat(parts)
end

--- A contiguous tensor of an array.
function layouts.tensor(pl, array, dtype)
  return pl.frombytes(layouts.pack(array.data, dtype), dtype, array.shape)
end

-- Memory in which the array's elements stand at the positions given and poison everywhere else.
local function scattered(pl, array, dtype, base_shape, strides, start)
  local poison, data = (dtype == "float32" or dtype == "float64") and 0.0 / 0.0 or 77, {}
  for i = 1, reference.count(base_shape) do data[i] = poison end
  for i, position in ipairs(reference.positions(array.shape, strides, start)) do
    data[position] = array.data[i]
  end
  return layouts.tensor(pl, reference.array(base_shape, data), dtype)
end

local builders = { contiguous = layouts.tensor }

-- Not on a vector's boundary.
function builders.offset(pl, array, dtype)
  local n = #array.data
  local base = scattered(pl, array, dtype, { n + 4 }, reference.strides(array.shape), 4)
  return base:slice(1, 4, n + 3):view(array.shape)
end

function builders.stepped(pl, array, dtype)
  local shape, strides, start = {}, {}, 1
  for axis, size in ipairs(array.shape) do shape[axis] = 2 * size + 1 end
  for axis, stride in ipairs(reference.strides(shape)) do
    strides[axis], start = 2 * stride, start + stride
  end
  local view = scattered(pl, array, dtype, shape, strides, start)
  for axis, size in ipairs(array.shape) do view = view:slice(axis, 2, 2 * size, 2) end
  return view
end

function builders.reversed(pl, array, dtype)
  local strides, start = reference.strides(array.shape), 1
  for axis, size in ipairs(array.shape) do
    start, strides[axis] = start + (size - 1) * strides[axis], -strides[axis]
  end
  local view = scattered(pl, array, dtype, array.shape, strides, start)
  for axis = 1, #array.shape do view = view:slice(axis, -1, 1, -1) end
  return view
end

function builders.transposed(pl, array, dtype)
  local axes = {}
  for axis = #array.shape, 1, -1 do axes[#axes + 1] = axis end
  return layouts.tensor(pl, reference.permute(array, axes), dtype):permute(axes)
end

-- A domain without that dtype belongs to a case that must raise: any numbers do.
local function drawer(domain, dtype)
  local kind = epsilon[dtype] and "float" or dtype
  return layouts.domains[domain][kind] or layouts.domains.any[kind]
end

--- Draws an operand: a tensor in that layout and the array it stands for. An expanded one repeats
--- itself along every other axis.
function layouts.operand(pl, dtype, shape, domain, layout, random, instance)
  local draw = drawer(domain, dtype)
  local drawn = table.move(shape, 1, #shape, 1, {})
  if layout == "expanded" then
    for axis = 1, #shape, 2 do drawn[axis] = math.min(shape[axis], 1) end
  end
  local data, round = {}, reference.rounder(dtype)
  for i = 1, reference.count(drawn) do data[i] = round(draw(random, instance)) end
  local array = reference.array(drawn, data)
  if layout ~= "expanded" then return builders[layout](pl, array, dtype), array end
  return layouts.tensor(pl, array, dtype):expand(shape), reference.expand(array, shape)
end

--- A tensor of given numbers in a layout other than expanded.
function layouts.build(pl, array, dtype, layout) return builders[layout](pl, array, dtype) end

-- Comparison ------------------------------------------------------------------------------------------

--- The numbers of a nested table in row-major order.
function layouts.flatten(values, list)
  list = list or {}
  if type(values) ~= "table" then
    list[#list + 1] = values
  else
    for i = 1, #values do layouts.flatten(values[i], list) end
  end
  return list
end

--- Whether a number is the one expected: exactly (eps = 0), or within eps machine epsilons of the
--- magnitude, which is the number's own unless the reference says otherwise. What is denormal may be 0.
function layouts.close(got, expected, dtype, eps, magnitude)
  if got == expected or (got ~= got and expected ~= expected) then return true end
  local tiny = smallest_normal[dtype]
  if not tiny then return false end
  local rounded = reference.rounder(dtype)(expected)
  if got == rounded then return true end
  if math.abs(expected) < tiny and math.abs(got) <= tiny then return true end
  if expected - expected ~= 0 or got - got ~= 0 then return false end
  magnitude = math.max(magnitude or 0, math.abs(expected))
  return eps > 0 and math.abs(got - expected) <= eps * epsilon[dtype] * magnitude + tiny
end

local function shape_text(shape) return "{" .. table.concat(shape, ", ") .. "}" end

--- nil when a result agrees with the array expected, or else what is wrong.
function layouts.compare(got, expected, dtype, eps)
  if expected.number then
    local want, magnitude = expected.data[1], (expected.magnitude or {})[1]
    if expected.boolean then
      if got == (want ~= 0) then return nil end
    elseif type(got) == "number" and layouts.close(got, want, dtype, eps, magnitude) then
      if (epsilon[dtype] == nil) == (math.type(got) == "integer") then return nil end
    end
    return ("expected %s (%s), got %s"):format(want, dtype, tostring(got))
  end
  if type(got) ~= "userdata" then return "expected a tensor, got " .. tostring(got) end
  if got:dtype() ~= dtype then return ("expected dtype %s, got %s"):format(dtype, got:dtype()) end
  local shape = got:shape()
  if shape_text(shape) ~= shape_text(expected.shape) then
    return ("expected shape %s, got %s"):format(shape_text(expected.shape), shape_text(shape))
  end
  local numbers = layouts.flatten(got:totable())
  if #numbers ~= #expected.data then
    return ("expected %d numbers, got %d"):format(#expected.data, #numbers)
  end
  for i, x in ipairs(numbers) do
    local want = expected.data[i]
    if not layouts.close(x, want, dtype, eps, expected.magnitude and expected.magnitude[i]) then
      return ("element %d of %s: expected %.17g, got %.17g"):format(i, shape_text(shape), want, x)
    end
  end
end

return layouts
