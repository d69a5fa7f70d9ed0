-- Rows of layers. Every layer has one in each list; layers_spec.lua fails otherwise.
local nn = require "perilune".nn

-- A layer, and shapes of a sample: gradients by the input and all weights against central differences over
-- all coordinates, float32 against float64. Widths have their odd sizes in the rows of the operations that
-- layers are made of (cases/conv.lua, pool.lua, dense.lua, norm.lua); here are those that a layer sees.
local layers = {
  { nn.Dense { 3, activation = "tanh" }, { 4 }, { 1 }, { 17 } },
  { nn.Dense { 3, use_bias = false }, { 2, 5 } },
  { nn.Conv2D { 3, 2, activation = "sigmoid" }, { 3, 4, 2 }, { 2, 2, 17 } },
  { nn.Conv2D { 5, 1 }, { 1, 1, 1 }, { 1, 1, 3 }, { 2, 3, 5 } },
  { nn.Conv2D { 4, 3, padding = "same", strides = 2 }, { 5, 4, 1 }, { 1, 1, 3 } },
  { nn.Conv2D { 4, 3, padding = "same", dilation_rate = 2, groups = 2 }, { 5, 4, 2 }, { 1, 3, 4 } },
  { nn.DepthwiseConv2D { 3, depth_multiplier = 2 }, { 4, 4, 2 }, { 3, 3, 5 } },
  { nn.MaxPooling2D {}, { 4, 5, 3 }, { 2, 2, 1 }, { 2, 2, 17 } },
  { nn.MaxPooling2D { 3, strides = 1, padding = "same" }, { 3, 4, 2 }, { 1, 1, 1 } },
  { nn.AveragePooling2D { 2, padding = "same" }, { 3, 5, 2 }, { 1, 1, 5 } },
  { nn.GlobalAveragePooling2D {}, { 3, 2, 4 }, { 1, 1, 1 } },
  { nn.GlobalMaxPooling2D {}, { 3, 2, 4 }, { 1, 1, 17 } },
  { nn.Flatten {}, { 2, 3, 2 } }, { nn.Reshape { { 3, 4 } }, { 2, 6 } },
  { nn.Activation { "softmax" }, { 5 } }, { nn.ReLU {}, { 6 } }, { nn.LeakyReLU {}, { 6 } },
  { nn.ELU {}, { 6 } }, { nn.SELU {}, { 6 } }, { nn.GELU {}, { 6 } }, { nn.SiLU {}, { 6 } },
  { nn.Softmax {}, { 5 } },
  { nn.BatchNormalization {}, { 2, 2, 3 }, { 5 }, { 3, 1, 17 } },
  { nn.LayerNormalization {}, { 2, 5 }, { 17 } },
  { nn.ZeroPadding2D {}, { 2, 3, 2 } }, { nn.UpSampling2D {}, { 2, 3, 2 } },
  { nn.UpSampling2D { 2, interpolation = "bilinear" }, { 2, 3, 2 } },
  { nn.Rescaling { 0.5, offset = 1 }, { 3 } },
  { nn.Dropout { 0 }, { 4 } }, { nn.SpatialDropout2D { 0 }, { 2, 2, 3 } }, { nn.GaussianNoise { 0 }, { 4 } },
  { nn.Residual { nn.Dense { 4 }, nn.Activation { "tanh" } }, { 4 } },
  { nn.Parallel { nn.Dense { 2 }, nn.Dense { 3 }, merge = "concatenate" }, { 4 } },
  { nn.Sequential { nn.Dense { 3, activation = "tanh" }, nn.Dense { 2 } }, { 4 } },
}

local ROW <const> = { -2, -0.5, 0, 1, 3 }

local function each(f)
  local y = {}
  for i, v in ipairs(ROW) do y[i] = f(v) end
  return y
end

local function exponential(alpha, scale)
  return each(function(v) return scale * (v > 0 and v or alpha * (math.exp(v) - 1)) end)
end

local function sigmoid(v) return 1 / (1 + math.exp(-v)) end

local function softmax()
  local sum = 0
  for _, v in ipairs(ROW) do sum = sum + math.exp(v) end
  return each(function(v) return math.exp(v) / sum end)
end

local function tanh_gelu(v)
  local u = math.sqrt(2 / math.pi) * (v + 0.044715 * v ^ 3)
  return v * sigmoid(2 * u)
end

local IMAGE <const> = { { { { 1 }, { 2 }, { 3 } }, { { 4 }, { 5 }, { 6 } }, { { 7 }, { 8 }, { 9 } } } }
local PAIR <const> = { { { { 1, 8 }, { 2, 6 } }, { { 3, 4 }, { 4, 2 } } } }
local double = nn.initializers.Constant { 2 }

local function image(rows)
  local y = {}
  for i, row in ipairs(rows) do
    y[i] = {}
    for j, v in ipairs(row) do y[i][j] = { v } end
  end
  return { y }
end

-- A layer, its input, and what comes out of it outside training.
local values = {
  { nn.Input { 2 }, { { 1, 2 } }, { { 1, 2 } } },
  { nn.Dense { 2, kernel_initializer = double, bias_initializer = "ones" }, { { 1, 2 } }, { { 7, 7 } } },
  { nn.Dense { 1, kernel_initializer = double, activation = "relu" }, { { 1, -2 }, { 1, 2 } },
    { { 0 }, { 6 } } },
  { nn.Conv2D { 1, 2, kernel_initializer = double }, IMAGE, image { { 24, 32 }, { 48, 56 } } },
  { nn.DepthwiseConv2D { 2, depthwise_initializer = double }, PAIR, { { { { 20, 40 } } } } },
  { nn.MaxPooling2D {}, IMAGE, image { { 5 } } },
  { nn.MaxPooling2D { padding = "same" }, IMAGE, image { { 5, 6 }, { 8, 9 } } },
  { nn.AveragePooling2D {}, IMAGE, image { { 3 } } },
  { nn.AveragePooling2D { padding = "same" }, IMAGE, image { { 3, 4.5 }, { 7.5, 9 } } },
  { nn.GlobalAveragePooling2D {}, PAIR, { { 2.5, 5 } } }, { nn.GlobalMaxPooling2D {}, PAIR, { { 4, 8 } } },
  { nn.GlobalMaxPooling2D { keepdims = true }, PAIR, { { { { 4, 8 } } } } },
  { nn.Flatten {}, PAIR, { { 1, 8, 2, 6, 3, 4, 4, 2 } } },
  { nn.Reshape { 2, -1 }, { { 1, 2, 3, 4 } }, { { { 1, 2 }, { 3, 4 } } } },
  { nn.Dropout { 0.5 }, { ROW }, { ROW } }, { nn.GaussianNoise { 1 }, { ROW }, { ROW } },
  { nn.SpatialDropout2D { 0.5 }, PAIR, PAIR },
  { nn.Activation { "tanh" }, { ROW }, { each(function(v) return 2 * sigmoid(2 * v) - 1 end) } },
  { nn.ReLU {}, { ROW }, { { 0, 0, 0, 1, 3 } } },
  { nn.ReLU { max_value = 2, negative_slope = 0.5 }, { ROW }, { { -1, -0.25, 0, 1, 2 } } },
  { nn.ReLU { threshold = 0.5, negative_slope = 0.5 }, { ROW }, { { -1.25, -0.5, -0.25, 1, 3 } } },
  { nn.LeakyReLU {}, { ROW }, { { -0.6, -0.15, 0, 1, 3 } } },
  { nn.ELU { 0.5 }, { ROW }, { exponential(0.5, 1) } },
  { nn.SELU {}, { ROW }, { exponential(1.6732632423543772, 1.0507009873554805) } },
  { nn.GELU { approximate = true }, { ROW }, { each(tanh_gelu) } },
  -- Φ(1) and Φ(3) to ten digits
  { nn.GELU {}, { { 0, 1, 3, -1 } }, { { 0, 0.8413447461, 3 * 0.9986501020, 0.8413447461 - 1 } } },
  { nn.SiLU {}, { ROW }, { each(function(v) return v * sigmoid(v) end) } },
  { nn.Softmax {}, { ROW }, { softmax() } },
  { nn.BatchNormalization { epsilon = 0, moving_mean_initializer = "ones", gamma_initializer = double,
    moving_variance_initializer = nn.initializers.Constant { 4 } }, { { 1, 5 } }, { { 0, 4 } } },
  { nn.LayerNormalization { epsilon = 0, beta_initializer = "ones" }, { { 1, 3 }, { 4, 2 } },
    { { 0, 2 }, { 2, 0 } } },
  { nn.ZeroPadding2D { { { 1, 0 }, { 0, 1 } } }, PAIR, { { { { 0, 0 }, { 0, 0 }, { 0, 0 } },
    { { 1, 8 }, { 2, 6 }, { 0, 0 } }, { { 3, 4 }, { 4, 2 }, { 0, 0 } } } } },
  { nn.UpSampling2D { { 1, 2 } }, PAIR, { { { { 1, 8 }, { 1, 8 }, { 2, 6 }, { 2, 6 } },
    { { 3, 4 }, { 3, 4 }, { 4, 2 }, { 4, 2 } } } } },
  { nn.Rescaling { { 2, 3 }, offset = { 1, -1 } }, { { 1, 2 } }, { { 3, 5 } } },
  { nn.Normalization { mean = { 1, 2 }, variance = { 4, 9 } }, { { 3, 8 } }, { { 1, 2 } } },
  { nn.Normalization { mean = 1, variance = 4, axis = false, invert = true }, { { 3, 8 } }, { { 7, 17 } } },
  { nn.Residual { nn.Rescaling { 2 }, activation = "relu" }, { { 1, -1 } }, { { 3, 0 } } },
  { nn.Parallel { nn.Rescaling { 2 }, nn.ReLU {} }, { { 1, -1 } }, { { 2, -2, 1, 0 } } },
  { nn.Parallel { nn.Rescaling { 2 }, nn.ReLU {}, merge = "add" }, { { 1, -1 } }, { { 3, -2 } } },
  { nn.Sequential { nn.Rescaling { 2 }, nn.ReLU {} }, { { 1, -1 } }, { { 2, 0 } } },
}

return { layers = layers, values = values }
