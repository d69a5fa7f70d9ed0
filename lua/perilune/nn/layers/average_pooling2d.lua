-- nn.AveragePooling2D{2}: the mean of each window, with "same" padding over real pixels only, of each
-- channel.   pool_size   2, a number or {h, w}
--   strides     pool_size by default          padding     "valid" or "same"
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class AveragePooling2D: Layer
local AveragePooling2D = Layer:extend("AveragePooling2D", {
  "pool_size", pool_size = 2, strides = false, padding = "valid", data_format = "channels_last",
})

function AveragePooling2D:init()
  arguments.pair(self, "pool_size")
  self.strides = self.strides or self.pool_size
  arguments.pair(self, "strides")
  arguments.padding(self)
  arguments.data_format(self)
  self.op_options = { pool_size = self.pool_size, strides = self.strides, padding = self.padding }
end

function AveragePooling2D:build(shape)
  arguments.images(self, shape)
  arguments.window(self, "pool", shape, self.pool_size)
end

function AveragePooling2D:forward(x) return x:avg_pool2d(self.op_options) end

function AveragePooling2D:arithmetic(input)
  return arguments.window_text(input, self.pool_size, self.strides, self.padding)
end

return AveragePooling2D
