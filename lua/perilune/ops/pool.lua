-- Pooling of images {n, h, w, c}. Windows that reach over an edge, with padding = "same", count only the
-- pixels that are there.
local core = require "perilune.core"
local check = require "perilune.check"
local ops = require "perilune.ops.registry"
local parse = require "perilune.ops.options"

-- { pool_size = 2, strides = pool_size, padding = "valid" }
local function parse_options(fn, given)
  local o = check.options(fn, given, { "pool_size", "strides", "padding" })
  check.arg(o.padding == nil or o.padding == "valid" or o.padding == "same", fn, "padding",
    '"valid" or "same"', o.padding)
  local window = parse.pair(o.pool_size or 2, fn, "pool_size", 1)
  return {
    window = window,
    strides = o.strides and parse.pair(o.strides, fn, "strides", 1) or window,
    same = o.padding == "same",
  }
end

local parsers = {}
for _, fn in ipairs { "max_pool2d", "avg_pool2d" } do
  parsers[fn] = function(given) return parse_options(fn, given) end
end

-- Pixels of y, and rows or columns of padding before x.
local function fit(fn, x, size, window, stride, same)
  if same then return parse.same(size, window, stride) end
  check.arg(size >= window, fn, "self", ("images of at least %d pixels each way, or padding = \"same\"")
    :format(window), x)
  return (size - window) // stride + 1, 0
end

-- The geometry as core.nn takes it, and the shape of y.
local function plan(slot, fn, x, given)
  local shape = parse.check_images(x, fn)
  local o = parse.parsed(slot, given, parsers[fn])
  local window, strides = o.window, o.strides
  local top, left
  shape[2], top = fit(fn, x, shape[2], window[1], strides[1], o.same)
  shape[3], left = fit(fn, x, shape[3], window[2], strides[2], o.same)
  slot.geometry = { window[1], window[2], strides[1], strides[2], top, left }
  return shape
end

local function geometry(slot) return table.unpack(slot.geometry, 1, 6) end

ops.max_pool2d = {
  forward = function(slot, x, options)
    local shape = plan(slot, "max_pool2d", x, options)
    local y = slot:buffer("y", x:dtype(), shape)
    slot.which = nil
    if slot:needs(1) then -- where each maximum was
      local window = slot.parsed.window
      slot.which = slot:buffer("which", window[1] * window[2] <= 255 and "uint8" or "int32", shape)
    end
    core.nn.max_pool2d(y, slot.which, x, geometry(slot))
    return y
  end,
  backward = function(slot, dy)
    local dx, add = slot:gradient(1)
    if not dx then return end
    local a, b, c, d, top, left = geometry(slot)
    core.nn.max_pool2d_backward(dx, dy, slot.which, a, b, c, d, top, left, add)
  end,
}

ops.avg_pool2d = {
  forward = function(slot, x, options)
    local y = slot:buffer("y", x:dtype(), plan(slot, "avg_pool2d", x, options))
    core.nn.avg_pool2d(y, x, geometry(slot))
    return y
  end,
  backward = function(slot, dy)
    local dx, add = slot:gradient(1)
    if not dx then return end
    local a, b, c, d, top, left = geometry(slot)
    core.nn.avg_pool2d_backward(dx, dy, a, b, c, d, top, left, add)
  end,
}
