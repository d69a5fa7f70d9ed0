-- nn.LeakyReLU{}: x where it is positive, negative_slope·x elsewhere.
--   negative_slope   0.3
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class LeakyReLU: Layer
local LeakyReLU = Layer:extend("LeakyReLU", { "negative_slope", negative_slope = 0.3 })

function LeakyReLU:init() arguments.rate(self, "negative_slope", math.huge) end

function LeakyReLU:forward(x) return x:leaky_relu(self.negative_slope) end

return LeakyReLU
