-- Convolutions of images: x {N, H, W, C}, kernel {h, w, C/groups, D} -> {N, H', W', D}. Padding "same"
-- is Keras's: with strides the result has ceil(size / stride) pixels, and an odd one goes after.
local check = require "perilune.check"
local core = require "perilune.core"
local ops = require "perilune.ops.registry"
local parse = require "perilune.ops.options"

local MOST <const> = 1 << 24 -- pixels that may be added on a side
local PADDING <const> = '"valid", "same" or {top, bottom, left, right}'

-- The options as they came, checked and with their defaults; `known` are their names.
local function parse_options(fn, given, known)
  local o = check.options(fn, given, known)
  local padding, explicit = o.padding or "valid", { 0, 0, 0, 0 }
  if type(padding) == "table" then
    check.arg(#padding == 4, fn, "padding", PADDING, padding)
    for i = 1, 4 do explicit[i] = check.integer(padding[i], fn, "padding", 0, MOST) end
  else
    check.arg(padding == "valid" or padding == "same", fn, "padding", PADDING, padding)
  end
  check.arg(o.max_pool == nil or type(o.max_pool) == "boolean", fn, "max_pool", "true or false", o.max_pool)
  check.arg(not o.activation or o.activation == "relu", fn, "activation", '"relu" or nil', o.activation)
  return {
    strides = parse.pair(o.strides or 1, fn, "strides", 1),
    dilation = parse.pair(o.dilation or 1, fn, "dilation", 1),
    groups = check.integer(o.groups or 1, fn, "groups", 1),
    explicit = explicit, same = padding == "same", relu = o.activation == "relu",
    pooled = o.max_pool or false,
  }
end

-- The length of the result along an axis, and the padding before and after.
local function along(axis, size, kernel, o)
  local stride, reach = o.strides[axis], (kernel - 1) * o.dilation[axis] + 1
  if o.same then return parse.same(size, reach, stride) end
  local before, after = o.explicit[2 * axis - 1], o.explicit[2 * axis]
  return math.max((size + before + after - reach) // stride + 1, 0), before, after
end

local function check_images(fn, x, kernel)
  check.arg(core.is_tensor(x) and x:rank() == 4, fn, "x",
    "images {batch, height, width, channels} (one image: image:unsqueeze(1))", x)
  check.arg(core.is_tensor(kernel) and kernel:rank() == 4, fn, "kernel",
    fn == "conv2d" and "a tensor {height, width, channels in, channels out}"
    or "a tensor {height, width, channels, multiplier}", kernel)
end

local function contiguous(t) return core.is_tensor(t) and t:contiguous() or t end

local function operation(fn, known)
  local forward, backward = core.nn[fn], core.nn[fn .. "_backward"]
  local function parser(given) return parse_options(fn, given, known) end
  return {
    forward = function(slot, x, kernel, bias, given)
      check_images(fn, x, kernel)
      local o = parse.parsed(slot, given, parser)
      local shape, kernel_height, kernel_width = x:shape(), table.unpack(kernel:shape(), 1, 2)
      local height, top, bottom = along(1, shape[2], kernel_height, o)
      local width, left, right = along(2, shape[3], kernel_width, o)
      slot.geometry = { o.strides[1], o.strides[2], top, bottom, left, right, o.dilation[1], o.dilation[2],
        o.groups, o.relu } -- as core.nn takes them
      if o.pooled then height, width = height // 2, width // 2 end
      shape[2], shape[3] = height, width
      shape[4] = kernel:size(4) * (fn == "conv2d" and 1 or kernel:size(3))
      local y = slot:buffer("y", x:dtype(), shape)
      slot.which = nil
      if o.pooled and (slot:needs(1) or slot:needs(2) or slot:needs(3)) then -- where each maximum was
        slot.which = slot:buffer("which", "uint8", shape)
      end
      local g = slot.geometry
      forward(y, x:contiguous(), kernel:contiguous(), contiguous(bias), g[1], g[2], g[3], g[4], g[5], g[6],
        g[7], g[8], g[9], g[10], o.pooled, slot.which)
      return y
    end,
    backward = function(slot, dy, x, kernel)
      local dx, add_dx = slot:gradient(1)
      local dkernel, add_dkernel = slot:gradient(2)
      local dbias, add_dbias = slot:gradient(3)
      local g = slot.geometry
      local dz = g[10] and (dx or dkernel) and slot:scratch(dy:dtype(), dy:shape()) or nil
      backward(dx, dkernel, dbias, dy, x:contiguous(), kernel:contiguous(), slot.y, g[1], g[2], g[3], g[4],
        g[5], g[6], g[7], g[8], g[9], g[10], add_dx, add_dkernel, add_dbias, slot.which ~= nil, slot.which,
        dz)
    end,
  }
end

--- options: strides, padding, dilation, groups, activation = "relu", max_pool = true: the largest of each 2×2
--- pixels of the result, which is then never laid out, as are its gradients
ops.conv2d = operation("conv2d", { "strides", "padding", "dilation", "groups", "activation", "max_pool" })

--- kernel {h, w, C, multiplier}: each channel has outputs of its own, as many as the multiplier.
ops.depthwise_conv2d = operation("depthwise_conv2d", { "strides", "padding", "dilation" })
