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
