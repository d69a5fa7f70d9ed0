-- nn.Rescaling{1 / 255}: y = x·scale + offset. Takes bytes too: nn.Input{32, 32, 3, dtype = "uint8"} first.
--   scale, offset   numbers, or one for each channel; the offset is 0 by default
local check = require "perilune.check"
local core = require "perilune.core"
local Layer = require "perilune.nn.layer"

---@class Rescaling: Layer
local Rescaling = Layer:extend("Rescaling", { "scale", "offset", offset = 0 })

function Rescaling:init()
  for _, name in ipairs { "scale", "offset" } do
    local value = self[name]
    check.arg(type(value) == "number" or type(value) == "table" and getmetatable(value) == nil, "Rescaling",
      name,
      "a number, or a list with one for each channel", value)
  end
end

local function factor(layer, name, shape)
  local value = layer[name]
  if type(value) == "number" then return value end
  if #value ~= shape[#shape] then
    layer:fail(("%d channels, as there are numbers in %s"):format(#value, name), shape)
  end
  return core.from_table(value, layer.dtype)
end

function Rescaling:build(shape)
  self.factor, self.shift = factor(self, "scale", shape), factor(self, "offset", shape)
end

function Rescaling:forward(x)
  if x:dtype() ~= self.dtype then x = x:to(self.dtype) end
  return x * self.factor + self.shift
end

return Rescaling
