-- Convolutions of images: x {N, H, W, C}, kernel {h, w, C/groups, D} -> {N, H', W', D}. Padding "same"
-- is Keras's: with strides the result has ceil(size / stride) pixels, and an odd one goes after.
local check = require "perilune.check"
local core = require "perilune.core"
local ops = require "perilune.ops.registry"

local forward, backward = core.nn.conv2d, core.nn.conv2d_backward

local CONV <const> = { "strides", "padding", "dilation", "groups", "activation" }
local DEPTHWISE <const> = { "strides", "padding", "dilation" }

-- An integer, or {vertical, horizontal}.
local function pair(value, fn, name)
  if value == nil then return 1, 1 end
  if type(value) ~= "table" then
    value = check.integer(value, fn, name, 1)
    return value, value
  end
  check.arg(#value == 2, fn, name, "an integer or a pair {vertical, horizontal}", value)
  return check.integer(value[1], fn, name, 1), check.integer(value[2], fn, name, 1)
end

local PADDING <const> = '"valid", "same" or {top, bottom, left, right}'

-- The options as they came, checked and with their defaults.
local function parse(fn, given, known)
  local options = check.options(fn, given, known)
  local parsed = { fn = fn, groups = check.integer(options.groups or 1, fn, "groups", 1) }
  parsed.stride_y, parsed.stride_x = pair(options.strides, fn, "strides")
  parsed.dilation_y, parsed.dilation_x = pair(options.dilation, fn, "dilation")
  local padding = options.padding or "valid"
  if type(padding) == "table" then
    check.arg(#padding == 4, fn, "padding", PADDING, padding)
    parsed.explicit = {}
    for i = 1, 4 do parsed.explicit[i] = check.integer(padding[i], fn, "padding", 0) end
  else
    check.arg(padding == "valid" or padding == "same", fn, "padding", PADDING, padding)
    parsed.same = padding == "same"
  end
  check.arg(not options.activation or options.activation == "relu", fn, "activation", '"relu" or nil',
    options.activation)
  parsed.relu = options.activation == "relu"
  return parsed
end

-- The same table of options is parsed once.
local function parsed_of(slot, fn, given, known)
  if not slot.parsed or slot.given ~= given then slot.parsed, slot.given = parse(fn, given, known), given end
  return slot.parsed
end

-- Padding before and after along an axis, and the length of the result.
local function along(size, kernel, stride, dilation, same, before, after)
  local reach = (kernel - 1) * dilation + 1
  if same then
    local out = (size + stride - 1) // stride
    local total = math.max((out - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2, out
  end
  return before, after, math.max((size + before + after - reach) // stride + 1, 0)
end

local function check_operands(fn, x, kernel, bias)
  check.arg(core.is_tensor(x) and x:rank() == 4, fn, "x",
    "images {batch, height, width, channels} (one image: image:unsqueeze(1))", x)
  check.arg(x:dtype():find("float", 1, true), fn, "x", "images of floats, as x:to(\"float32\") gives", x)
  check.arg(core.is_tensor(kernel) and kernel:rank() == 4, fn, "kernel",
    fn == "conv2d" and "a tensor {height, width, channels in, channels out}"
    or "a tensor {height, width, channels, multiplier}", kernel)
  local many = kernel:size(4) * (fn == "conv2d" and 1 or kernel:size(3))
  check.arg(bias == nil or core.is_tensor(bias) and bias:rank() == 1 and #bias == many, fn, "bias",
    ("a tensor {%d}, a number for each output channel"):format(many), bias)
  for name, operand in pairs { kernel = kernel, bias = bias } do
    check.arg(operand:dtype() == x:dtype(), fn, name, ("dtype %s, as x has"):format(x:dtype()), operand)
  end
end

-- Runs the forward pass; leaves the geometry to the backward pass.
local function run(slot, x, kernel, bias, parsed, groups)
  local batch, height, width = table.unpack(x:shape(), 1, 3)
  local kernel_height, kernel_width, _, many = table.unpack(kernel:shape())
  local pad = parsed.explicit or { 0, 0, 0, 0 }
  local top, bottom, out_height = along(height, kernel_height, parsed.stride_y, parsed.dilation_y,
    parsed.same, pad[1], pad[2])
  local left, right, out_width = along(width, kernel_width, parsed.stride_x, parsed.dilation_x,
    parsed.same, pad[3], pad[4])
  local geometry = slot.geometry or {}
  geometry[1], geometry[2] = parsed.stride_y, parsed.stride_x
  geometry[3], geometry[4], geometry[5], geometry[6] = top, bottom, left, right
  geometry[7], geometry[8], geometry[9] = parsed.dilation_y, parsed.dilation_x, groups
  slot.geometry = geometry
  x, kernel = x:contiguous(), kernel:contiguous()
  bias = bias and bias:contiguous()
  local y = slot:buffer("y", x:dtype(), { batch, out_height, out_width, many })
  geometry[10] = parsed.relu
  forward(y, x, kernel, bias, table.unpack(geometry, 1, 10))
  return y
end

local function run_back(slot, dy, x, kernel, dkernel, add_dkernel, dbias, add_dbias)
  local dx, add_dx = slot:gradient(1)
  local g = slot.geometry
  backward(dx, dkernel, dbias, dy, x:contiguous(), kernel:contiguous(), slot.y, g[1], g[2], g[3], g[4],
    g[5], g[6], g[7], g[8], g[9], g[10], add_dx, add_dkernel, add_dbias)
end

ops.conv2d = {
  tensors = 3,
  forward = function(slot, x, kernel, bias, options)
    check_operands("conv2d", x, kernel, bias)
    local parsed = parsed_of(slot, "conv2d", options, CONV)
    return run(slot, x, kernel, bias, parsed, parsed.groups)
  end,
  backward = function(slot, dy, x, kernel)
    local dkernel, add_dkernel = slot:gradient(2)
    local dbias, add_dbias = slot:gradient(3)
    run_back(slot, dy, x, kernel, dkernel, add_dkernel, dbias, add_dbias)
  end,
}

-- kernel {h, w, C, multiplier}: each channel has outputs of its own, as many as the multiplier.
local function grouped(kernel)
  local height, width, channels, multiplier = table.unpack(kernel:shape())
  return kernel:contiguous():reshape(height, width, 1, channels * multiplier)
end

ops.depthwise_conv2d = {
  tensors = 3,
  forward = function(slot, x, kernel, bias, options)
    check_operands("depthwise_conv2d", x, kernel, bias)
    local channels = x:size(4)
    if kernel:size(3) ~= channels then
      check.raise("depthwise_conv2d: x has %d channels (last axis), kernel {%s} expects %d (its third axis)",
        channels, table.concat(kernel:shape(), ", "), kernel:size(3))
    end
    local parsed = parsed_of(slot, "depthwise_conv2d", options, DEPTHWISE)
    return run(slot, x, grouped(kernel), bias, parsed, channels)
  end,
  backward = function(slot, dy, x, kernel)
    local dkernel, add_dkernel = slot:gradient(2)
    local dbias, add_dbias = slot:gradient(3)
    run_back(slot, dy, x, grouped(kernel), dkernel and grouped(dkernel), add_dkernel, dbias, add_dbias)
  end,
}
