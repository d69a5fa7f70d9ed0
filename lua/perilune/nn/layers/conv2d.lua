-- nn.Conv2D{32, 3, activation = "relu"}: y = activation(x ∗ kernel + bias), windows sliding over images.
--   filters               channels of y
--   kernel_size           number or {h, w}
--   strides               1                       padding             "valid" or "same"
--   dilation_rate         1                       groups              1
--   activation            name or function; none by default           use_bias    true
--   kernel_initializer    "glorot_uniform"        bias_initializer    "zeros"
--   kernel_regularizer    none                    bias_regularizer    none
-- Weights: kernel {h, w, channels/groups, filters}, bias {filters}.
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class Conv2D: Layer
local Conv2D = Layer:extend("Conv2D", {
  "filters", "kernel_size", strides = 1, padding = "valid", data_format = "channels_last", dilation_rate = 1,
  groups = 1, activation = false, use_bias = true,
  kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
  kernel_regularizer = false, bias_regularizer = false,
})

function Conv2D:init()
  arguments.count(self, "filters")
  arguments.count(self, "groups")
  for _, name in ipairs { "kernel_size", "strides", "dilation_rate" } do arguments.pair(self, name) end
  arguments.padding(self)
  arguments.data_format(self)
  arguments.activation(self)
  check.arg(self.filters % self.groups == 0, self.__name, "groups",
    ("a divisor of the %d filters"):format(self.filters), self.groups)
  self.op_options = {
    strides = self.strides, padding = self.padding, dilation = self.dilation_rate, groups = self.groups,
    activation = self.fused,
  }
end

function Conv2D:build(shape)
  arguments.images(self, shape)
  arguments.window(self, "kernel", shape, arguments.span(self))
  local k, channels = self.kernel_size, shape[3]
  if channels % self.groups ~= 0 then
    self:fail(("a number of channels that its %d groups divide"):format(self.groups), shape)
  end
  self.kernel = self:weight("kernel", { k[1], k[2], channels // self.groups, self.filters },
    self.kernel_initializer, { regularizer = self.kernel_regularizer })
  arguments.bias(self, self.filters)
end

function Conv2D:forward(x)
  local y = x:conv2d(self.kernel, self.bias, self.op_options)
  return self.activate and self.activate(y) or y
end

function Conv2D:cost(input, output)
  local k = self.kernel_size
  return output[1] * output[2] * output[3] * k[1] * k[2] * (input[3] // self.groups)
end

function Conv2D:arithmetic(input)
  return arguments.window_text(input, arguments.span(self), self.strides, self.padding)
end

return Conv2D
