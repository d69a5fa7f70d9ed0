-- nn.Flatten{}: all numbers of an image in one row, {N, H, W, C} to {N, H·W·C}.
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class Flatten: Layer
local Flatten = Layer:extend("Flatten", { data_format = "channels_last" })

function Flatten:init() arguments.data_format(self) end

function Flatten:forward(x)
  local shape, n = x:shape(), 1
  for axis = 2, #shape do n = n * shape[axis] end
  return #shape == 2 and x or x:reshape(shape[1], n)
end

function Flatten:arithmetic(input, output) return table.concat(input, "·") .. " = " .. output[1] end

return Flatten
