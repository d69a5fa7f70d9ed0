-- Nadam: Adam with Nesterov's look ahead.
--   ARGS
--   learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7, and those of optim/optimizer.lua
--   FORMULA                                 m, v: momentum and velocity, 0 at first; t = 1, 2, …
--   mu(t) = beta_1 (1 - 0.5 0.96^t)         p(t) = mu(1) mu(2) … mu(t)
--   m := m + (1 - beta_1) (g - m)
--   v := v + (1 - beta_2) (g^2 - v)
--   m^ = mu(t+1) m / (1 - p(t+1)) + (1 - mu(t)) g / (1 - p(t))
--   w := w - lr m^ / (sqrt(v / (1 - beta_2^t)) + epsilon)
-- Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016; keras.optimizers.Nadam.
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

local kinds = options.kinds

---@class optim.Nadam: Optimizer
---@field beta_1 number
---@field beta_2 number
---@field epsilon number
---@field momentum_product number p(t) after t updates
local Nadam = Optimizer:extend("Nadam", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "beta_1", 0.9, kinds.beta },
  { "beta_2", 0.999, kinds.beta },
  { "epsilon", 1e-7, kinds.not_negative },
})

Nadam.numbers = { "momentum_product" }
Nadam.momentum_product = 1

function Nadam:build(parameters)
  Optimizer.build(self, parameters)
  self.momentum_product = 1
end

function Nadam.rule() return "nadam", { "momentum", "velocity" } end

function Nadam:scalars(c, rate, t)
  local mu, ahead = self.beta_1 * (1 - 0.5 * 0.96 ^ t), self.beta_1 * (1 - 0.5 * 0.96 ^ (t + 1))
  local product = self.momentum_product * mu
  self.momentum_product = product
  c[1], c[2] = rate * ahead / (1 - product * ahead), rate * (1 - mu) / (1 - product)
  c[3], c[4] = 1 - self.beta_1, 1 - self.beta_2
  c[5], c[6] = 1 / math.sqrt(1 - self.beta_2 ^ t), self.epsilon
end

return Nadam
