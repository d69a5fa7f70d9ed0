-- nn.GELU{}: x·Φ(x), Φ the distribution function of the standard normal.
--   approximate   false; true takes the formula with tanh
local Layer = require "perilune.nn.layer"

---@class GELU: Layer
local GELU = Layer:extend("GELU", { approximate = false })

function GELU:init() self.op_options = { approximate = self.approximate and true or false } end

function GELU:forward(x) return x:gelu(self.op_options) end

return GELU
