-- Dense layers: y = x·W + b, with max(0, y) where asked for, in one go over y.
local core = require "perilune.core"
local check = require "perilune.check"
local ops = require "perilune.ops.registry"
local parse = require "perilune.ops.options"

local FN = "dense"

-- Whether there is a ReLU.
local function parse_options(given)
  local activation = check.options(FN, given, { "activation" }).activation
  check.arg(activation == nil or activation == "relu", FN, "activation", '"relu" or nil', activation)
  return { relu = activation == "relu" }
end

-- What shapes and options come to.
local function make_plan(slot, x, kernel, given)
  parse.check_floats(x, FN, "a tensor {…, d} of floats")
  check.arg(core.is_tensor(kernel) and kernel:rank() == 2, FN, "kernel", "a tensor {d, units}", kernel)
  local y = x:shape()
  y[math.max(1, #y)] = kernel:size(2)
  return {
    given = given, x = x:shape(), dtype = x:dtype(), kernel = kernel:shape(), y = y,
    relu = parse.parsed(slot, given, parse_options).relu,
  }
end

-- x {…, D}, kernel {D, U}, bias {U} or nil -> y {…, U}
ops.dense = {
  forward = function(slot, x, kernel, bias, given)
    local p = slot.plan -- as long as the same shapes and options come with every step
    if not (p and p.given == given and core.fits(x, p.x, p.dtype) and core.fits(kernel, p.kernel)) then
      p = make_plan(slot, x, kernel, given)
      slot.plan = p
    end
    local y = slot:buffer("y", p.dtype, p.y)
    core.nn.dense(y, x, kernel, bias, p.relu)
    return y
  end,
  backward = function(slot, dy, x, kernel)
    local relu = slot.plan.relu
    local dx, add_x = slot:gradient(1)
    local dw, add_w = slot:gradient(2)
    local db, add_b = slot:gradient(3)
    core.nn.dense_backward(dx, dw, db, dy, x, kernel, relu and slot.y or nil,
      relu and slot:scratch(dy:dtype(), dy) or nil, add_x, add_w, add_b)
  end,
}
