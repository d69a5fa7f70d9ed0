-- Options of operations on images: checked once for each table of them.
local core = require "perilune.core"
local check = require "perilune.check"

local options = {}

--- parse(given), kept on the slot for as long as the same table comes with every step.
---@generic T
---@param slot table
---@param given? table
---@param parse fun(given: table?): T
---@return T
function options.parsed(slot, given, parse)
  if not slot.parsed or slot.given ~= given then
    slot.given, slot.parsed = given, parse(given)
  end
  return slot.parsed
end

--- An integer for both directions, or {vertical, horizontal}.
---@param value integer|integer[]
---@return integer[] {vertical, horizontal}
function options.pair(value, fn, name, low)
  if type(value) ~= "table" then
    check.arg(math.tointeger(value), fn, name, "an integer or two, {vertical, horizontal}", value)
    value = { value, value }
  end
  check.arg(#value == 2, fn, name, "an integer or two, {vertical, horizontal}", value)
  return { check.integer(value[1], fn, name, low), check.integer(value[2], fn, name, low) }
end

--- Windows along an axis with padding "same" (Keras's: an odd pixel goes after): how many, and the padding.
---@return integer count, integer before, integer after
function options.same(size, window, stride)
  local count = (size + stride - 1) // stride
  local padding = math.max(0, (count - 1) * stride + window - size)
  return count, padding // 2, padding - padding // 2
end

--- A tensor of floats, of that rank when one is given.
function options.check_floats(x, fn, what, rank)
  check.arg(core.is_tensor(x) and x:dtype():find("float", 1, true) == 1 and (not rank or x:rank() == rank),
    fn, "self", what, x)
end

--- A tensor of images {n, h, w, c}.
---@return integer[] shape
function options.check_images(x, fn)
  options.check_floats(x, fn, "images {n, h, w, c} of floats", 4)
  return x:shape()
end

return options
