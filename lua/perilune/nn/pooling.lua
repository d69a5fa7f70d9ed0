-- What the layers share that make one number of each window of an image.
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

--- A class of pooling layers.
---@param name string the class's
---@param method string the tensor method that pools: "max_pool2d"
---@return Layer class
return function(name, method)
  local Pooling = Layer:extend(name, {
    "pool_size", pool_size = 2, strides = false, padding = "valid", data_format = "channels_last",
  })

  function Pooling:init()
    arguments.pair(self, "pool_size")
    self.strides = self.strides or self.pool_size
    arguments.pair(self, "strides")
    arguments.padding(self)
    arguments.data_format(self)
    self.op_options = { pool_size = self.pool_size, strides = self.strides, padding = self.padding }
  end

  function Pooling:build(shape)
    arguments.images(self, shape)
    arguments.window(self, "pool", shape, self.pool_size)
  end

  function Pooling:forward(x) return x[method](x, self.op_options) end

  function Pooling:arithmetic(input)
    return arguments.window_text(input, self.pool_size, self.strides, self.padding)
  end

  return Pooling
end
