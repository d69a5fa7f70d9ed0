-- nn.Parallel{ a, b, merge = "concatenate" }: every layer sees the same input; their outputs are put one
-- behind the other along the last axis, or added.
--   merge   "concatenate" or "add"
local core = require "perilune.core"
local check = require "perilune.check"
local Container = require "perilune.nn.container"

---@class Parallel: Container
local Parallel = Container:extend("Parallel", { "layers...", merge = "concatenate" })

function Parallel:init()
  check.arg(#self.layers > 0, "Parallel", "layers", "at least one layer", self.layers)
  check.arg(self.merge == "concatenate" or self.merge == "add", "Parallel", "merge", '"concatenate" or "add"',
    self.merge)
  self:name_layers()
end

-- What has to agree: all sizes, or all but the last.
local function key(shape, merge) return table.concat(shape, ", ", 2, merge == "add" and #shape
  or #shape - 1) end

function Parallel:prepare_layers(x)
  local first
  for i in ipairs(self.layers) do
    local shape = self:prepare_layer(i, x):shape()
    first = first or shape
    if #shape ~= #first or key(shape, self.merge) ~= key(first, self.merge) then
      check.raise("layer %d makes {%s} and layer 1 {%s}; to %s them, %s", i, table.concat(shape, ", ", 2),
        table.concat(first, ", ", 2), self.merge,
        self.merge == "add" and "their shapes must agree" or "all sizes but the last must agree")
    end
  end
  return self:forward(x, false)
end

function Parallel:forward(x, training)
  local outputs = {}
  for i, layer in ipairs(self.layers) do outputs[i] = layer:forward(x, training) end
  if self.merge == "concatenate" then return core.concatenate(outputs, -1) end
  local sum = outputs[1]
  for i = 2, #outputs do sum = sum + outputs[i] end
  return sum
end

return Parallel
