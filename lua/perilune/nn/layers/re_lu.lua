-- nn.ReLU{}: x where it is above the threshold, and negative_slope·(x - threshold) elsewhere, at most
-- max_value.   max_value   none            negative_slope   0            threshold   0
local Layer = require "perilune.nn.layer"
local check = require "perilune.check"

---@class ReLU: Layer
local ReLU = Layer:extend("ReLU", { max_value = false, negative_slope = 0, threshold = 0 })

function ReLU:init()
  for _, name in ipairs { "max_value", "negative_slope", "threshold" } do
    local value = self[name]
    local good = type(value) == "number" and (value >= 0 or name == "threshold")
    check.arg(good or name == "max_value" and value == false, "ReLU", name, "a number from 0 up", value)
  end
end

function ReLU:forward(x)
  local y
  if self.threshold == 0 then
    y = self.negative_slope == 0 and x:relu() or x:leaky_relu(self.negative_slope)
  else
    local above = x:gt(self.threshold):to(x:dtype())
    y = x * above + (x - self.threshold) * (1 - above) * self.negative_slope
  end
  return self.max_value and y:minimum(self.max_value) or y
end

return ReLU
