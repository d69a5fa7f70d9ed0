-- The derivatives of the elementwise operations, in one table. dy is the gradient by y; broadcast operands
-- get the sum over the places where they were used.
local core = require "perilune.core"
local ops = require "perilune.ops.registry"
local shapes = require "perilune.ops.shapes"

local methods = core.methods -- their operands may be numbers, on either side

-- name          dx, from dy, x, y and what else the operation was given
local unary = {
  neg          = function(dy) return -dy end,
  abs          = function(dy, x) return dy * x:sign() end,
  square       = function(dy, x) return (dy * x):mul_(2) end,
  sqrt         = function(dy, _, y) return (dy / y):mul_(0.5) end,
  rsqrt        = function(dy, _, y) return (dy * y * y:square()):mul_(-0.5) end,
  reciprocal   = function(dy, _, y) return (dy * y:square()):neg_() end,
  exp          = function(dy, _, y) return dy * y end,
  expm1        = function(dy, _, y) return dy * (y + 1) end,
  log          = function(dy, x) return dy / x end,
  log1p        = function(dy, x) return dy / (x + 1) end,
  sin          = function(dy, x) return dy * x:cos() end,
  cos          = function(dy, x) return (dy * x:sin()):neg_() end,
  erf          = function(dy, x) return (dy * x:square():neg_():exp_()):mul_(2 / math.sqrt(math.pi)) end,
}

for name, derivative in pairs(unary) do
  ops[name] = {
    backward = function(slot, dy, x) slot:add_gradient(1, derivative(dy, x, slot.y)) end,
  }
end

-- Where x was clipped, a constant stands.
ops.clamp = {
  backward = function(slot, dy, x, low, high)
    local inside = x:ge(low or -math.huge) & x:le(high or math.huge)
    slot:add_gradient(1, dy * inside:to(dy:dtype()))
  end,
}

-- A gradient for an operand that may have been broadcast, or that is a number.
local function give(slot, i, operand, compute)
  if slot:needs(i) then slot:add_gradient(i, shapes.sum_to(compute(), operand:shape())) end
end

-- a + scale·b in memory of the slot's, when both have the result's shape.
local function in_slot(name)
  local plain = name .. "_"
  return function(slot, a, b, ...)
    if type(a) == "userdata" and type(b) == "userdata" and shapes.same(a:shape(), b:shape())
      and a:dtype() == b:dtype() then
      local y = slot:buffer("y", a:dtype(), a):copy_(a)
      return y[plain](y, b, ...)
    end
    return methods[name](a, b, ...)
  end
end

-- name        result, gradient by a, gradient by b
local binary = {
  add = {
    function(dy) return dy end,
    function(dy, _, _, _, scale) return scale and dy * scale or dy end,
  },
  sub = {
    function(dy) return dy end,
    function(dy) return -dy end,
  },
  mul = {
    function(dy, _, b) return dy * b end,
    function(dy, a) return dy * a end,
  },
  div = {
    function(dy, _, b) return dy / b end,
    function(dy, _, b, y) return (dy * y / b):neg_() end,
  },
  pow = {
    function(dy, a, b) return dy * b * a ^ (b - 1) end,
    -- 0^b is 0 whatever b is
    function(dy, a, _, y)
      local base = type(a) == "number" and math.log(a) or a:gt(0):where(a, 1):log()
      return dy * y * base
    end,
  },
  -- a tie goes to a, as the value does
  maximum = {
    function(dy, a, b) return dy * methods.ge(a, b):to(dy:dtype()) end,
    function(dy, a, b) return dy * methods.lt(a, b):to(dy:dtype()) end,
  },
  minimum = {
    function(dy, a, b) return dy * methods.le(a, b):to(dy:dtype()) end,
    function(dy, a, b) return dy * methods.gt(a, b):to(dy:dtype()) end,
  },
}

for name, by in pairs(binary) do
  ops[name] = {
    recorded = in_slot(name),
    backward = function(slot, dy, a, b, scale)
      give(slot, 1, a, function() return by[1](dy, a, b, slot.y, scale) end)
      give(slot, 2, b, function() return by[2](dy, a, b, slot.y, scale) end)
    end,
  }
end

ops.where = {
  backward = function(slot, dy, condition, a, b)
    give(slot, 2, a, function() return condition:where(dy, 0) end)
    give(slot, 3, b, function() return condition:where(0, dy) end)
  end,
}

ops.masked_fill = {
  backward = function(slot, dy, x, mask)
    slot:add_gradient(1, shapes.sum_to(dy:masked_fill(mask, 0), x:shape()))
  end,
}

ops.to = {
  backward = function(slot, dy, x) slot:add_gradient(1, dy:to(x:dtype())) end,
}
