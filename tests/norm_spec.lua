-- Batch normalisation against Keras's numbers (tests/fixtures/batch_norm.py): output, gradients and moving
-- averages of three steps of training, then inference with these averages.
local pl = require "perilune"

local fixture = assert(pl.load("tests/fixtures/batch_norm.safetensors"))

-- Within 1e-5 of the largest number.
local function close(got, expected, what)
  local worst = (got - expected):abs():max() / expected:abs():max()
  assert.is_true(worst < 1e-5, ("%s: %.3g apart"):format(what, worst))
end

describe("BatchNormalization", function()
  for _, name in ipairs { "images", "rows" } do
    it("has Keras's numbers on " .. name, function()
      local function of(key) return fixture[name .. "." .. key] end
      local layer = pl.nn.BatchNormalization {}
      layer:build_for(of "1.x")
      layer.gamma:copy_(of "gamma")
      layer.beta:copy_(of "beta")
      local gamma, beta = layer.gamma, layer.beta
      for step = 1, 3 do
        local y
        local _, dx, dgamma, dbeta = pl.value_and_grad(function(x, g, b)
          layer.gamma, layer.beta = g, b
          local made = layer(x, true)
          y = made:detach():clone()
          return (made * of(step .. ".dy")):sum()
        end, of(step .. ".x"), gamma, beta)
        layer.gamma, layer.beta = gamma, beta
        close(y, of(step .. ".y"), "y")
        close(dx, of(step .. ".dx"), "dx")
        close(dgamma, of(step .. ".dgamma"), "dgamma")
        close(dbeta, of(step .. ".dbeta"), "dbeta")
        close(layer.moving_mean, of(step .. ".mean"), "moving mean")
        close(layer.moving_variance, of(step .. ".variance"), "moving variance")
      end
      close(layer(of "3.x"), of "inferred", "inference")
    end)
  end
end)

-- What the kernels do in a pass or two, of operations that are differentiated one by one.
local function composed(x, gamma, beta, axis)
  local deviation = x - x:mean(axis, true)
  return deviation * (deviation:square():mean(axis, true) + 1e-3):rsqrt() * gamma + beta
end

describe("gradients of tensors that are cut into chunks", function()
  for _, shape in ipairs { { 70, 260 }, { 9000, 3 }, { 3, 9000 }, { 17000, 1 } } do
    for axis, name in ipairs { "batch_norm", "layer_norm" } do
      if shape[axis] > 1 then
        it(("are those of the formula: %s {%d, %d}"):format(name, shape[1], shape[2]), function()
          local rng = pl.rng(7)
          local x = rng:randn(shape, "float64") * 3 + 1
          local gamma, beta = rng:randn({ shape[2] }, "float64"), rng:randn({ shape[2] }, "float64")
          local weights = rng:randn(shape, "float64")
          local found = table.pack(pl.value_and_grad(function(a, g, b)
            local y = a[name](a, g, b)
            return (y * weights):sum() + a:square():sum() * 0.1 -- a second part for the gradient by x
          end, x, gamma, beta))
          local expected = table.pack(pl.value_and_grad(function(a, g, b)
            return (composed(a, g, b, axis) * weights):sum() + a:square():sum() * 0.1
          end, x, gamma, beta))
          for i = 2, 4 do
            local apart = (found[i] - expected[i]):abs():max() / expected[i]:abs():max()
            assert.is_true(apart < 1e-11, ("gradient %d: %.3g apart"):format(i - 1, apart))
          end
        end)
      end
    end
  end
end)
