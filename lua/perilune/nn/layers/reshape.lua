-- nn.Reshape{4, 4, 3}: the same numbers in another shape; the batch axis stays. One size may be -1.
--   target_shape   list of sizes, without the batch axis
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"

---@class Reshape: Layer
local Reshape = Layer:extend("Reshape", { "target_shape..." })

function Reshape:init()
  check.arg(#self.target_shape > 0, "Reshape", "target_shape", "sizes, as in nn.Reshape{4, 4, 3}",
    self.target_shape)
  for _, size in ipairs(self.target_shape) do
    check.arg(math.type(size) == "integer" and (size > 0 or size == -1), "Reshape", "target_shape",
      "whole numbers from 1 up, or -1 once", size)
  end
end

-- The sizes, with the one that is left open filled in.
function Reshape:build(shape)
  local n, known, open, sizes = 1, 1, nil, {}
  for _, size in ipairs(shape) do n = n * size end
  for axis, size in ipairs(self.target_shape) do
    sizes[axis] = size
    if size == -1 and not open then open = axis else known = known * size end
  end
  if open and known > 0 and n % known == 0 then sizes[open], known = n // known, n end
  if known ~= n then
    self:fail(("as many numbers as {%s} holds"):format(table.concat(self.target_shape, ", ")), shape,
      ("that is %d numbers"):format(n))
  end
  self.sizes = sizes
end

function Reshape:forward(x) return x:reshape(x:size(1), table.unpack(self.sizes)) end

function Reshape:arithmetic(input, output)
  return table.concat(input, "·") .. " = " .. table.concat(output, "·")
end

return Reshape
