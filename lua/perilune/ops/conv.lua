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

-- What shapes and options come to: the geometry as core.nn takes it, and the shape of the result.
local function make_plan(fn, parser, x, kernel, given)
  check_images(fn, x, kernel)
  local o, y, size = parser(given), x:shape(), kernel:shape()
  local height, top, bottom = along(1, y[2], size[1], o)
  local width, left, right = along(2, y[3], size[2], o)
  local half = o.pooled and 2 or 1
  y[2], y[3], y[4] = height // half, width // half, size[4] * (fn == "conv2d" and 1 or size[3])
  return {
    given = given, x = x:shape(), kernel = size, y = y, relu = o.relu, pooled = o.pooled, o.strides[1],
    o.strides[2], top, bottom, left, right, o.dilation[1], o.dilation[2], o.groups,
  }
end

local function operation(fn, known)
  local forward, backward, fits = core.nn[fn], core.nn[fn .. "_backward"], core.fits
  local function parser(given) return parse_options(fn, given, known) end
  return {
    forward = function(slot, x, kernel, bias, given)
      local p = slot.plan -- as long as the same shapes and options come with every step
      if not (p and p.given == given and fits(x, p.x) and fits(kernel, p.kernel)) then
        p = make_plan(fn, parser, x, kernel, given)
        slot.plan = p
      end
      local y = slot:buffer("y", x:dtype(), p.y)
      slot.which = nil
      if p.pooled and (slot:needs(1) or slot:needs(2) or slot:needs(3)) then -- where each maximum was
        slot.which = slot:buffer("which", "uint8", p.y)
      end
      forward(y, x, kernel, bias, p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p.relu, p.pooled,
        slot.which)
      return y
    end,
    backward = function(slot, dy, x, kernel)
      local dx, add_dx = slot:gradient(1)
      local dkernel, add_dkernel = slot:gradient(2)
      local dbias, add_dbias = slot:gradient(3)
      local p = slot.plan
      local dz = p.relu and (dx or dkernel) and slot:scratch(dy:dtype(), dy) or nil
      backward(dx, dkernel, dbias, dy, x, kernel, slot.y, p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8],
        p[9], p.relu, add_dx, add_dkernel, add_dbias, slot.which ~= nil, slot.which, dz)
    end,
  }
end

--- options: strides, padding, dilation, groups, activation = "relu", max_pool = true: the largest of each 2×2
--- pixels of the result, which is then never laid out, as are its gradients
ops.conv2d = operation("conv2d", { "strides", "padding", "dilation", "groups", "activation", "max_pool" })

--- kernel {h, w, C, multiplier}: each channel has outputs of its own, as many as the multiplier.
ops.depthwise_conv2d = operation("depthwise_conv2d", { "strides", "padding", "dilation" })
