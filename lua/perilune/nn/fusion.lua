-- Which layers of a Sequential are computed in one go: a Conv2D and the 2×2 MaxPooling2D after it, with a
-- ReLU (the convolution's activation, or a layer between) or none; a Conv2D or Dense and the ReLU layer after
-- it. The result is the layers' own; what lies between them is never laid out in memory, nor its gradients.
local activations = require "perilune.nn.activations"
local Activation = require "perilune.nn.layers.activation"
local Conv2D = require "perilune.nn.layers.conv2d"
local Dense = require "perilune.nn.layers.dense"
local MaxPooling2D = require "perilune.nn.layers.max_pooling2d"
local ReLU = require "perilune.nn.layers.re_lu"

local fusion = {}

-- Whether a layer computes as the class does; a class below it, or an object, may have a forward of its own.
local function is(layer, class) return layer ~= nil and layer.forward == class.forward end

local function is_pair(value, n) return value[1] == n and value[2] == n end

local function is_plain_relu(layer)
  if is(layer, Activation) then return layer.activate == activations.relu end
  return is(layer, ReLU) and layer.threshold == 0 and layer.negative_slope == 0 and not layer.max_value
end

-- "same" adds nothing where the size is even. This asks the place for which the layer was built; it may stand
-- in others too: see is_odd_after.
local function pools_by_two(layer)
  if not (is(layer, MaxPooling2D) and is_pair(layer.pool_size, 2) and is_pair(layer.strides, 2)) then
    return false
  end
  local height, width = layer.input_shape[1], layer.input_shape[2]
  return height >= 2 and width >= 2
    and (layer.padding == "valid" or height % 2 == 0 and width % 2 == 0)
end

-- Whether the convolution makes an odd height or width of x.
local function is_odd_after(conv, x)
  for axis, size in ipairs(conv.kernel_size) do
    local lost = conv.padding == "valid" and size - 1 or 0
    if (x:size(axis + 1) - lost) % 2 == 1 then return true end
  end
  return false
end

local function one_by_one(layers, first, last)
  return function(x, training)
    for i = first, last do x = layers[i]:forward(x, training) end
    return x
  end
end

-- The run of layers that begins at place i, or nil.
local function run_at(layers, i)
  local first = layers[i]
  local is_conv = is(first, Conv2D)
  if not (is_conv or is(first, Dense)) or first.activate then return nil end
  local options, last = {}, i
  for key, value in pairs(first.op_options) do options[key] = value end
  if not options.activation and is_plain_relu(layers[i + 1]) then
    options.activation, last = "relu", i + 1
  end
  local plain = is_conv and is_pair(first.strides, 1) and is_pair(first.dilation_rate, 1)
    and first.groups == 1
  if plain and layers[last + 1] and pools_by_two(layers[last + 1]) then
    options.max_pool, last = true, last + 1
  end
  if last == i then return nil end
  local operation, apart = is_conv and "conv2d" or "dense", one_by_one(layers, i, last)
  local wants_even = options.max_pool and layers[last].padding == "same"
  return {
    first = i, last = last,
    forward = function(x, training)
      if wants_even and is_odd_after(first, x) then return apart(x, training) end
      return x[operation](x, first.kernel, first.bias, options)
    end,
  }
end

--- The layers as steps, in order; the layers must be built.
---@param layers Layer[]
---@return { first: integer, last: integer, forward: fun(x: Tensor, training?: boolean): Tensor }[] steps
function fusion.steps(layers)
  layers = table.move(layers, 1, #layers, 1, {})
  local steps, i = { layers = layers, forwards = {} }, 1
  for k, layer in ipairs(layers) do steps.forwards[k] = layer.forward end
  while i <= #layers do
    local step = run_at(layers, i) or { first = i, last = i, forward = one_by_one(layers, i, i) }
    steps[#steps + 1], i = step, step.last + 1
  end
  return steps
end

--- Whether steps were made for these very layers, none with another forward since.
function fusion.fits(steps, layers)
  if not steps or #steps.layers ~= #layers then return false end
  for i, layer in ipairs(layers) do
    if steps.layers[i] ~= layer or steps.forwards[i] ~= layer.forward then return false end
  end
  return true
end

return fusion
