-- nn.ZeroPadding2D{1}: a border of zeros round images.
--   padding   1; one width, a pair {vertical, horizontal}, or {{top, bottom}, {left, right}}
local check = require "perilune.check"
local Layer = require "perilune.nn.layer"
local arguments = require "perilune.nn.arguments"

---@class ZeroPadding2D: Layer
local ZeroPadding2D = Layer:extend("ZeroPadding2D",
  { "padding", padding = 1, data_format = "channels_last" })

function ZeroPadding2D:init()
  arguments.data_format(self)
  local given, widths = self.padding, {}
  if type(given) ~= "table" then given = { given, given } end
  check.arg(#given == 2, "ZeroPadding2D", "padding", "a width, a pair, or a pair of pairs", given)
  for axis, side in ipairs(given) do
    if type(side) ~= "table" then side = { side, side } end
    widths[2 * axis - 1] = check.integer(side[1], "ZeroPadding2D", "padding", 0)
    widths[2 * axis] = check.integer(side[2], "ZeroPadding2D", "padding", 0)
  end
  self.widths = widths -- top, bottom, left, right
end

function ZeroPadding2D:build(shape) arguments.images(self, shape) end

function ZeroPadding2D:forward(x) return x:zero_pad2d(self.widths) end

function ZeroPadding2D:arithmetic(input, output)
  local w = self.widths
  return ("%d + %d + %d = %d, %d + %d + %d = %d"):format(w[1], input[1], w[2], output[1], w[3], input[2],
    w[4],
    output[2])
end

return ZeroPadding2D
