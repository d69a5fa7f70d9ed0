-- Images made larger: zeros around them, or more pixels between them.
local check = require "perilune.check"
local core = require "perilune.core"
local ops = require "perilune.ops.registry"
local options = require "perilune.ops.options"

local function inside(t, pad, height, width)
  return t:narrow(2, pad[1] + 1, height):narrow(3, pad[3] + 1, width)
end

ops.zero_pad2d = {
  forward = function(slot, x, pad)
    local shape = options.check_images(x, "zero_pad2d")
    check.arg(type(pad) == "table" and #pad == 4, "zero_pad2d", "padding", "{top, bottom, left, right}", pad)
    for i = 1, 4 do check.integer(pad[i], "zero_pad2d", "padding", 0) end
    local n, height, width, channels = table.unpack(shape)
    local y = slot:buffer("y", x:dtype(), { n, height + pad[1] + pad[2], width + pad[3] + pad[4], channels })
    inside(y:zero_(), pad, height, width):copy_(x)
    return y
  end,
  backward = function(slot, dy, x, pad) slot:add_gradient(1, inside(dy, pad, x:size(2), x:size(3))) end,
}

-- {size·factor, size}: each row holds the weights of the old pixels in a new one. Pixels are squares whose
-- centres lie at halves; what lies beyond the border repeats it.
local function linear_weights(size, factor, dtype)
  local weights = core.full({ size * factor, size }, 0, dtype)
  for i = 1, size * factor do
    local place = (i - 0.5) / factor + 0.5
    local left = math.floor(place)
    local share = place - left
    local first, second = math.max(left, 1), math.min(left + 1, size)
    weights[{ i, first }] = weights[{ i, first }] + (1 - share)
    weights[{ i, second }] = weights[{ i, second }] + share
  end
  return weights
end

-- Each axis on its own is a product with a matrix.
local function along_both(x, rows, columns)
  local n, height, width, channels = table.unpack(x:shape())
  local y = rows:matmul(x:reshape(n, height, width * channels))
  local tall = y:size(2)
  y = columns:matmul(y:reshape(n * tall, width, channels))
  return y:reshape(n, tall, y:size(2), channels)
end

-- Every pixel as a block.
local function blocks(t, shape, factor)
  return t:reshape(shape[1], shape[2], factor[1], shape[3], factor[2], shape[4])
end

local KNOWN <const> = { "interpolation" }

ops.upsample2d = {
  forward = function(slot, x, size, given)
    local fn = "upsample2d"
    local shape = options.check_images(x, fn)
    slot.factor = options.pair(size == nil and 2 or size, fn, "size", 1)
    local interpolation = check.options(fn, given, KNOWN).interpolation or "nearest"
    check.arg(interpolation == "nearest" or interpolation == "bilinear", fn, "interpolation",
      '"nearest" or "bilinear"', interpolation)
    local n, height, width, channels = table.unpack(shape)
    local down, across = table.unpack(slot.factor)
    if interpolation == "bilinear" then
      local plan = ("%d %d %d %d %s"):format(height, down, width, across, x:dtype())
      if slot.plan ~= plan then
        slot.plan, slot.rows = plan, linear_weights(height, down, x:dtype())
        slot.columns = linear_weights(width, across, x:dtype())
      end
      return along_both(x, slot.rows, slot.columns)
    end
    slot.plan, slot.rows = nil, nil
    local y = slot:buffer("y", x:dtype(), { n, height * down, width * across, channels })
    blocks(y, shape, slot.factor):copy_(x:reshape(n, height, 1, width, 1, channels))
    return y
  end,
  backward = function(slot, dy, x)
    if slot.rows then
      slot:add_gradient(1, along_both(dy, slot.rows:t(), slot.columns:t()))
    else
      slot:add_gradient(1, blocks(dy, x:shape(), slot.factor):sum { 3, 5 })
    end
  end,
}
