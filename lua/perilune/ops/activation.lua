-- Activation functions and their derivatives: one pass over memory each way.
local check = require "perilune.check"
local core = require "perilune.core"
local ops = require "perilune.ops.registry"
local options = require "perilune.ops.options"

-- y of one of core.nn's functions of x and at most two numbers (core/kernels/activation.h).
local function compute(slot, name, x, a, b)
  slot.kernel, slot.a, slot.b = name, a, b
  local y = slot:buffer("y", x:dtype(), x)
  core.nn[name](y, x, a, b)
  return y
end

local function backward(slot, dy, x)
  local dx, add = slot:gradient(1)
  if dx then core.nn[slot.kernel .. "_backward"](dx, dy, x, slot.y, slot.a, slot.b, add) end
end

local function check_floats(x, fn) options.check_floats(x, fn, "a tensor of floats") end

for _, name in ipairs { "relu", "sigmoid", "tanh", "softplus" } do -- tensors have methods of their own
  ops[name] = {
    recorded = function(slot, x)
      local floats = x:dtype():find("float", 1, true) == 1
      return floats and compute(slot, name, x) or core.methods[name](x)
    end,
    backward = backward,
  }
end

for _, name in ipairs { "softmax", "log_softmax" } do
  local kernel = core.nn[name .. "_backward"]
  ops[name] = {
    backward = function(slot, dy, _, axis)
      local dx, add = slot:gradient(1)
      if dx then kernel(dx, dy, slot.y, axis or -1, add) end
    end,
  }
end

local function number(value, default, fn, name)
  if value == nil then return default end
  check.arg(type(value) == "number", fn, name, "a number", value)
  return value
end

local function add(name, forward)
  ops[name] = {
    forward = function(slot, x, given)
      check_floats(x, name)
      return forward(slot, x, given)
    end,
    backward = backward,
  }
end

-- x where x > 0, else slope·x
add("leaky_relu", function(slot, x, slope)
  return compute(slot, "leaky_relu", x, number(slope, 0.3, "leaky_relu", "slope"))
end)

-- x where x > 0, else alpha·(e^x − 1)
add("elu", function(slot, x, alpha) return compute(slot, "elu", x, number(alpha, 1, "elu", "alpha"), 1) end)

-- Klambauer et al. 2017, "Self-normalizing neural networks"
local ALPHA <const>, SCALE <const> = 1.6732632423543772, 1.0507009873554805
add("selu", function(slot, x) return compute(slot, "elu", x, ALPHA, SCALE) end)

-- x·sigmoid(x)
add("silu", function(slot, x) return compute(slot, "silu", x) end)

-- x·Φ(x), Φ the normal distribution's; approximated, x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
-- Hendrycks and Gimpel 2016
add("gelu", function(slot, x, given)
  local approximate = check.options("gelu", given, { "approximate" }).approximate
  return compute(slot, approximate and "gelu_tanh" or "gelu", x)
end)
