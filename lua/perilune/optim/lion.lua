-- Lion: every weight moves by the learning rate, up or down, as the sign of a mean gradient says.
--   ARGS
--   learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.99, and those of optim/optimizer.lua
--   FORMULA                                 m: momentum, 0 at first
--   w := w - lr sign(beta_1 m + (1 - beta_1) g)
--   m := m + (1 - beta_2) (g - m)
-- The paper advises a rate 3 to 10 times smaller than Adam's, and a weight decay as much larger.
-- Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023; keras.optimizers.Lion.
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

local kinds = options.kinds

---@class optim.Lion: Optimizer
---@field beta_1 number
---@field beta_2 number
local Lion = Optimizer:extend("Lion", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "beta_1", 0.9, kinds.beta },
  { "beta_2", 0.99, kinds.beta },
})

function Lion.rule() return "lion", { "momentum" } end

function Lion:scalars(c, rate) c[1], c[2], c[3] = rate, 1 - self.beta_1, 1 - self.beta_2 end

return Lion
