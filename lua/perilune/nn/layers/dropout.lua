-- nn.Dropout{0.5}: while training, sets to zero each number of its input with probability rate, and scales
-- the others by 1/(1 - rate); otherwise it does nothing. x {N, …} keeps its shape.
--   rate   from 0 up, below 1            seed   of its own, else the model's
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class Dropout: Layer
local Dropout = Layer:extend("Dropout", { "rate", seed = false })
Dropout.stochastic = true

function Dropout:init() arguments.rate(self, "rate", 1) end

function Dropout:forward(x, training)
  if not training or self.rate == 0 then return x end
  return x:dropout(self.rate, self.rng)
end

return Dropout
