-- nn.BatchNormalization{}: each channel with mean 0 and variance 1 over the batch, then scaled and shifted:
-- y = gamma·(x - mean)/√(variance + epsilon) + beta, over all axes of x {N, …, C} but the last. While
-- training with the batch's own mean and (biased) variance, whose moving averages it keeps; otherwise, and
-- when it is frozen (layer.trainable = false), with those averages.
--   momentum   0.99: what is kept of an average at each step          epsilon   1e-3
--   center     true: there is a beta          scale   true: there is a gamma
--   beta_initializer "zeros", gamma_initializer "ones", moving_mean_initializer "zeros",
--   moving_variance_initializer "ones"; beta_regularizer, gamma_regularizer: none
-- Weights: gamma, beta {C}; moving_mean, moving_variance {C}, which no optimizer touches.
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class BatchNormalization: Layer
local BatchNormalization = Layer:extend("BatchNormalization", {
  axis = -1, momentum = 0.99, epsilon = 1e-3, center = true, scale = true,
  beta_initializer = "zeros", gamma_initializer = "ones",
  moving_mean_initializer = "zeros", moving_variance_initializer = "ones",
  beta_regularizer = false, gamma_regularizer = false,
})

function BatchNormalization:init()
  arguments.rate(self, "momentum", 1 + 1e-12)
  arguments.rate(self, "epsilon", math.huge)
  check.arg(self.axis == -1, "BatchNormalization", "axis", "-1, the channels' axis", self.axis)
  self.op_options = { epsilon = self.epsilon }
end

function BatchNormalization:build(shape)
  local channels = { shape[#shape] }
  arguments.scale_and_shift(self, channels)
  self.moving_mean = self:weight("moving_mean", channels, self.moving_mean_initializer, { trainable = false })
  self.moving_variance = self:weight("moving_variance", channels, self.moving_variance_initializer,
    { trainable = false })
end

function BatchNormalization:forward(x, training)
  if not (training and self.trainable) then
    return x:batch_norm_inference(self.gamma, self.beta, self.moving_mean, self.moving_variance,
      self.op_options)
  end
  local y, mean, variance = x:batch_norm(self.gamma, self.beta, self.op_options)
  self.moving_mean:mul_(self.momentum):add_(mean, 1 - self.momentum)
  self.moving_variance:mul_(self.momentum):add_(variance, 1 - self.momentum)
  return y
end

return BatchNormalization
