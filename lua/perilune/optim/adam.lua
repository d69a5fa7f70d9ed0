-- Adam: steps of about the learning rate along the mean gradient, whatever the gradient's size.
--   ARGS
--   learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7, amsgrad = false, and those of
--   optim/optimizer.lua
--   FORMULA                                 m, v: momentum and velocity, 0 at first; t = 1, 2, …
--   m := m + (1 - beta_1) (g - m)
--   v := v + (1 - beta_2) (g^2 - v)
--   alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
--   w := w - alpha m / (sqrt(v) + epsilon)           with amsgrad the largest v so far in place of v
-- Epsilon is the "epsilon hat" of the paper's section 2, as in Keras; PyTorch divides it by
-- sqrt(1 - beta_2^t).
-- Kingma and Ba, "Adam", ICLR 2015; Reddi et al., "On the convergence of Adam and beyond", ICLR 2018;
-- keras.optimizers.Adam.
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

local kinds = options.kinds

---@class optim.Adam: Optimizer
---@field beta_1 number
---@field beta_2 number
---@field epsilon number
---@field amsgrad boolean
local Adam = Optimizer:extend("Adam", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "beta_1", 0.9, kinds.beta },
  { "beta_2", 0.999, kinds.beta },
  { "epsilon", 1e-7, kinds.not_negative },
  { "amsgrad", false, kinds.boolean },
})

function Adam:rule()
  if self.amsgrad then return "amsgrad", { "momentum", "velocity", "velocity_hat" } end
  return "adam", { "momentum", "velocity" }
end

function Adam:scalars(c, rate, t)
  c[1] = rate * math.sqrt(1 - self.beta_2 ^ t) / (1 - self.beta_1 ^ t)
  c[2], c[3], c[4] = 1 - self.beta_1, 1 - self.beta_2, self.epsilon
end

return Adam
