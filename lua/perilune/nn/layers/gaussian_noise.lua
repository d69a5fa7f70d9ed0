-- nn.GaussianNoise{0.1}: while training, adds normal numbers of that standard deviation to its input.
--   stddev   from 0 up                   seed   of its own, else the model's
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"

---@class GaussianNoise: Layer
local GaussianNoise = Layer:extend("GaussianNoise", { "stddev", seed = false })
GaussianNoise.stochastic = true

function GaussianNoise:init()
  local stddev = self.stddev
  check.arg(type(stddev) == "number" and stddev >= 0 and stddev < math.huge, "GaussianNoise", "stddev",
    "a number from 0 up", stddev)
end

function GaussianNoise:forward(x, training)
  if not training or self.stddev == 0 then return x end
  return x + self.rng:normal(0, self.stddev, x:shape(), x:dtype())
end

return GaussianNoise
