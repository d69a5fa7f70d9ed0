-- nn.SiLU{}: x·sigmoid(x), also called swish.
local Layer = require "perilune.nn.layer"

---@class SiLU: Layer
local SiLU = Layer:extend("SiLU")

function SiLU:forward(x) return x:silu() end

return SiLU
