-- AdamW: Adam whose weight decay is no part of the gradient, and so not divided by its size.
--   ARGS
--   learning_rate = 0.001, weight_decay = 0.004, and those of optim/adam.lua
--   FORMULA
--   w := w - lr weight_decay w, then as Adam
-- Every optimizer here decays weights so; this one does it by default.
-- Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019; keras.optimizers.AdamW.
local Adam = require "perilune.optim.adam"
local Optimizer = require "perilune.optim.optimizer"
local options = require "perilune.optim.options"

local kinds = options.kinds

---@class optim.AdamW: optim.Adam
local AdamW = Adam:extend("AdamW", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "weight_decay", 0.004, kinds.not_negative },
  { "beta_1", 0.9, kinds.beta },
  { "beta_2", 0.999, kinds.beta },
  { "epsilon", 1e-7, kinds.not_negative },
  { "amsgrad", false, kinds.boolean },
})

return AdamW
