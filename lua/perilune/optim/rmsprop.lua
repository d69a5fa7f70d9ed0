-- RMSprop: the gradient divided by a running mean of its size.
--   ARGS
--   learning_rate = 0.001, rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false, and those of
--   optim/optimizer.lua
--   FORMULA                                 v: velocity, a: average_gradient, m: momentum, 0 at first
--   v := v + (1 - rho) (g^2 - v)
--   a := a + (1 - rho) (g - a)                                 if centered, else a = 0
--   m := momentum m + lr g / sqrt(v - a^2 + epsilon)
--   w := w - m
-- v - a^2 is a variance: where rounding makes it negative, it counts as 0.
-- Hinton, "Neural networks for machine learning", lecture 6e, 2012; Graves, "Generating sequences with
-- recurrent neural networks", 2013 (centered); keras.optimizers.RMSprop.
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

local kinds = options.kinds

---@class optim.RMSprop: Optimizer
---@field rho number
---@field momentum number
---@field epsilon number
---@field centered boolean
local RMSprop = Optimizer:extend("RMSprop", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "rho", 0.9, kinds.beta },
  { "momentum", 0, kinds.fraction },
  { "epsilon", 1e-7, kinds.not_negative },
  { "centered", false, kinds.boolean },
})

function RMSprop:rule()
  local rule, states = "rmsprop", { "velocity" }
  if self.centered then
    rule, states[2] = rule .. "_centered", "average_gradient"
  end
  if self.momentum > 0 then
    rule, states[#states + 1] = rule .. "_momentum", "momentum"
  end
  return rule, states
end

function RMSprop:scalars(c, rate)
  c[1], c[2], c[3] = rate, 1 - self.rho, self.epsilon
  if self.momentum > 0 then c[4] = self.momentum end
end

return RMSprop
