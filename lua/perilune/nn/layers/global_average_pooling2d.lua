-- nn.GlobalAveragePooling2D{}: the mean of each channel over the whole image, {N, H, W, C} to {N, C}.
--   keepdims    false; true keeps the axes, {N, 1, 1, C}
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class GlobalAveragePooling2D: Layer
local GlobalAveragePooling2D = Layer:extend("GlobalAveragePooling2D",
  { keepdims = false, data_format = "channels_last" })

function GlobalAveragePooling2D:init() arguments.data_format(self) end

function GlobalAveragePooling2D:build(shape) arguments.images(self, shape) end

function GlobalAveragePooling2D:forward(x) return x:mean({ 2, 3 }, self.keepdims) end

function GlobalAveragePooling2D:arithmetic(input)
  return ("mean of %d×%d"):format(input[1], input[2])
end

return GlobalAveragePooling2D
