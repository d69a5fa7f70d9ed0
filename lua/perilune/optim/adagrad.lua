-- Adagrad: a rate for each weight that falls with the sum of its squared gradients.
--   ARGS
--   learning_rate = 0.001, initial_accumulator_value = 0.1, epsilon = 1e-7, and those of optim/optimizer.lua
--   FORMULA                                 s: accumulator, initial_accumulator_value at first
--   s := s + g^2
--   w := w - lr g / sqrt(s + epsilon)
-- Duchi et al., "Adaptive subgradient methods", JMLR 2011; keras.optimizers.Adagrad.
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

local kinds = options.kinds

---@class optim.Adagrad: Optimizer
---@field initial_accumulator_value number
---@field epsilon number
local Adagrad = Optimizer:extend("Adagrad", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "initial_accumulator_value", 0.1, kinds.not_negative },
  { "epsilon", 1e-7, kinds.not_negative },
})

function Adagrad:rule() return "adagrad", { "accumulator" }, self.initial_accumulator_value end

function Adagrad:scalars(c, rate) c[1], c[2] = rate, self.epsilon end

return Adagrad
