-- Layers: the gradient of the input and of every weight, the course's nets, layers of one's own.
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
