-- The table of differentiable operations: what each computes and what its gradient is, side by side.
--
--   ops.square = {
--     backward = function(slot, dy, x) slot:add_gradient(1, dy * x * 2) end,
--   }
--
-- forward(slot, ...) takes plain tensors and returns y (whatever it returns besides is passed on, without
-- gradients); without it, the tensor method of that name computes. backward(slot, dy, ...) takes the
-- gradient by y and the same arguments. The slot lends memory and keeps what forward leaves to backward:
--   slot.y                         what forward returned
--   slot:buffer(key, dtype, shape) a contiguous tensor, not set, the same memory at every step; shape is
--                                  a list of sizes, or a tensor of that shape
--   slot:needs(i)                  whether argument i wants a gradient
--   slot:gradient(i)               its gradient's memory and whether to add to it, or else overwrite it;
--                                  nil when it wants none
--   slot:add_gradient(i, g)        hands over a computed gradient; it may share memory with dy
--   slot:scratch(dtype, shape)     memory for the length of one backward call
--
-- An entry with a forward becomes a method of tensors, which computes at once into memory of its own; the
-- tape (perilune.autograd) gives recorded variables the same methods. A forward named `recorded`
-- serves the tape alone, where tensors have a method of their own.
local core = require "perilune.core"
local check = require "perilune.check"
local Plain = require "perilune.ops.plain"
require "perilune.tensor" -- has methods of its own

local methods = core.methods

--- The function that takes a call over because of an argument that stands for a tensor.
local function find_recorder(...)
  for i = 1, select("#", ...) do
    local argument = (select(i, ...))
    local meta = type(argument) == "table" and getmetatable(argument)
    if type(meta) == "table" and meta.__tensor_call then return meta.__tensor_call end
  end
end

local function plain_method(name, forward)
  return function(self, ...)
    local recorder = find_recorder(self, ...)
    if recorder then return recorder(name, self, ...) end
    check.arg(core.is_tensor(self), name, "self", "a tensor", self)
    return forward(Plain.new(), self, ...)
  end
end

local ops = {}

return setmetatable({}, {
  __index = ops,
  __pairs = function() return next, ops end,
  __newindex = function(_, name, entry)
    assert(entry.backward, name)
    if entry.recorded then
      entry.forward = entry.recorded
    elseif entry.forward then
      methods[name] = plain_method(name, entry.forward)
    else
      local method = assert(methods[name], name)
      entry.forward = function(_, ...) return method(...) end
    end
    ops[name] = entry
  end,
})
