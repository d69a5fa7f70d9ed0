-- nn.LayerNormalization{}: each sample with mean 0 and variance 1 over its last axis, then scaled and
-- shifted: y = gamma·(x - mean)/√(variance + epsilon) + beta.
--   axis      -1                                                       epsilon   1e-3
--   center    true: there is a beta           scale   true: there is a gamma
--   beta_initializer "zeros", gamma_initializer "ones"; beta_regularizer, gamma_regularizer: none
-- Weights: gamma, beta {sizes of the axes}.
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class LayerNormalization: Layer
local LayerNormalization = Layer:extend("LayerNormalization", {
  axis = -1, epsilon = 1e-3, center = true, scale = true, beta_initializer = "zeros",
    gamma_initializer = "ones",
  beta_regularizer = false, gamma_regularizer = false,
})

function LayerNormalization:init() arguments.rate(self, "epsilon", math.huge) end

-- The axes, from 2 up, of a tensor {N, …}; those that are normalised must be its last ones.
local function axes_of(layer, rank)
  local axes = type(layer.axis) == "table" and table.move(layer.axis, 1, #layer.axis, 1, {}) or { layer.axis }
  for i, axis in ipairs(axes) do
    local whole = math.type(axis) == "integer"
    axes[i] = whole and axis < 0 and axis + rank + 1 or axis
    check.arg(whole and axes[i] >= 2 and axes[i] <= rank, layer.__name, "axis",
      ("axes from 2 to %d, or negative ones"):format(rank), axis)
  end
  table.sort(axes)
  for i, axis in ipairs(axes) do
    check.arg(axis == rank - #axes + i, layer.__name, "axis", "the last axes, none left out", axis)
  end
  return axes
end

function LayerNormalization:build(shape)
  local axes, sizes = axes_of(self, #shape + 1), {}
  for i, axis in ipairs(axes) do sizes[i] = shape[axis - 1] end
  arguments.scale_and_shift(self, sizes)
  self.op_options = { epsilon = self.epsilon, axes = #axes == 1 and -1 or axes }
end

function LayerNormalization:forward(x) return x:layer_norm(self.gamma, self.beta, self.op_options) end

return LayerNormalization
