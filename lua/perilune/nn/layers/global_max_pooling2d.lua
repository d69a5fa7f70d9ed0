-- nn.GlobalMaxPooling2D{}: the largest number of each channel over the whole image, {N, H, W, C} to {N, C}.
--   keepdims    false; true keeps the axes, {N, 1, 1, C}
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class GlobalMaxPooling2D: Layer
local GlobalMaxPooling2D = Layer:extend("GlobalMaxPooling2D",
  { keepdims = false, data_format = "channels_last" })

function GlobalMaxPooling2D:init() arguments.data_format(self) end

function GlobalMaxPooling2D:build(shape) arguments.images(self, shape) end

function GlobalMaxPooling2D:forward(x) return x:max({ 2, 3 }, self.keepdims) end

function GlobalMaxPooling2D:arithmetic(input)
  return ("max of %d×%d"):format(input[1], input[2])
end

return GlobalMaxPooling2D
