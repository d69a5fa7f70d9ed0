-- nn.Input{32, 32, 3}: the shape of what a Sequential is given, without the batch axis. With it, the model
-- builds its weights at once; without it, at its first data.
--   shape  list of sizes        dtype  of the data, when it is not the model's: "uint8" before nn.Rescaling
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"

---@class Input: Layer
---@field shape integer[]
local Input = Layer:extend("Input", { "shape..." })

local DTYPES <const> = { float32 = true, float64 = true, uint8 = true, int32 = true }

function Input:created()
  check.arg(#self.shape > 0, "Input", "shape", "sizes, as in nn.Input{32, 32, 3}", self.shape)
  local shape = {}
  for i, size in ipairs(self.shape) do shape[i] = check.integer(size, "Input", "shape", 1) end
  check.arg(not self.dtype or DTYPES[self.dtype], "Input", "dtype", "a dtype", self.dtype)
  self.shape, self.weights, self.built = shape, {}, false
end

function Input:forward(x) return x end

return Input
