-- Adadelta: steps in the weights' own units, from a running mean of the steps before.
--   ARGS
--   learning_rate = 0.001, rho = 0.95, epsilon = 1e-7, and those of optim/optimizer.lua
--   FORMULA                                 v: accumulated_grad, u: accumulated_delta_var, 0 at first
--   v := v + (1 - rho) (g^2 - v)
--   delta = sqrt(u + epsilon) / sqrt(v + epsilon) g
--   u := u + (1 - rho) (delta^2 - u)
--   w := w - lr delta                                                the paper's own rate is 1
-- Zeiler, "ADADELTA", 2012; keras.optimizers.Adadelta.
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

local kinds = options.kinds

---@class optim.Adadelta: Optimizer
---@field rho number
---@field epsilon number
local Adadelta = Optimizer:extend("Adadelta", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "rho", 0.95, kinds.beta },
  { "epsilon", 1e-7, kinds.positive },
})

function Adadelta.rule() return "adadelta", { "accumulated_grad", "accumulated_delta_var" } end

function Adadelta:scalars(c, rate) c[1], c[2], c[3] = rate, 1 - self.rho, self.epsilon end

return Adadelta
