-- nn.Dense{10, activation = "softmax"}: y = activation(x·kernel + bias), on the last axis of x {N, …, D}.
--   units                 outputs, the size of y's last axis
--   activation            name or function; none by default
--   use_bias              true
--   kernel_initializer    "glorot_uniform"        bias_initializer    "zeros"
--   kernel_regularizer    none                    bias_regularizer    none
-- Weights: kernel {D, units}, bias {units}.
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class Dense: Layer
local Dense = Layer:extend("Dense", {
  "units", activation = false, use_bias = true,
  kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
  kernel_regularizer = false, bias_regularizer = false,
})

function Dense:init()
  arguments.count(self, "units")
  arguments.activation(self)
  self.op_options = { activation = self.fused }
end

function Dense:build(shape)
  if #shape == 0 then self:fail("rows {N, inputs}", shape) end
  self.kernel = self:weight("kernel", { shape[#shape], self.units }, self.kernel_initializer,
    { regularizer = self.kernel_regularizer })
  arguments.bias(self, self.units)
end

function Dense:forward(x)
  local y = x:dense(self.kernel, self.bias, self.op_options)
  return self.activate and self.activate(y) or y
end

function Dense:cost(input)
  local n = self.units
  for _, size in ipairs(input) do n = n * size end
  return n
end

function Dense:arithmetic(input, output) return ("%d -> %d"):format(input[#input], output[#output]) end

function Dense:advice(input)
  if #input < 2 then return nil end
  local shape = table.concat(input, ", ")
  return ("%s (Dense) got {%s} and works on its last axis alone, at each of the other places; to see "
    .. "all of it at once, add nn.Flatten{} before it"):format(self.name or "Dense", shape)
end

return Dense
