-- nn.Softmax{}: exp(x) scaled to a sum of 1.
--   axis   -1
local Layer = require "perilune.nn.layer"

---@class Softmax: Layer
local Softmax = Layer:extend("Softmax", { "axis", axis = -1 })

function Softmax:forward(x) return x:softmax(self.axis) end

return Softmax
