-- Which layers of a Sequential are computed in one go: a Conv2D and the 2×2 MaxPooling2D after it, with a
-- ReLU (the convolution's activation, or a layer between) or none; a Conv2D or Dense and the ReLU layer after
-- it. The result is the layers' own; what lies between them is never laid out in memory, nor its gradients.
local activations = require "perilune.nn.activations"
local Activation = require "perilune.nn.layers.activation"
local Conv2D = require "perilune.nn.layers.conv2d"
local Dense = require "perilune.nn.layers.dense"
local MaxPooling2D = require "perilune.nn.layers.max_pooling2d"
local Plain = require "perilune.ops.plain"
local ReLU = require "perilune.nn.layers.re_lu"
local ops = require "perilune.ops"

local fusion = {}

-- What the classes compute; they are open, and another forward may stand there later.
local forwards = {}
for _, of in ipairs { Activation, Conv2D, Dense, MaxPooling2D, ReLU } do forwards[of] = of.forward end

-- Whether a layer computes as the class does; a class below it, or an object, may have its own forward.
local function is(layer, class) return layer ~= nil and layer.forward == forwards[class] end

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

-- The same in one operation of the first layer; infer: without a tape.
local function in_one(operation, layer, options)
  local compute, slot = ops[operation].forward, Plain.new()
  local function finish(y) return layer.activate and layer.activate(y) or y end
  return function(x) return finish(x[operation](x, layer.kernel, layer.bias, options)) end,
    function(x) return finish(compute(slot, x, layer.kernel, layer.bias, options)) end
end

-- The run of layers that begins at place i.
local function run_at(layers, i)
  local first, options, last = layers[i], {}, i
  local is_conv = is(first, Conv2D)
  if not (is_conv or is(first, Dense)) then
    local forward = one_by_one(layers, i, i)
    return { first = i, last = i, forward = forward, infer = forward }
  end
  for key, value in pairs(first.op_options) do options[key] = value end
  if not first.activate and not options.activation and is_plain_relu(layers[i + 1]) then
    options.activation, last = "relu", i + 1
  end
  local plain = is_conv and is_pair(first.strides, 1) and is_pair(first.dilation_rate, 1)
    and first.groups == 1 and not first.activate
  if plain and layers[last + 1] and pools_by_two(layers[last + 1]) then
    options.max_pool, last = true, last + 1
  end
  local together, infer = in_one(is_conv and "conv2d" or "dense", first, options)
  local step = { first = i, last = last, forward = together, infer = infer, new = true }
  if options.max_pool and layers[last].padding == "same" then
    local apart = one_by_one(layers, i, last)
    local function either(way)
      return function(x, training) return (is_odd_after(first, x) and apart or way)(x, training) end
    end
    step.forward, step.infer = either(together), either(infer)
  end
  return step
end

-- Forwards of the library's layers, and its activations: these compute the same from plain tensors as from
-- recorded ones, and write into none.
local own = {}
for _, activate in pairs(activations) do own[activate] = true end

--- Says that a class of layers is the library's.
function fusion.add_own(class) own[class.forward] = true end

local function is_own(layer) return own[layer.forward] and (not layer.activate or own[layer.activate]) end

--- The layers as steps, in order; the layers must be built. `own` says whether all are the library's, which
--- alone may be computed by step.infer, without a tape; `new`, whether what comes of it lies in memory of its
--- own; `weights` lists theirs.
---@param layers Layer[]
---@return { first: integer, last: integer, forward: fun(x: Tensor, training?: boolean): Tensor,
---  infer: fun(x: Tensor): Tensor }[] steps
function fusion.steps(layers)
  layers = table.move(layers, 1, #layers, 1, {})
  local steps, i = { layers = layers, forwards = {}, activates = {}, own = true, weights = {} }, 1
  for k, layer in ipairs(layers) do
    steps.forwards[k], steps.activates[k] = layer.forward, layer.activate or false
    steps.own = steps.own and is_own(layer)
    for _, weight in ipairs(layer.weights) do
      steps.weights[#steps.weights + 1] = { layer = layer, weight = weight }
    end
  end
  while i <= #layers do
    local step = run_at(layers, i)
    steps[#steps + 1], i = step, step.last + 1
    steps.new = steps.new or step.new
  end
  return steps
end

--- Whether steps were made for these very layers, none with another forward or activation since.
function fusion.fits(steps, layers)
  if not steps or #steps.layers ~= #layers then return false end
  local known, forward, activate = steps.layers, steps.forwards, steps.activates
  for i = 1, #layers do
    local layer = layers[i]
    if known[i] ~= layer or forward[i] ~= layer.forward or activate[i] ~= (layer.activate or false) then
      return false
    end
  end
  return true
end

--- What the steps make of x when nobody trains, without a tape; nil where that might not be the same: layers
--- of one's own may write into what they are given, weights may be variables of a pass that is going on.
---@param x Tensor {N, …} that fits
---@return Tensor?
---@return boolean? new whether it shares no memory with x
function fusion.infer(steps, x)
  if not steps.own then return nil end
  local weights = steps.weights
  for i = 1, #weights do
    local layer, weight = weights[i].layer, weights[i].weight
    if layer[weight.name] ~= weight.tensor then return nil end
  end
  for i = 1, #steps do x = steps[i].infer(x) end
  return x, steps.new
end

return fusion
