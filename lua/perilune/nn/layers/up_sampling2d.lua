-- nn.UpSampling2D{2}: larger images.
--   size            2, a whole number or {vertical, horizontal}
--   interpolation   "nearest" or "bilinear"
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class UpSampling2D: Layer
local UpSampling2D = Layer:extend("UpSampling2D",
  { "size", size = 2, interpolation = "nearest", data_format = "channels_last" })

function UpSampling2D:init()
  arguments.pair(self, "size")
  arguments.data_format(self)
  check.arg(self.interpolation == "nearest" or self.interpolation == "bilinear", "UpSampling2D",
    "interpolation",
    '"nearest" or "bilinear"', self.interpolation)
  self.op_options = { interpolation = self.interpolation }
end

function UpSampling2D:build(shape) arguments.images(self, shape) end

function UpSampling2D:forward(x) return x:upsample2d(self.size, self.op_options) end

function UpSampling2D:arithmetic(input, output)
  return ("%d·%d = %d, %d·%d = %d"):format(input[1], self.size[1], output[1], input[2], self.size[2],
    output[2])
end

return UpSampling2D
