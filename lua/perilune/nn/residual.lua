-- nn.Residual{ nn.Conv2D{64, 3, padding = "same"}, nn.BatchNormalization{}, activation = "relu" }: its layers
-- one after the other, and their input added to what comes out: y = activation(layers(x) + x).
--   shortcut     a layer for the input, where the shapes differ: nn.Conv2D{64, 1, strides = 2}
--   activation   name or function; none by default
local check = require "perilune.check"
local Container = require "perilune.nn.container"
local activations = require "perilune.nn.activations"

---@class Residual: Container
local Residual = Container:extend("Residual", { "layers...", shortcut = false, activation = false })

function Residual:init()
  check.arg(#self.layers > 0, "Residual", "layers", "at least one layer", self.layers)
  self.main = table.move(self.layers, 1, #self.layers, 1, {})
  self.activate = activations.get(self.activation)
  if self.shortcut then
    self:check_layer(self.shortcut, #self.layers + 1)
    self.layers[#self.layers + 1] = self.shortcut
  end
  self:name_layers()
end

local function shape_of(x)
  local shape = x:shape()
  return table.concat(shape, ", ", 2)
end

function Residual:prepare_layers(x)
  local y, beside = x, x
  for i in ipairs(self.main) do y = self:prepare_layer(i, y) end
  if self.shortcut then beside = self:prepare_layer(#self.layers, x) end
  if shape_of(y) ~= shape_of(beside) then
    check.raise("its layers make {%s} and the %s {%s}, which do not add; %s", shape_of(y),
      self.shortcut and "shortcut makes" or "input is", shape_of(beside),
      "let shortcut be a layer that gives the same shape, such as nn.Conv2D{channels, 1, strides = …}")
  end
  return self:forward(x, false)
end

function Residual:forward(x, training)
  local y = x
  for _, layer in ipairs(self.main) do y = layer:forward(y, training) end
  y = y + (self.shortcut and self.shortcut:forward(x, training) or x)
  return self.activate and self.activate(y) or y
end

function Residual:config()
  local config = Container.config(self)
  if self.shortcut then table.remove(config.layers) end
  return config
end

return Residual
