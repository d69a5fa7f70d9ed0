-- nn.ELU{}: x where it is positive, alpha·(exp(x) - 1) elsewhere.
--   alpha   1
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class ELU: Layer
local ELU = Layer:extend("ELU", { "alpha", alpha = 1 })

function ELU:init() arguments.rate(self, "alpha", math.huge) end

function ELU:forward(x) return x:elu(self.alpha) end

return ELU
