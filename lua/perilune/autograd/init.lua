-- Gradients of Lua functions.
local core = require "perilune.core"
local check = require "perilune.check"
local tape = require "perilune.autograd.tape"
local Variable = require "perilune.autograd.variable"

local autograd = { Tape = tape.Tape, Variable = Variable }

-- Each float tensor in value (a tensor, or a table of such at any depth) as a leaf.
local function leaves_of(value, recording)
  if core.is_tensor(value) then
    if not value:dtype():find "float" then return value end
    return recording:leaf(value)
  elseif getmetatable(value) == Variable then
    check.raise("value_and_grad: an argument is a recorded variable; gradients of gradients are not recorded")
  elseif type(value) == "table" and getmetatable(value) == nil then
    local copy = {}
    for key, item in pairs(value) do copy[key] = leaves_of(item, recording) end
    return copy
  end
  return value
end

local function gradients_in(value)
  if getmetatable(value) == Variable then
    return value.grad or core.full(value.value:shape(), 0, value.value:dtype(), "value_and_grad")
  elseif type(value) == "table" then
    local copy = {}
    for key, item in pairs(value) do copy[key] = gradients_in(item) end
    return copy
  end
end

--- Calls f with the given arguments and returns its value and the gradient of that value by each of them.
---
---     local loss, dW, db = pl.value_and_grad(function(W, b)
---       return (x:matmul(W) + b - y):square():mean()
---     end, W, b)
---
--- f uses its arguments like any tensors; branches, loops and shared uses are fine. What it computes from
--- other tensors alone is constant.
---@param f fun(...): Variable returns one number's worth: `x:sum()`, `x:mean()`, …
---@param ... any tensors (float), tables of tensors, or other values, which f gets as they are
---@return number value
---@return Tensor|table|nil ... for each argument: a gradient of its shape, a table of such, or nil
function autograd.value_and_grad(f, ...)
  check.arg(type(f) == "function", "value_and_grad", "f", "a function", f)
  local recording = tape.Tape.new()
  recording:begin()
  local arguments = table.pack(...)
  for i = 1, arguments.n do arguments[i] = leaves_of(arguments[i], recording) end
  local value = f(table.unpack(arguments, 1, arguments.n))
  if getmetatable(value) == Variable then
    check.arg(value:numel() == 1, "value_and_grad", "f",
      "a function that returns one number, as sum() or mean() gives", value.value)
    recording:backward(value)
    value = value:item()
  else
    check.arg(type(value) == "number", "value_and_grad", "f", "a function that returns one number", value)
  end
  for i = 1, arguments.n do arguments[i] = gradients_in(arguments[i]) end
  return value, table.unpack(arguments, 1, arguments.n)
end

return autograd
