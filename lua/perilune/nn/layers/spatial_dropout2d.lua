-- nn.SpatialDropout2D{0.5}: while training, sets to zero each whole channel of an image with probability
-- rate, and scales the others by 1/(1 - rate); otherwise it does nothing. x {N, H, W, C} keeps its shape.
--   rate   from 0 up, below 1            seed   of its own, else the model's
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class SpatialDropout2D: Layer
local SpatialDropout2D = Layer:extend("SpatialDropout2D", { "rate", seed = false })
SpatialDropout2D.stochastic = true

function SpatialDropout2D:init() arguments.rate(self, "rate", 1) end

function SpatialDropout2D:build(shape) arguments.images(self, shape) end

function SpatialDropout2D:forward(x, training)
  if not training or self.rate == 0 then return x end
  return x:spatial_dropout2d(self.rate, self.rng)
end

return SpatialDropout2D
