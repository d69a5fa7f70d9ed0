-- Activations: functions of a tensor or a recorded variable, under Keras's names.
local check = require "perilune.check"

local activations = {}

--- x itself.
function activations.linear(x) return x end
--- max(x, 0); NaN stays NaN.
function activations.relu(x) return x:relu() end
--- 1 / (1 + e⁻ˣ)
function activations.sigmoid(x) return x:sigmoid() end
--- The hyperbolic tangent.
function activations.tanh(x) return x:tanh() end
--- eˣ / Σ eˣ along the last axis.
function activations.softmax(x) return x:softmax(-1) end
--- x - log Σ eˣ along the last axis.
function activations.log_softmax(x) return x:log_softmax(-1) end
--- log(1 + eˣ)
function activations.softplus(x) return x:softplus() end
--- eˣ.
function activations.exponential(x) return x:exp() end
--- x where it is positive, eˣ - 1 elsewhere.
function activations.elu(x) return x:elu(1) end
--- elu, scaled so that means and variances keep to 0 and 1.
function activations.selu(x) return x:selu() end
--- x·Φ(x), Φ the normal distribution's.
function activations.gelu(x) return x:gelu() end
--- x·sigmoid(x)
function activations.silu(x) return x:silu() end
activations.swish = activations.silu

--- x where it is positive, 0.2·x elsewhere: Keras's slope for the function; the layer's is 0.3.
function activations.leaky_relu(x) return x:leaky_relu(0.2) end

--- min(max(x, 0), 6)
function activations.relu6(x) return x:clamp(0, 6) end

--- x / (1 + |x|)
function activations.softsign(x) return x / (x:abs() + 1) end

--- relu6(x + 3) / 6
function activations.hard_sigmoid(x) return (x + 3):clamp(0, 6) / 6 end

--- x · tanh(softplus(x))
function activations.mish(x) return x * x:softplus():tanh() end

local names = {}
for name in pairs(activations) do names[#names + 1] = name end
table.sort(names)

--- The function for a name ("relu"), a function, or a layer; nil for nil, false and "linear".
---@param value any
---@return (fun(x: Tensor): Tensor)?
function activations.get(value)
  if not value or value == "linear" then return nil end
  local found = type(value) == "string" and value ~= "get" and activations[value]
  if found then return found end
  local mt = getmetatable(value)
  if type(value) == "function" then return value end
  if type(value) == "table" and mt and mt.__call then
    return function(x) return value(x) end
  end
  check.raise("unknown activation %s; %s", type(value) == "string" and '"' .. value .. '"' or type(value),
    check.hint(value, names))
end

return activations
