-- Net c of the notebook against PyTorch's numbers for one batch (tests/fixtures/net_c.py): logits, loss and
-- the gradient of every weight, in float64 and in float32.
local pl = require "perilune"
local fixture = dofile "tests/fixtures/net_c.lua"

-- The batch and the weights, drawn as the recipe draws them.
local function draw(dtype)
  local rng, weights = pl.numpy_rng(7), {}
  for _, shape in ipairs(fixture.shapes) do
    local fan_in = 1
    for i = 1, #shape - 1 do fan_in = fan_in * shape[i] end
    weights[#weights + 1] = (rng:randn(shape, "float64") * math.sqrt(2 / fan_in)):to(dtype)
    weights[#weights + 1] = (rng:randn({ shape[#shape] }, "float64") * 0.1):to(dtype)
  end
  return weights, rng:randn({ 4, 32, 32, 3 }, "float64"):to(dtype)
end

local RELU <const> = { activation = "relu" }

local function logits_of(w, x)
  x = x:conv2d(w[1], w[2], RELU):conv2d(w[3], w[4], RELU):max_pool2d {}
  x = x:conv2d(w[5], w[6], RELU):conv2d(w[7], w[8], RELU):max_pool2d {}
  return x:reshape(4, 1600):dense(w[9], w[10], RELU):dense(w[11], w[12])
end

describe("net c agrees with PyTorch", function()
  local labels = pl.tensor(fixture.labels, "int32")

  for dtype, bound in pairs { float64 = 1e-8, float32 = 1e-5 } do
    local weights, images = draw(dtype)

    it("in its logits and loss, " .. dtype, function()
      local expected = pl.tensor(fixture.logits, dtype)
      local logits = logits_of(weights, images)
      assert.is_true((logits - expected):abs():max() < bound * expected:abs():max())
      local loss = logits:softmax_cross_entropy(labels)
      assert.is_true(math.abs(loss - fixture.loss) < bound * fixture.loss)
    end)

    it("in every gradient, " .. dtype, function()
      local _, gradients = pl.value_and_grad(function(w)
        return logits_of(w, images):softmax_cross_entropy(labels)
      end, weights)
      for i, expected in ipairs(fixture.gradients) do
        local g = gradients[i]:flatten():double()
        local room = bound * expected.largest
        assert.is_true(math.abs(g:norm() - expected.norm) < bound * expected.norm, i)
        assert.is_true(math.abs(g:sum() - expected.sum) < room * math.sqrt(#g), i)
        for k, place in ipairs(expected.places) do
          local difference = math.abs(g[place] - expected.values[k])
          assert.is_true(difference < room, ("gradient %d at %d"):format(i, place))
        end
      end
    end)
  end
end)
