-- nn.SELU{}: 1.0507·x where x is positive, 1.0507·1.67326·(exp(x) - 1) elsewhere; keeps a mean of 0 and a
-- variance of 1 through a deep net of dense layers with "lecun_normal" weights.
local Layer = require "perilune.nn.layer"

---@class SELU: Layer
local SELU = Layer:extend("SELU")

function SELU:forward(x) return x:selu() end

return SELU
