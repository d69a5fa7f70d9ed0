-- Rows of normalisation, padding and upsampling, with naive references.
local reference = require "tests.reference"

local FLOATS <const> = { "float32", "float64" }
local EPSILON <const> = 1e-3

local rows = {}

-- Element `at` of an array or of what it stands for when there is none.
local function pick(array, at, default) return array and array.data[at] or default end

-- Normalises groups of elements: group(i) and channel(i) of the element at row-major place i.
local function normalise(x, gamma, beta, groups, group, channel, given)
  local mean, variance, largest, count = {}, {}, {}, {}
  for g = 1, groups do mean[g], variance[g], largest[g], count[g] = 0, 0, 0, 0 end
  for i, v in ipairs(x.data) do
    local g = group(i)
    mean[g], count[g], largest[g] = mean[g] + v, count[g] + 1, math.max(largest[g], math.abs(v))
  end
  for g = 1, groups do mean[g] = given and given[1].data[g] or mean[g] / count[g] end
  for i, v in ipairs(x.data) do variance[group(i)] = variance[group(i)] + (v - mean[group(i)]) ^ 2 end
  for g = 1, groups do variance[g] = given and given[2].data[g] or variance[g] / count[g] end
  local data, magnitude = {}, {}
  for i, v in ipairs(x.data) do
    local g, c = group(i), channel(i)
    local scale = pick(gamma, c, 1) / math.sqrt(variance[g] + EPSILON)
    local shift = pick(beta, c, 0)
    data[i] = (v - mean[g]) * scale + shift
    -- the rounding of x − mean, and of a variance of close numbers, grows by the scale
    magnitude[i] = (largest[g] + math.abs(mean[g])) * math.abs(scale) * 4 + math.abs(shift)
  end
  local spread = {}
  for g = 1, groups do spread[g] = largest[g] ^ 2 * 4 end
  return reference.array(x.shape, data, magnitude), reference.array({ groups }, mean, largest),
    reference.array({ groups }, variance, spread)
end

local function by_channel(x)
  local channels = x.shape[#x.shape]
  local function of(i) return (i - 1) % channels + 1 end
  return channels, of, of
end

rows[1] = {
  name = "batch_norm", dtypes = FLOATS, operands = { "small", "small", "small" }, eps = 8,
  result = { "same", "same", "same" },
  instances = {
    { { 4, 3 }, { 3 }, { 3 } }, { { 2, 3, 3, 5 }, { 5 }, { 5 } }, { { 3, 1, 1, 1 }, { 1 }, { 1 } },
    { { 2, 4, 17 }, { 17 }, { 17 } }, { { 70, 260 }, { 260 }, { 260 } }, -- in chunks
  },
  call = function(_, o) return o[1]:batch_norm(o[2], o[3]) end,
  reference = function(a) return normalise(a[1], a[2], a[3], by_channel(a[1])) end,
}

rows[2] = {
  name = "batch_norm", label = "batch_norm without gamma and beta", dtypes = FLOATS, operands = { "small" },
  eps = 8, result = { "same", "same", "same" }, instances = { { { 5, 3 } }, { { 2, 2, 3, 4 } } },
  call = function(_, o) return o[1]:batch_norm() end,
  reference = function(a) return normalise(a[1], nil, nil, by_channel(a[1])) end,
}

rows[3] = {
  name = "batch_norm_inference", dtypes = FLOATS,
  operands = { "small", "small", "small", "small", "positive" }, eps = 8, gradient = { 1, 2, 3 },
  instances = { { { 1, 3 }, { 3 }, { 3 }, { 3 }, { 3 } }, { { 2, 3, 3, 5 }, { 5 }, { 5 }, { 5 }, { 5 } } },
  call = function(_, o) return o[1]:batch_norm_inference(o[2], o[3], o[4], o[5]) end,
  reference = function(a)
    local channels, group, channel = by_channel(a[1])
    return (normalise(a[1], a[2], a[3], channels, group, channel, { a[4], a[5] }))
  end,
}

rows[4] = {
  name = "layer_norm", dtypes = FLOATS, operands = { "small", "small", "small" }, eps = 8,
  instances = {
    { { 4, 3 }, { 3 }, { 3 }, args = {} }, { { 2, 3, 5 }, { 5 }, { 5 }, args = { axes = -1 } },
    { { 2, 3, 5 }, { 3, 5 }, { 3, 5 }, args = { axes = { -1, 2 } } },
    { { 1, 17 }, { 17 }, { 17 }, args = {} }, { { 70, 260 }, { 260 }, { 260 }, args = {} },
  },
  call = function(_, o, args) return o[1]:layer_norm(o[2], o[3], args) end,
  reference = function(a)
    local width = reference.count(a[2].shape)
    local y = normalise(a[1], a[2], a[3], reference.count(a[1].shape) // width, function(i)
      return (i - 1) // width + 1
    end, function(i) return (i - 1) % width + 1 end)
    return y
  end,
}

-- y[n, i, j, c] := f(n, i, j, c, at), at(n, i, j, c) an element of x.
local function images(x, height, width, f)
  local n, h, w, channels = table.unpack(x.shape)
  local function at(b, i, j, c) return x.data[(((b - 1) * h + i - 1) * w + j - 1) * channels + c] end
  local data = {}
  for b = 1, n do
    for i = 1, height do
      for j = 1, width do
        for c = 1, channels do data[#data + 1] = f(b, i, j, c, at) end
      end
    end
  end
  return reference.array({ n, height, width, channels }, data)
end

rows[5] = {
  name = "zero_pad2d", dtypes = FLOATS, operands = { "small" },
  instances = {
    { { 1, 1, 1, 1 }, args = { { 0, 0, 0, 0 } } }, { { 2, 3, 2, 3 }, args = { { 1, 2, 0, 3 } } },
    { { 1, 4, 4, 5 }, args = { { 1, 1, 1, 1 } } },
  },
  reference = function(a, args)
    local top, bottom, left, right = table.unpack(args[1])
    local h, w = a[1].shape[2], a[1].shape[3]
    return images(a[1], h + top + bottom, w + left + right, function(b, i, j, c, at)
      i, j = i - top, j - left
      return i >= 1 and i <= h and j >= 1 and j <= w and at(b, i, j, c) or 0.0
    end)
  end,
}

-- Between which pixels of `size` the centre of new pixel i lies, and how near to the second.
local function between(i, factor, size)
  local place = (i - 0.5) / factor + 0.5
  local first = math.floor(place)
  return math.max(first, 1), math.min(first + 1, size), place - first
end

rows[6] = {
  name = "upsample2d", dtypes = FLOATS, operands = { "small" }, eps = 8,
  instances = {
    { { 1, 1, 1, 1 }, args = { 2 } }, { { 2, 3, 2, 3 }, args = { { 2, 3 } } },
    { { 1, 3, 4, 5 }, args = { { 1, 2 }, { interpolation = "nearest" } } },
    { { 1, 1, 1, 2 }, args = { 3, { interpolation = "bilinear" } } },
    { { 2, 3, 4, 2 }, args = { { 2, 3 }, { interpolation = "bilinear" } } },
  },
  reference = function(a, args)
    local size, bilinear = args[1], args[2] and args[2].interpolation == "bilinear"
    local down, across = type(size) == "table" and size[1] or size, type(size) == "table" and size[2] or size
    local h, w = a[1].shape[2], a[1].shape[3]
    local y = images(a[1], h * down, w * across, function(b, i, j, c, at)
      if not bilinear then return at(b, (i - 1) // down + 1, (j - 1) // across + 1, c) end
      local i1, i2, s = between(i, down, h)
      local j1, j2, t = between(j, across, w)
      return (1 - s) * ((1 - t) * at(b, i1, j1, c) + t * at(b, i1, j2, c))
        + s * ((1 - t) * at(b, i2, j1, c) + t * at(b, i2, j2, c))
    end)
    y.magnitude = {}
    for i = 1, #y.data do y.magnitude[i] = 2 end -- the largest input
    return y
  end,
}

return rows
