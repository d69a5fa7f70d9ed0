-- What layers' options have in common: sizes, pairs, paddings, rates.
local check = require "perilune.check"
local activations = require "perilune.nn.activations"
local options = require "perilune.ops.options"

local arguments = {}

--- A whole number from `low` (1 by default) up.
function arguments.count(layer, name, low)
  layer[name] = check.integer(layer[name], layer.__name, name, low or 1)
end

--- A number from 0 up to, and without, `high`.
function arguments.rate(layer, name, high)
  local value = layer[name]
  check.arg(type(value) == "number" and value >= 0 and value < high, layer.__name, name,
    ("a number from 0 up, below %s"):format(high), value)
end

--- One whole number for both directions, or a pair {vertical, horizontal}. The field becomes the pair.
function arguments.pair(layer, name)
  layer[name] = options.pair(layer[name], layer.__name, name, 1)
end

--- "valid" or "same".
function arguments.padding(layer)
  check.arg(layer.padding == "valid" or layer.padding == "same", layer.__name, "padding", '"valid" or "same"',
    layer.padding)
end

--- Images are {height, width, channels} here; Keras's other layout is refused.
function arguments.data_format(layer)
  check.arg(layer.data_format == "channels_last", layer.__name, "data_format", '"channels_last"',
    layer.data_format)
end

--- The option `activation`: nil or a function; layer.fused is what an operation takes as its own option.
function arguments.activation(layer)
  layer.activate = activations.get(layer.activation)
  if layer.activation == "relu" then layer.fused, layer.activate = "relu", nil end
end

--- Makes the weight `bias` {n} of a layer that uses one.
function arguments.bias(layer, n)
  if not layer.use_bias then return end
  layer.bias = layer:weight("bias", { n }, layer.bias_initializer, { regularizer = layer.bias_regularizer })
end

--- Makes the weights `gamma` and `beta` of a layer that scales and shifts what it normalised.
function arguments.scale_and_shift(layer, sizes)
  if layer.scale then
    layer.gamma = layer:weight("gamma", sizes, layer.gamma_initializer,
      { regularizer = layer.gamma_regularizer })
  end
  if layer.center then
    layer.beta = layer:weight("beta", sizes, layer.beta_initializer, { regularizer = layer.beta_regularizer })
  end
end

--- Raises unless the layer's input is images.
function arguments.images(layer, shape)
  if #shape == 3 then return end
  local n = #shape == 1 and shape[1] or nil
  layer:fail("images {height, width, channels}", shape, n
    and ("put it before Flatten, or nn.Reshape{height, width, channels} the %d numbers first"):format(n)
    or "add the missing axis with nn.Reshape")
end

-- ---- windows that slide over an image --------------------------------------------------------------

--- The number of places of a window along one axis.
function arguments.places(size, window, stride, padding)
  if padding == "same" then return (options.same(size, window, stride)) end
  return (size - window) // stride + 1
end

--- What a layer's kernel spans, the gaps of its dilation included.
---@return integer[] {vertical, horizontal}
function arguments.span(layer)
  local k, d = layer.kernel_size, layer.dilation_rate
  return { (k[1] - 1) * d[1] + 1, (k[2] - 1) * d[2] + 1 }
end

--- Raises when a window does not fit into the image.
function arguments.window(layer, name, shape, window)
  if layer.padding == "same" or shape[1] >= window[1] and shape[2] >= window[2] then return end
  check.raise("%s: its %s, %d×%d, is larger than the image, {%s}; use padding = \"same\", or fewer "
    .. "or smaller windows before it", layer.__name, name, window[1], window[2], table.concat(shape, ", "))
end

-- (32 - 3)/1 + 1 = 30
local function axis_text(size, window, stride, padding)
  local places = arguments.places(size, window, stride, padding)
  if padding == "same" then return ("⌈%d/%d⌉ = %d"):format(size, stride, places) end
  local whole = (size - window) % stride == 0
  return (whole and "(%d - %d)/%d + 1 = %d" or "⌊(%d - %d)/%d⌋ + 1 = %d"):format(size, window, stride, places)
end

--- How the size of the image comes about, for explain().
function arguments.window_text(input, window, strides, padding)
  local vertical = axis_text(input[1], window[1], strides[1], padding)
  local horizontal = axis_text(input[2], window[2], strides[2], padding)
  return vertical == horizontal and vertical or vertical .. ", " .. horizontal
end

return arguments
