-- Activation functions and their derivatives.
local check = require "perilune.check"
local core = require "perilune.core"
local ops = require "perilune.ops.registry"
local options = require "perilune.ops.options"

-- dx = dy where y > 0
ops.relu = {
  backward = function(slot, dy) slot:add_gradient(1, dy * slot.y:gt(0):to(dy:dtype())) end,
}

ops.sigmoid = {
  backward = function(slot, dy)
    local y = slot.y
    slot:add_gradient(1, (1 - y):mul_(y):mul_(dy))
  end,
}

ops.tanh = {
  backward = function(slot, dy) slot:add_gradient(1, (1 - slot.y:square()):mul_(dy)) end,
}

for _, name in ipairs { "softmax", "log_softmax" } do
  local backward = core.nn[name .. "_backward"]
  ops[name] = {
    backward = function(slot, dy, _, axis)
      local dx, add = slot:gradient(1)
      if dx then backward(dx, dy, slot.y, axis or -1, add) end
    end,
  }
end

-- A function that is f(x) where x > 0 and g(x) elsewhere: slopes of both sides.
local function piecewise(slot, dy, x, above, below)
  slot:add_gradient(1, x:gt(0):where(above, below):mul_(dy))
end

local function check_floats(x, fn) options.check_floats(x, fn, "a tensor of floats") end

local function number(value, default, fn, name)
  if value == nil then return default end
  check.arg(type(value) == "number", fn, name, "a number", value)
  return value
end

-- x where x > 0, else slope·x
ops.leaky_relu = {
  forward = function(_, x, slope)
    check_floats(x, "leaky_relu")
    return x:gt(0):where(x, x * number(slope, 0.3, "leaky_relu", "slope"))
  end,
  backward = function(slot, dy, x, slope)
    slot:add_gradient(1, x:gt(0):where(dy, dy * (slope or 0.3)))
  end,
}

-- x where x > 0, else alpha·(e^x − 1)
ops.elu = {
  forward = function(_, x, alpha)
    check_floats(x, "elu")
    return x:gt(0):where(x, x:clamp(nil, 0):expm1_():mul_(number(alpha, 1, "elu", "alpha")))
  end,
  backward = function(slot, dy, x, alpha)
    piecewise(slot, dy, x, 1, x:clamp(nil, 0):exp_():mul_(alpha or 1))
  end,
}

-- Klambauer et al. 2017, "Self-normalizing neural networks"
local ALPHA <const>, SCALE <const> = 1.6732632423543772, 1.0507009873554805

ops.selu = {
  forward = function(_, x)
    check_floats(x, "selu")
    return x:gt(0):where(x, x:clamp(nil, 0):expm1_():mul_(ALPHA)):mul_(SCALE)
  end,
  backward = function(slot, dy, x)
    piecewise(slot, dy, x, SCALE, x:clamp(nil, 0):exp_():mul_(ALPHA * SCALE))
  end,
}

-- x·sigmoid(x)
ops.silu = {
  forward = function(_, x)
    check_floats(x, "silu")
    return x:sigmoid():mul_(x)
  end,
  backward = function(slot, dy, x)
    local s = x:sigmoid()
    slot:add_gradient(1, ((1 - s):mul_(x):add_(1)):mul_(s):mul_(dy))
  end,
}

-- x·Φ(x), Φ the normal distribution's; approximated, x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
-- Hendrycks and Gimpel 2016
local ROOT <const>, CUBIC <const> = math.sqrt(2 / math.pi), 0.044715

local function is_approximate(given)
  return check.options("gelu", given, { "approximate" }).approximate or false
end

local function inner(x) return (x:square():mul_(CUBIC):add_(1)):mul_(x):mul_(ROOT) end

ops.gelu = {
  forward = function(_, x, given)
    check_floats(x, "gelu")
    local gate = is_approximate(given) and inner(x):tanh_() or (x * math.sqrt(0.5)):erf_()
    return gate:add_(1):mul_(x):mul_(0.5)
  end,
  backward = function(slot, dy, x, given)
    local slope
    if is_approximate(given) then
      local t = inner(x):tanh_()
      local rate = x:square():mul_(3 * CUBIC):add_(1):mul_(ROOT) -- of inner
      slope = (1 - t:square()):mul_(rate):mul_(x):add_(t):add_(1):mul_(0.5)
    else
      local density = x:square():mul_(-0.5):exp_():mul_(1 / math.sqrt(2 * math.pi))
      slope = (x * math.sqrt(0.5)):erf_():add_(1):mul_(0.5):add_(density * x)
    end
    slot:add_gradient(1, slope:mul_(dy))
  end,
}
