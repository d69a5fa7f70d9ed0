-- Layers: gradients and values, the course's nets, layers of one's own, configurations, summaries, messages,
-- initializers.
package.path = "scripts/?.lua;" .. package.path
local convnets = require "nets.convnets"
local near = require "tests.near"
local pl = require "perilune"

local nn = pl.nn

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

-- A Sequential, and another that computes layer by layer.
local function both_ways(layers, shape, dtype)
  local fused = nn.Sequential(layers())
  fused.dtype = dtype
  fused:build(shape)
  local plain = nn.Sequential(layers())
  plain.dtype = dtype
  plain:build(shape)
  function plain:forward(x, training)
    for _, layer in ipairs(self.layers) do x = layer:forward(x, training) end
    return x
  end
  return fused, plain
end

describe("layers that a Sequential computes in one go", function()
  local cases = {
    ["Conv2D with ReLU, MaxPooling2D"] = { "conv2d + max_pooling2d", function()
      return { nn.Conv2D { 5, 3, activation = "relu" }, nn.MaxPooling2D {}, nn.Flatten {}, nn.Dense { 2 } }
    end },
    ["Conv2D, MaxPooling2D"] = { "conv2d + max_pooling2d", function()
      return { nn.Conv2D { 17, 3, padding = "same" }, nn.MaxPooling2D { padding = "same" } }
    end },
    ["Conv2D, ReLU, MaxPooling2D"] = { "conv2d + re_lu + max_pooling2d", function()
      return { nn.Conv2D { 4, 2 }, nn.ReLU {}, nn.MaxPooling2D {}, nn.Conv2D { 3, 1, activation = "tanh" } }
    end },
    ["Conv2D, Activation"] = { "conv2d + activation", function()
      return { nn.Conv2D { 4, 2, strides = 2 }, nn.Activation { "relu" }, nn.MaxPooling2D {} }
    end },
    ["one MaxPooling2D in two places, of even and odd size"] = { "conv2d + max_pooling2d", function()
      local pool = nn.MaxPooling2D { padding = "same" }
      return { nn.Conv2D { 5, 3, padding = "same" }, pool, nn.Conv2D { 4, 2, padding = "same" }, pool }
    end },
    ["Dense, ReLU"] = { "dense + re_lu", function()
      return { nn.Flatten {}, nn.Dense { 7 }, nn.ReLU {}, nn.Dense { 2, activation = "relu" }, nn.ReLU {} }
    end },
  }

  for name, case in pairs(cases) do
    it("give what the layers give, and their gradients: " .. name, function()
      for _, dtype in ipairs { "float32", "float64" } do
        local fused, plain = both_ways(case[2], { 8, 10, 3 }, dtype)
        assert.is_truthy(fused:explain { print = false }:find("In one go: " .. case[1] .. ".", 1, true))
        local x = pl.rng(4):randn({ 5, 8, 10, 3 }, dtype)
        assert.equal(plain(x):tobytes(), fused(x):tobytes())
        local shares = pl.rng(5):randn(fused(x):shape(), dtype)
        local found = {}
        for i, model in ipairs { fused, plain } do
          local weights, tensors = model:all_weights(), {}
          for k, weight in ipairs(weights) do tensors[k] = weight.tensor end
          found[i] = table.pack(pl.value_and_grad(function(input, list)
            for k, weight in ipairs(weights) do weight.layer[weight.name] = list[k] end
            local y = model:forward(input, true)
            for _, weight in ipairs(weights) do weight.layer[weight.name] = weight.tensor end
            return (y * shares):sum()
          end, x, tensors))
        end
        local room = dtype == "float32" and 1e-5 or 1e-13
        local function close(a, b)
          assert.is_true((a - b):abs():max() <= room * math.max(1, a:abs():max()))
        end
        close(found[2][2], found[1][2])
        for k, gradient in ipairs(found[2][3]) do close(gradient, found[1][3][k]) end
      end
    end)
  end

  it("are those that are there, and compute as their classes do", function()
    local model = nn.Sequential { nn.Input { 6, 6, 1 }, nn.Conv2D { 2, 3 }, nn.MaxPooling2D {} }
    local x = pl.rng(1):randn(2, 6, 6, 1)
    local before = model(x)
    model:add(nn.ReLU {})
    assert.equal(before:relu():tobytes(), model(x):tobytes())
    local twice = model.layers[2]
    function twice:forward(y) -- luacheck: ignore 212
      return y:max_pool2d() * 2
    end
    assert.equal((before * 2):relu():tobytes(), model(x):tobytes())
    twice.forward = nil
    assert.equal(before:relu():tobytes(), model(x):tobytes())
    for _, options in ipairs { { 3 }, { 2, strides = 1 } } do
      model = nn.Sequential { nn.Input { 6, 6, 1 }, nn.Conv2D { 2, 3 }, nn.MaxPooling2D(options) }
      assert.is_nil(model:explain { print = false }:find("In one go", 1, true))
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
    ["a hole among the layers of a layer"] = {
      function()
        local Holed = nn.Layer:extend("Holed", {})
        function Holed:init() self.layers = { nn.Dense { 1 }, nil, nn.Dense { 1 } } end
        return Holed {}:count_params()
      end, "Holed: layers[2]: expected a layer, got nil" },
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
    near.assert({ { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } }, q:t():matmul(q), 1e-12)
    near.assert({ { 2, 0, 0 }, { 0, 2, 0 } }, nn.initializers.Identity { 2 } ({ 2, 3 }, nil, "float64"))
    near.assert({ 3, 3 }, nn.initializers.Constant { 3 } ({ 2 }, nil, "float64"))
  end)

  it("with a seed of its own always makes the same", function()
    local he = nn.initializers.HeNormal { seed = 5 }
    assert.equal(he({ 3, 4 }, pl.rng(1)):tobytes(), he({ 3, 4 }, pl.rng(2)):tobytes())
  end)
end)

describe("a convolution of which only the bias is trained", function()
  it("has its gradient, with pooling too", function()
    local rng = pl.rng(1)
    local x, kernel, bias = rng:randn(2, 6, 6, 3), rng:randn(3, 3, 3, 4), rng:randn(4)
    local _, expected = pl.value_and_grad(function(b) return x:conv2d(kernel, b):max_pool2d():sum() end, bias)
    local _, got = pl.value_and_grad(function(b)
      return x:conv2d(kernel, b, { max_pool = true }):sum()
    end, bias)
    assert.is_true((got - expected):abs():max() < 1e-5)
  end)
end)
