-- Rows of convolutions: odd sizes, strides, dilations, paddings, groups; narrow and wide channels.
local conv = require "tests.reference_conv"
local reference = require "tests.reference"

local FLOATS <const> = { "float32", "float64" }

local rows = {}

-- x, kernel, options
local INSTANCES <const> = {
  { { 1, 1, 1, 1 }, { 1, 1, 1, 1 }, {} },
  { { 2, 5, 4, 3 }, { 3, 3, 3, 5 }, {} },
  { { 1, 6, 5, 2 }, { 3, 3, 2, 3 }, { padding = "same" } },
  { { 2, 7, 6, 1 }, { 3, 2, 1, 4 }, { strides = 2, padding = "same" } },
  { { 1, 6, 7, 3 }, { 2, 3, 3, 2 }, { strides = { 1, 2 } } },
  { { 1, 7, 7, 2 }, { 3, 3, 2, 3 }, { dilation = 2 } },
  { { 1, 6, 6, 1 }, { 3, 3, 1, 2 }, { dilation = { 1, 2 }, padding = "same", strides = 2 } },
  { { 1, 4, 4, 4 }, { 3, 3, 2, 6 }, { groups = 2, padding = "same" } },
  { { 3, 4, 4, 3 }, { 3, 3, 1, 3 }, { groups = 3 } },
  { { 1, 3, 4, 2 }, { 3, 3, 2, 2 }, { padding = { 2, 0, 1, 3 } } },
  { { 2, 6, 6, 3 }, { 5, 5, 3, 12 }, {} },
  { { 1, 4, 5, 5 }, { 1, 1, 5, 17 }, {} },
  { { 1, 5, 17, 3 }, { 3, 3, 3, 33 }, { padding = "same" } },
  { { 2, 3, 15, 4 }, { 3, 3, 4, 32 }, { padding = "same" } },
  { { 1, 4, 9, 17 }, { 3, 3, 17, 8 }, { padding = "same" } },
  -- images of one pixel: most of the kernel lies over the edge
  { { 1, 1, 1, 3 }, { 3, 3, 3, 2 }, { padding = "same" } },
  { { 2, 1, 1, 5 }, { 5, 5, 5, 1 }, { padding = "same", strides = 2 } },
  { { 1, 1, 1, 33 }, { 1, 1, 33, 12 }, {} },
  { { 1, 1, 1, 2 }, { 2, 3, 2, 3 }, { padding = { 1, 1, 1, 2 } } },
  { { 1, 1, 1, 2 }, { 3, 3, 2, 3 }, { padding = "same", dilation = 3 } },
  -- one row, one column, even kernels, steps longer than the kernel
  { { 1, 1, 9, 2 }, { 1, 3, 2, 3 }, { strides = { 1, 2 } } },
  { { 1, 9, 1, 2 }, { 3, 1, 2, 3 }, { padding = "same", strides = { 3, 1 } } },
  { { 1, 5, 6, 1 }, { 2, 3, 1, 5 }, { padding = "same" } },
  { { 1, 7, 6, 2 }, { 1, 1, 2, 3 }, { strides = 3, padding = "same" } },
  { { 1, 8, 7, 1 }, { 2, 2, 1, 3 }, { strides = { 3, 4 } } },
  -- whole rows of padding; groups with everything else
  { { 1, 2, 3, 2 }, { 2, 2, 2, 2 }, { padding = { 3, 3, 0, 4 }, strides = { 1, 2 } } },
  { { 1, 5, 4, 4 }, { 2, 3, 2, 4 }, { groups = 2, strides = 2, padding = { 0, 1, 2, 0 } } },
  { { 1, 5, 5, 3 }, { 3, 3, 1, 6 }, { groups = 3, dilation = 2, padding = "same" } },
  { { 1, 3, 4, 10 }, { 3, 3, 5, 34 }, { groups = 2, padding = "same" } },
  -- many channels both ways
  { { 1, 3, 4, 33 }, { 3, 3, 33, 17 }, { padding = "same" } },
  { { 1, 4, 3, 12 }, { 2, 3, 12, 33 }, { strides = 2, padding = "same" } },
  { { 1, 6, 5, 17 }, { 5, 5, 17, 5 }, { padding = { 2, 1, 0, 2 }, dilation = { 1, 1 } } },
  -- Winograd's tiles: whole ones, ends of one row and column, padding that no tile of the image reaches
  { { 1, 8, 8, 16 }, { 3, 3, 16, 16 }, { padding = "same" } },
  { { 1, 9, 10, 17 }, { 3, 3, 17, 18 }, {} },
  { { 2, 7, 5, 16 }, { 3, 3, 16, 17 }, { padding = { 2, 0, 1, 3 } } },
  { { 1, 2, 5, 18 }, { 3, 3, 18, 16 }, { padding = { 4, 3, 0, 4 } } },
  -- the same of 4×4 pixels, backward too where the batch has enough of them
  { { 1, 12, 12, 16 }, { 3, 3, 16, 16 }, { padding = "same" } },
  { { 1, 11, 14, 17 }, { 3, 3, 17, 18 }, {} },
  { { 1, 10, 9, 16 }, { 3, 3, 16, 17 }, { padding = { 2, 1, 3, 4 } } },
  { { 3, 13, 15, 16 }, { 3, 3, 16, 16 }, { padding = "same" } },
  -- pairs of pixels: odd widths, one pixel, tiles of every size, blocks of channels, few rows of the image
  { { 2, 6, 7, 8 }, { 3, 3, 8, 9 }, { padding = "same" } },
  { { 1, 5, 22, 1 }, { 3, 3, 1, 49 }, { padding = { 2, 0, 1, 3 } } },
  { { 1, 7, 13, 2 }, { 5, 5, 2, 20 }, { padding = { 1, 3, 4, 0 } } },
  { { 1, 5, 9, 3 }, { 5, 5, 3, 33 }, { padding = "same" } },
  { { 1, 1, 1, 2 }, { 3, 3, 2, 9 }, { padding = "same" } },
  -- 4×4 tiles of few channels: ends of rows and columns, tiles beyond those side by side, parts of vectors
  { { 2, 12, 12, 3 }, { 3, 3, 3, 9 }, { padding = "same" } },
  { { 1, 14, 15, 4 }, { 3, 3, 4, 33 }, {} },
  { { 1, 7, 38, 5 }, { 3, 3, 5, 16 }, { padding = { 2, 0, 1, 3 } } },
  { { 1, 3, 24, 3 }, { 3, 3, 3, 9 }, { padding = { 2, 7, 1, 1 } } },
  { { 1, 13, 12, 8 }, { 3, 3, 8, 17 }, { padding = { 0, 1, 2, 2 } } },
  -- pairs of pixels of few channels: what patches see beyond each edge, lanes that are left over
  { { 2, 5, 6, 18 }, { 3, 3, 18, 3 }, { padding = "same" } },
  { { 1, 4, 9, 35 }, { 3, 3, 35, 1 }, {} },
  { { 1, 1, 1, 16 }, { 3, 3, 16, 2 }, { padding = { 2, 1, 4, 3 } } },
  -- long patches into few channels, rows that are cut into tiles and what is left
  { { 1, 2, 11, 9 }, { 2, 3, 9, 3 }, { padding = "same", strides = { 2, 1 } } },
}
for few = 1, 8 do
  INSTANCES[#INSTANCES + 1] = { { 1, 2, 5, 19 }, { 1, 1, 19, few }, {} }
  INSTANCES[#INSTANCES + 1] = { { 1, 3, 9, few }, { 2, 2, few, 10 }, {} }
end

local function instances(bias)
  local list = {}
  for i, case in ipairs(INSTANCES) do
    list[i] = { case[1], case[2], bias and { case[2][4] } or nil, args = { case[3] } }
  end
  return list
end

rows[1] = {
  name = "conv2d", dtypes = FLOATS, operands = { "small", "small", "small" }, eps = 4, largest = 120,
  instances = instances(true),
  reference = function(a, args) return conv.conv2d(a[1], a[2], a[3], args[1]) end,
}

rows[2] = {
  name = "conv2d", label = "conv2d without bias", dtypes = FLOATS, operands = { "small", "small" }, eps = 4,
  largest = 120, instances = instances(false),
  call = function(_, o, args) return o[1]:conv2d(o[2], nil, args[1]) end,
  reference = function(a, args) return conv.conv2d(a[1], a[2], nil, args[1]) end,
}

-- The largest of each 2×2 pixels; one that is left over at an edge is dropped.
local function pooled(x)
  local n, h, w, channels = table.unpack(x.shape)
  local data, magnitude = {}, {}
  for b = 0, n - 1 do
    for i = 0, h // 2 - 1 do
      for j = 0, w // 2 - 1 do
        for c = 1, channels do
          local largest, size = -math.huge, 0
          for q = 0, 3 do
            local at = ((b * h + 2 * i + q // 2) * w + 2 * j + q % 2) * channels + c
            largest, size = math.max(largest, x.data[at]), math.max(size, x.magnitude[at])
          end
          data[#data + 1], magnitude[#magnitude + 1] = largest, size
        end
      end
    end
  end
  return reference.array({ n, h // 2, w // 2, channels }, data, magnitude)
end

-- A convolution in as many groups as there are channels.
local function depthwise(x, kernel, bias, given)
  local h, w, channels, multiplier = table.unpack(kernel.shape)
  local options = { groups = channels }
  for key, value in pairs(given) do options[key] = value end
  local grouped = reference.array({ h, w, 1, channels * multiplier }, kernel.data)
  return conv.conv2d(x, grouped, bias, options)
end

-- Few outputs where gradients are checked: none must come near relu's kink.
local RELU <const> = { activation = "relu" }

rows[4] = {
  name = "conv2d", label = "conv2d with relu", dtypes = FLOATS, operands = { "small", "small", "small" },
  eps = 4, largest = 40,
  instances = {
    { { 1, 4, 4, 2 }, { 3, 3, 2, 2 }, { 2 }, args = { RELU } },
    { { 2, 6, 6, 3 }, { 5, 5, 3, 12 }, { 12 }, args = { RELU } },
    { { 1, 4, 5, 5 }, { 1, 1, 5, 17 }, { 17 }, args = { RELU } },
    { { 2, 3, 15, 4 }, { 3, 3, 4, 32 }, { 32 }, args = { { padding = "same", activation = "relu" } } },
    { { 1, 1, 1, 3 }, { 3, 3, 3, 1 }, { 1 }, args = { { padding = "same", activation = "relu" } } },
    { { 1, 4, 5, 1 }, { 2, 3, 1, 5 }, { 5 }, args = { { strides = 2, activation = "relu" } } },
    { { 1, 5, 3, 2 }, { 2, 2, 1, 4 }, { 4 }, args = { { groups = 2, dilation = 2, activation = "relu" } } },
    { { 1, 3, 3, 1 }, { 3, 3, 1, 3 }, { 3 }, args = { { padding = { 1, 0, 2, 1 }, activation = "relu" } } },
    { { 1, 3, 4, 33 }, { 3, 3, 33, 17 }, { 17 }, args = { { padding = "same", activation = "relu" } } },
    { { 1, 8, 7, 16 }, { 3, 3, 16, 17 }, { 17 }, args = { { padding = "same", activation = "relu" } } },
  },
  reference = function(a, args) return conv.conv2d(a[1], a[2], a[3], args[1]) end,
}

local POOL <const> = { max_pool = true }

rows[6] = {
  name = "conv2d", label = "conv2d with max_pool", dtypes = FLOATS, operands = { "small", "small", "small" },
  eps = 4, largest = 120,
  instances = {
    { { 1, 2, 2, 1 }, { 1, 1, 1, 1 }, { 1 }, args = { POOL } },
    { { 2, 6, 7, 3 }, { 3, 3, 3, 2 }, { 2 }, args = { POOL } },
    { { 1, 3, 4, 2 }, { 3, 3, 2, 3 }, { 3 }, args = { { max_pool = true, padding = "same" } } },
    { { 1, 4, 4, 1 }, { 3, 3, 1, 2 }, { 2 },
      args = { { max_pool = true, padding = "same", activation = "relu" } } },
    { { 1, 5, 4, 2 }, { 2, 3, 2, 3 }, { 3 }, args = { { max_pool = true, padding = { 3, 0, 1, 2 } } } },
    { { 9, 2, 3, 5 }, { 1, 2, 5, 4 }, { 4 }, args = { POOL } },
    { { 1, 5, 5, 2 }, { 4, 4, 2, 3 }, { 3 }, args = { POOL } }, -- kernel rows one by one
    { { 2, 12, 12, 3 }, { 5, 5, 3, 12 }, { 12 }, args = { { max_pool = true, activation = "relu" } } },
    { { 1, 4, 5, 33 }, { 3, 3, 33, 17 }, { 17 }, args = { { max_pool = true, padding = "same" } } },
    { { 2, 7, 4, 17 }, { 3, 3, 17, 33 }, { 33 }, args = { { max_pool = true, padding = "same" } } },
    { { 1, 6, 5, 1 }, { 7, 3, 1, 5 }, { 5 }, args = { { max_pool = true, padding = "same" } } },
    { { 1, 8, 7, 16 }, { 3, 3, 16, 17 }, { 17 }, args = { { max_pool = true, padding = "same" } } },
    { { 1, 13, 15, 17 }, { 3, 3, 17, 16 }, { 16 }, args = { { max_pool = true, padding = "same" } } },
  },
  reference = function(a, args)
    return pooled(conv.conv2d(a[1], a[2], a[3], args[1]))
  end,
}

rows[5] = {
  name = "depthwise_conv2d", label = "depthwise_conv2d without bias", dtypes = FLOATS,
  operands = { "small", "small" }, eps = 4,
  instances = {
    { { 1, 4, 5, 3 }, { 2, 3, 3, 1 }, args = { {} } },
    { { 1, 4, 4, 2 }, { 3, 3, 2, 2 }, args = { { padding = "same", strides = 2 } } },
  },
  call = function(_, o, args) return o[1]:depthwise_conv2d(o[2], nil, args[1]) end,
  reference = function(a, args) return depthwise(a[1], a[2], nil, args[1]) end,
}

rows[3] = {
  name = "depthwise_conv2d", dtypes = FLOATS, operands = { "small", "small", "small" }, eps = 4,
  instances = {
    { { 1, 4, 4, 1 }, { 3, 3, 1, 1 }, { 1 }, args = { {} } },
    { { 2, 5, 4, 3 }, { 3, 3, 3, 1 }, { 3 }, args = { { padding = "same" } } },
    { { 1, 6, 5, 2 }, { 2, 3, 2, 3 }, { 6 }, args = { { strides = 2 } } },
    { { 1, 5, 5, 17 }, { 3, 3, 17, 1 }, { 17 }, args = { { padding = "same", dilation = 2 } } },
    { { 1, 1, 1, 5 }, { 3, 3, 5, 1 }, { 5 }, args = { { padding = "same" } } },
    { { 1, 1, 1, 12 }, { 1, 1, 12, 1 }, { 12 }, args = { {} } },
    { { 1, 6, 7, 3 }, { 5, 5, 3, 1 }, { 3 }, args = { { padding = "same", strides = { 2, 3 } } } },
    { { 1, 3, 4, 5 }, { 2, 3, 5, 2 }, { 10 }, args = { { padding = { 1, 0, 0, 2 } } } },
    { { 1, 4, 5, 33 }, { 3, 3, 33, 1 }, { 33 }, args = { { padding = "same" } } },
    { { 2, 4, 3, 12 }, { 2, 3, 12, 3 }, { 36 }, args = { { strides = 2, padding = "same" } } },
  },
  reference = function(a, args) return depthwise(a[1], a[2], a[3], args[1]) end,
}

return rows
