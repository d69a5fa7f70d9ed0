-- SGD: gradient descent, with momentum if asked for.
--   ARGS
--   learning_rate = 0.01, momentum = 0, nesterov = false, and those of optim/optimizer.lua
--   FORMULA                                 m: momentum, 0 at first
--   momentum = 0     w := w - lr g
--   else             m := momentum m - lr g
--                    w := w + m                        or, with nesterov,
--                    w := w + momentum m - lr g
-- Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013;
-- keras.optimizers.SGD.
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

---@class optim.SGD: Optimizer
---@field momentum number
---@field nesterov boolean
local SGD = Optimizer:extend("SGD", {
  { "learning_rate", 0.01, Optimizer.rate },
  { "momentum", 0, options.kinds.fraction },
  { "nesterov", false, options.kinds.boolean },
})

function SGD:rule()
  if self.momentum == 0 then return "sgd", {} end
  return self.nesterov and "nesterov" or "momentum", { "momentum" }
end

function SGD:scalars(c, rate)
  c[1] = rate
  if self.momentum ~= 0 then c[2] = self.momentum end
end

return SGD
