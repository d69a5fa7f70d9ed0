-- nn.DepthwiseConv2D{3}: a convolution of each channel by itself.
--   kernel_size           number or {h, w}
--   strides               1                       padding             "valid" or "same"
--   depth_multiplier      1: channels of y for each of x's            dilation_rate   1
--   activation            name or function; none by default           use_bias        true
--   depthwise_initializer "glorot_uniform"        bias_initializer    "zeros"
--   depthwise_regularizer none                    bias_regularizer    none
-- Weights: kernel {h, w, channels, depth_multiplier}, bias {channels·depth_multiplier}.
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class DepthwiseConv2D: Layer
local DepthwiseConv2D = Layer:extend("DepthwiseConv2D", {
  "kernel_size", strides = 1, padding = "valid", depth_multiplier = 1, data_format = "channels_last",
  dilation_rate = 1, activation = false, use_bias = true,
  depthwise_initializer = "glorot_uniform", bias_initializer = "zeros",
  depthwise_regularizer = false, bias_regularizer = false,
})

function DepthwiseConv2D:init()
  arguments.count(self, "depth_multiplier")
  for _, name in ipairs { "kernel_size", "strides", "dilation_rate" } do arguments.pair(self, name) end
  arguments.padding(self)
  arguments.data_format(self)
  arguments.activation(self)
  self.op_options = { strides = self.strides, padding = self.padding, dilation = self.dilation_rate }
end

function DepthwiseConv2D:build(shape)
  arguments.images(self, shape)
  arguments.window(self, "kernel", shape, arguments.span(self))
  local k, channels = self.kernel_size, shape[3]
  self.kernel = self:weight("kernel", { k[1], k[2], channels, self.depth_multiplier },
    self.depthwise_initializer, { regularizer = self.depthwise_regularizer })
  arguments.bias(self, channels * self.depth_multiplier)
end

function DepthwiseConv2D:forward(x)
  local y = x:depthwise_conv2d(self.kernel, self.bias, self.op_options)
  if self.fused then return y:relu() end
  return self.activate and self.activate(y) or y
end

function DepthwiseConv2D:cost(_, output)
  return output[1] * output[2] * output[3] * self.kernel_size[1] * self.kernel_size[2]
end

function DepthwiseConv2D:arithmetic(input)
  return arguments.window_text(input, arguments.span(self), self.strides, self.padding)
end

return DepthwiseConv2D
