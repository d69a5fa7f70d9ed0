-- Layers: gradients and values, the course's nets, layers of one's own, configurations, summaries, messages,
-- initializers.
package.path = "scripts/?.lua;" .. package.path
local convnets = require "nets.convnets"
local gradients = require "tests.gradients"
local pl = require "perilune"

local nn = pl.nn

-- A layer, and the shape of a sample.
local LAYERS <const> = {
  { nn.Dense { 3, activation = "tanh" }, { 4 } }, { nn.Dense { 3, use_bias = false }, { 2, 5 } },
  { nn.Conv2D { 3, 2, activation = "sigmoid" }, { 3, 4, 2 } },
  { nn.Conv2D { 4, 3, padding = "same", strides = 2 }, { 5, 4, 1 } },
  { nn.Conv2D { 4, 3, padding = "same", dilation_rate = 2, groups = 2 }, { 5, 4, 2 } },
  { nn.DepthwiseConv2D { 3, depth_multiplier = 2 }, { 4, 4, 2 } },
  { nn.MaxPooling2D {}, { 4, 5, 3 } }, { nn.AveragePooling2D { 2, padding = "same" }, { 3, 5, 2 } },
  { nn.GlobalAveragePooling2D {}, { 3, 2, 4 } }, { nn.GlobalMaxPooling2D {}, { 3, 2, 4 } },
  { nn.Flatten {}, { 2, 3, 2 } }, { nn.Reshape { { 3, 4 } }, { 2, 6 } },
  { nn.Activation { "softmax" }, { 5 } }, { nn.ReLU {}, { 6 } }, { nn.LeakyReLU {}, { 6 } },
  { nn.ELU {}, { 6 } }, { nn.SELU {}, { 6 } }, { nn.GELU {}, { 6 } }, { nn.SiLU {}, { 6 } },
  { nn.Softmax {}, { 5 } },
  { nn.BatchNormalization {}, { 2, 2, 3 } }, { nn.LayerNormalization {}, { 2, 5 } },
  { nn.ZeroPadding2D {}, { 2, 3, 2 } }, { nn.UpSampling2D {}, { 2, 3, 2 } },
  { nn.UpSampling2D { 2, interpolation = "bilinear" }, { 2, 3, 2 } },
  { nn.Rescaling { 0.5, offset = 1 }, { 3 } },
  { nn.Dropout { 0 }, { 4 } }, { nn.SpatialDropout2D { 0 }, { 2, 2, 3 } }, { nn.GaussianNoise { 0 }, { 4 } },
  { nn.Residual { nn.Dense { 4 }, nn.Activation { "tanh" } }, { 4 } },
  { nn.Parallel { nn.Dense { 2 }, nn.Dense { 3 }, merge = "concatenate" }, { 4 } },
  { nn.Sequential { nn.Dense { 3, activation = "tanh" }, nn.Dense { 2 } }, { 4 } },
}

describe("the gradient by input and weights of", function()
  for i, case in ipairs(LAYERS) do
    local layer, shape = case[1], case[2]
    it(("%d %s"):format(i, layer.__name), function()
      local batch = table.move(shape, 1, #shape, 2, { 3 })
      local random = require("tests.layouts").generator(i)
      local x = require("tests.layouts").operand(pl, "float64", batch, "distinct", "contiguous", random, {})
      layer(x) -- builds it
      local weights = layer:all_weights()
      local operands, which = { x }, { 1 }
      for k, weight in ipairs(weights) do
        operands[k + 1] = weight.tensor
        if weight.trainable then which[#which + 1] = k + 1 end
      end
      local worst, where = gradients.compare(pl, function(list)
        for k, weight in ipairs(weights) do weight.layer[weight.name] = list[k + 1] end
        local y = layer:forward(list[1], true)
        for _, weight in ipairs(weights) do weight.layer[weight.name] = weight.tensor end
        return y
      end, operands, which)
      assert.is_true(worst < 1e-8, ("%s: %g"):format(where, worst))
    end)
  end

  it("no layer is left out", function()
    local seen = { Input = true, Normalization = true, Layer = true } -- without gradients
    for _, case in ipairs(LAYERS) do seen[case[1].__name] = true end
    for name, class in pairs(nn) do
      if type(class) == "table" and type(class.forward) == "function" then
        assert.is_true(seen[name], name)
      end
    end
  end)
end)

describe("the course's nets", function()
  local parameters = {
    a = { valid = 24442, same = 31642 }, b = { valid = 1626442, same = 2117962 },
    c = { valid = 890410, same = 2168362 },
  }

  for name, counts in pairs(parameters) do
    for padding, count in pairs(counts) do
      local title = ("%s, %s padding: %d parameters, by hand and from the notation")
      it(title:format(name, padding, count), function()
        local hand = convnets[name] { padding = padding, seed = 3 }
        local parsed = convnets.parse(name, { padding = padding, seed = 3 })
        assert.equal(count, (hand:count_params()))
        assert.equal(count, (parsed:count_params()))
        local x = pl.rng(1):randn(2, 32, 32, 3)
        assert.equal(hand(x):tobytes(), parsed(x):tobytes())
      end)
    end
  end
end)

describe("a layer of one's own", function()
  it("builds, computes, counts and trains like ours", function()
    local Scale = nn.Layer:extend("ScaleOfTheSpec", { "start" })
    function Scale:build(shape)
      self.factor = self:weight("factor", { shape[#shape] }, nn.initializers.Constant { self.start })
    end
    function Scale:forward(x) return x * self.factor end

    local model = nn.Sequential { nn.Input { 2 }, Scale { 3 }, nn.Dense { 1 } }
    assert.equal(5, (model:count_params()))
    model:compile { optimizer = "sgd", loss = "mse" }
    local x = pl.rng(1):randn(64, 2)
    local y = x:sum(2, true)
    local history = model:fit(x, y, { epochs = 20, verbose = 0, seed = 1 }).history
    assert.is_true(history.loss[20] < 0.1 * history.loss[1])
    assert.is_false(model.layers[1].factor:allclose(pl.full({ 2 }, 3)))
  end)
end)

-- ---- values ----------------------------------------------------------------------------------------

local function d(values) return pl.tensor(values, "float64") end

-- The convolution of one image by its definition; a kernel of {kh, kw, channels/groups, filters}.
local function convolved(x, kernel, bias, o)
  local size, k, strides, dilation = x:shape(), kernel:shape(), o.strides or 1, o.dilation or 1
  local before, places = {}, {}
  for axis = 1, 2 do
    local n, span = size[axis + 1], (k[axis] - 1) * dilation + 1
    places[axis] = o.same and math.ceil(n / strides) or (n - span) // strides + 1
    before[axis] = o.same and math.max(0, (places[axis] - 1) * strides + span - n) // 2 or 0
  end
  local y, per_group = {}, k[4] // (size[4] // k[3])
  for i = 1, places[1] do
    y[i] = {}
    for j = 1, places[2] do
      y[i][j] = {}
      for f = 1, k[4] do
        local sum, first = bias[f], (f - 1) // per_group * k[3]
        for a = 1, k[1] do
          for b = 1, k[2] do
            local r = (i - 1) * strides + (a - 1) * dilation - before[1] + 1
            local c = (j - 1) * strides + (b - 1) * dilation - before[2] + 1
            for m = 1, r >= 1 and r <= size[2] and c >= 1 and c <= size[3] and k[3] or 0 do
              sum = sum + x[{ 1, r, c, first + m }] * kernel[{ a, b, m, f }]
            end
          end
        end
        y[i][j][f] = sum
      end
    end
  end
  return { y }
end

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
local double = pl.nn.initializers.Constant { 2 }

local function image(rows)
  local y = {}
  for i, row in ipairs(rows) do
    y[i] = {}
    for j, v in ipairs(row) do y[i][j] = { v } end
  end
  return { y }
end

-- A layer, its input, and what comes out of it outside training.
local VALUES <const> = {
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

local function assert_near(expected, got, within)
  expected = d(expected)
  assert.same(expected:shape(), got:shape())
  assert.is_true((got - expected):abs():max() < (within or 1e-9), tostring(got))
end

describe("the value of", function()
  for i, case in ipairs(VALUES) do
    it(("%d %s"):format(i, case[1].__name), function()
      local y = case[1](d(case[2]))
      assert.equal("float64", y:dtype())
      assert_near(case[3], y)
    end)
  end

  it("Conv2D is that of its definition, for strides, paddings, gaps and groups", function()
    for _, o in ipairs {
      {}, { same = true }, { strides = 2 }, { strides = 2, same = true }, { dilation = 2, same = true },
      { groups = 2, same = true }, { dilation = 2 }, { groups = 2, strides = 2 },
    } do
      local layer = nn.Conv2D { 4, { 3, 2 }, padding = o.same and "same" or "valid", strides = o.strides,
        dilation_rate = o.dilation, groups = o.groups, bias_initializer = "normal" }
      local x = pl.rng(2):randn({ 1, 6, 5, 2 }, "float64")
      assert_near(convolved(x, layer(x) and layer.kernel, layer.bias, o), layer(x), 1e-12)
    end
  end)

  it("BatchNormalization in training is the batch's own, and moves the averages", function()
    local layer = nn.BatchNormalization { epsilon = 0, momentum = 0.75 }
    layer(d { { 0 } })
    assert_near({ { -1 }, { 1 } }, layer(d { { 2 }, { 6 } }, true))
    assert_near({ 1 }, layer.moving_mean)
    assert_near({ 0.75 + 0.25 * 4 }, layer.moving_variance)
  end)

  it("Normalization is learned from data", function()
    local layer = nn.Normalization {}:adapt(d { { 1, 0 }, { 3, 4 } })
    assert_near({ { -1, -1 }, { 1, 1 } }, layer(d { { 1, 0 }, { 3, 4 } }))
  end)

  it("every layer is here", function()
    local seen = { Layer = true }
    for _, case in ipairs(VALUES) do seen[case[1].__name] = true end
    for name, class in pairs(nn) do
      if type(class) == "table" and type(class.forward) == "function" then
        assert.is_true(seen[name], name)
      end
    end
  end)
end)

describe("from_config(to_config(layer))", function()
  for i, case in ipairs(VALUES) do
    it(("makes an equal %d %s"):format(i, case[1].__name), function()
      local saved = nn.to_config(case[1])
      local again = nn.from_config(saved)
      assert.same(saved, nn.to_config(again))
      assert.equal(case[1].__name, again.__name)
      local x = d(case[2])
      local before, after = case[1](x), again(x:to(again.built and again.input_dtype or "float64"))
      assert.same(before:shape(), after:shape())
      for k, weight in ipairs(again:all_weights()) do
        weight.tensor:copy_(case[1]:all_weights()[k].tensor)
      end
      assert_near(before:totable(), again(x))
    end)
  end
end)

-- ---- what they print, and what they refuse ----------------------------------------------------------

describe("a model's", function()
  local model = nn.Sequential { name = "small", nn.Input { 6, 6, 3 }, nn.Conv2D { 4, 3, activation = "relu" },
    nn.MaxPooling2D {}, nn.Flatten {}, nn.BatchNormalization { name = "norm" }, nn.Dense { 100 } }

  it("summary is Keras's table", function()
    local text = model:summary { print = false }
    for _, line in ipairs {
      'Model: "small"', "┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃",
      "│ conv2d (Conv2D)                 │ (None, 4, 4, 4)        │           112 │",
      "│ flatten (Flatten)               │ (None, 16)             │             0 │",
      "│ dense (Dense)                   │ (None, 100)            │         1,700 │",
      " Total params: 1,876 (7.33 KB)", " Trainable params: 1,844 (7.20 KB)",
      " Non-trainable params: 32 (128.00 B)",
    } do
      assert.is_truthy(("\n" .. text .. "\n"):find("\n" .. line .. "\n", 1, true), line .. "\n" .. text)
    end
  end)

  it("explanation has the arithmetic and the costs", function()
    local text = model:explain { print = false }
    for _, part in ipairs {
      "small: {6, 6, 3} -> {100}", "(6 - 3)/1 + 1 = 4", "3·3·3·4 + 4 = 112", "1,728", "(4 - 2)/2 + 1 = 2",
      "2·2·4 = 16", "16·100 + 100 = 1,700", "16 -> 100", "total, for one sample",
    } do
      assert.is_truthy(text:find(part, 1, true), part .. "\n" .. text)
    end
  end)
end)

describe("the message for", function()
  for name, case in pairs {
    ["an option that is none"] = { function() return nn.Dense { 3, activaton = "relu" } end, "'activation'" },
    ["an activation that is none"] = { function() return nn.Dense { 3, activation = "rellu" } end, "'relu'" },
    ["a layer that is none"] = { function() return nn.Conv2d end, "'Conv2D'" },
    ["an initializer that is none"] = {
      function() return nn.Dense { 3, kernel_initializer = "he_norml" } (pl.ones(1, 2)) end, "'he_normal'" },
    ["a missing option"] = { function() return nn.Dense {} end, "'units' is missing" },
    ["no units"] = { function() return nn.Dense { 0 } end, "'units': expected an integer from 1 up, got 0" },
    ["Conv2D on flat input"] = { function() return nn.Sequential { nn.Input { 5 }, nn.Conv2D { 3, 3 } } end,
      "layer 1 (conv2d): Conv2D: expected images {height, width, channels}, got {5}" },
    ["a kernel that is too large"] = {
      function() return nn.Sequential { nn.Input { 2, 2, 1 }, nn.Conv2D { 3, 3 } } end, 'padding = "same"' },
    ["another shape than the Input's"] = {
      function() return nn.Sequential { nn.Input { 2, 3 }, nn.Flatten {} } (pl.ones(2, 3)) end,
      "unsqueeze(1)" },
    ["a Residual whose shapes differ"] = {
      function() return nn.Residual { nn.Dense { 3 } } (pl.ones(1, 4)) end, "shortcut" },
    ["a Reshape to another number"] = { function() return nn.Reshape { 3 } (pl.ones(1, 2)) end, "2 numbers" },
    ["an Input that is not in front"] = {
      function() return nn.Sequential { nn.Flatten {}, nn.Input { 2 } } end, "belongs at the front" },
    ["a class that is unknown"] = {
      function() return nn.from_config { class_name = "Dens", config = {} } end, "'Dense'" },
    ["a notation that is none"] = { function() return nn.parse "INPUT -> CONV-x" end, "column 14" },
    ["a label that is none"] = { function()
      local labels = pl.tensor({ 4, 1 }, "int32")
      return nn.losses.sparse_categorical_crossentropy(labels, pl.ones(2, 3), { from_logits = true })
    end, "expected classes from 1 to 3, got 4" },
  } do
    it(name, function()
      local good, text = pcall(case[1])
      assert.is_false(good)
      assert.is_truthy(text:find(case[2], 1, true), text)
    end)
  end
end)

describe("the initializer", function()
  it("knows the fans of a shape", function()
    for _, case in ipairs { { {}, 1, 1 }, { { 7 }, 7, 7 }, { { 3, 5 }, 3, 5 }, { { 3, 2, 4, 5 }, 24, 30 } } do
      assert.same({ case[2], case[3] }, { nn.initializers.fans(case[1]) })
    end
  end)

  local limits = { GlorotUniform = 6 / 54, HeUniform = 6 / 24, LecunUniform = 3 / 24, GlorotNormal = 2 / 54,
    HeNormal = 2 / 24, LecunNormal = 1 / 24, RandomNormal = 0.05 ^ 2, RandomUniform = 0.05 ^ 2 }
  for name, square in pairs(limits) do
    it(name .. " has its mean, deviation and limit", function()
      local uniform = name:find "Uniform" ~= nil
      -- Windows of 24 inputs and 30 outputs, many of them: each draws its own.
      local total, squares, largest, n = 0, 0, 0, 0
      for seed = 1, 200 do
        local t = nn.initializers[name] {} ({ 3, 2, 4, 5 }, pl.rng(seed), "float64")
        total, squares, n = total + t:sum(), squares + t:square():sum(), n + t:numel()
        largest = math.max(largest, t:abs():max())
      end
      local variance = uniform and square / 3 or square
      assert.is_true(math.abs(total / n) < 4 * math.sqrt(variance / n))
      assert.is_true(math.abs(squares / n / variance - 1) < 0.05)
      if name == "RandomNormal" then return end
      local limit = uniform and math.sqrt(square) or 2 * math.sqrt(square) / 0.87962566103423978
      assert.is_true(largest <= limit and largest > 0.98 * limit, ("%g of %g"):format(largest, limit))
    end)
  end

  it("Orthogonal makes orthonormal columns, Identity a diagonal, Constant one number", function()
    local q = nn.initializers.Orthogonal {} ({ 5, 3 }, pl.rng(1), "float64")
    assert_near({ { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } }, q:t():matmul(q), 1e-12)
    assert_near({ { 2, 0, 0 }, { 0, 2, 0 } }, nn.initializers.Identity { 2 } ({ 2, 3 }, nil, "float64"))
    assert_near({ 3, 3 }, nn.initializers.Constant { 3 } ({ 2 }, nil, "float64"))
  end)

  it("with a seed of its own always makes the same", function()
    local he = nn.initializers.HeNormal { seed = 5 }
    assert.equal(he({ 3, 4 }, pl.rng(1)):tobytes(), he({ 3, 4 }, pl.rng(2)):tobytes())
  end)
end)
