-- Normalizer: what training images are centred on and divided by, fitted once, applied to all splits.
-- Means and deviations come from sums in float64, which are exact for bytes: the same whatever the order.

local core = require "perilune.core"
local check = require "perilune.check"

-- Images normalised at a time: little enough to stay in the cache, enough to share among threads.
local CHUNK = 512

---@class Normalizer
---@field mean Tensor? float32: {h, w, c} for center = "image", {c} for "channel"; nil: nothing is subtracted
---@field std number|Tensor? a number, or float32 {c} for scale = "channel"; nil: nothing is divided
local Normalizer = {}
Normalizer.__index = Normalizer
Normalizer.__name = "Normalizer"

--- A value per channel, repeated for every pixel of a flat image.
local function tile(values, height, width)
  return values:expand(height, width, values:size(1)):reshape(height * width * values:size(1))
end

--- Sums and, when asked, sums of squares over the images: float64 {h*w*c}.
local function sums(rows, squares)
  local total, total_squares
  for first = 1, rows:size(1), CHUNK do
    local chunk = rows:narrow(1, first, math.min(CHUNK, rows:size(1) - first + 1)):double()
    local sum = chunk:sum(1)
    total = total and total:add_(sum) or sum
    if squares then
      sum = chunk:mul_(chunk):sum(1)
      total_squares = total_squares and total_squares:add_(sum) or sum
    end
  end
  return total, total_squares
end

--- Fits on training images.
---@param x Tensor {n, h, w, c}, uint8 (or any dtype), n > 0
---@param options { center: "image"|"channel"|nil, scale: "scalar"|"channel"|number|nil }
---  center: subtract the mean image, or the mean of each channel. scale: divide by one standard deviation of
---  all that is left, by one for each channel, or by that number. Deviations are NumPy's (no correction).
---@return Normalizer
function Normalizer.fit(x, options)
  local fn = "Normalizer.fit"
  check.arg(core.is_tensor(x) and x:rank() == 4 and x:numel() > 0, fn, "x", "images {n, h, w, c}", x)
  options = check.options(fn, options, { "center", "scale" })
  local center, scale = options.center, options.scale
  check.arg(center == nil or center == "image" or center == "channel", fn, "center",
    '"image", "channel" or nil', center)
  check.arg(scale == nil or scale == "scalar" or scale == "channel" or (type(scale) == "number" and scale > 0
    and scale < math.huge), fn, "scale", '"scalar", "channel", a positive number or nil', scale)
  local n, height, width, channels = table.unpack(x:shape())
  local area = height * width
  local self = { scale = type(scale) == "number" and scale or nil }
  local measured = scale == "scalar" or scale == "channel"
  if center or measured then
    local sum, squares = sums(x:reshape(n, area * channels), measured)
    local channel_mean = sum:reshape(area, channels):sum(1) / (n * area)
    local mean -- float64 {h*w*c}: what deviations are taken from
    if center == "image" then
      mean = sum / n
      self.mean = mean:float():reshape(height, width, channels)
    elseif center == "channel" or scale == "channel" then
      mean = tile(channel_mean, height, width)
      if center then self.mean = channel_mean:float() end
    else
      mean = core.full(sum:shape(), channel_mean:mean(), "float64")
    end
    if measured then
      -- sum of (x - mean)^2 over the images, at every place
      local spread = squares - mean * sum * 2 + mean * mean * n
      if scale == "scalar" then
        self.std = math.sqrt(math.max(0, spread:sum() / (n * area * channels)))
      else
        self.std = (spread:reshape(area, channels):sum(1):clamp(0) / (n * area)):sqrt():float()
      end
    end
  end
  return Normalizer.new{ mean = self.mean, std = self.std or self.scale }
end

--- Made from known values, as read from a file. What never varied (std 0) is not divided at all.
---@param values { mean: Tensor?, std: number|Tensor? } float32 tensors; see the fields
---@return Normalizer
function Normalizer.new(values)
  local fn = "Normalizer.new"
  check.arg(type(values) == "table", fn, "values", "a table", values)
  check.options(fn, values, { "mean", "std" })
  local mean, std = values.mean, values.std
  check.arg(mean == nil or (core.is_tensor(mean) and mean:dtype() == "float32"
    and (mean:rank() == 1 or mean:rank() == 3)), fn, "mean", "a float32 tensor {h, w, c} or {c}", mean)
  if core.is_tensor(std) then
    check.arg(std:dtype() == "float32" and std:rank() == 1, fn, "std",
      "a float32 tensor {c} or a number", std)
    std = std:masked_fill(std:eq(0), 1)
  else
    check.arg(std == nil or (type(std) == "number" and std >= 0 and std < math.huge), fn, "std",
      "a float32 tensor {c} or a number", std)
    if std == 0 then std = 1 end
  end
  return setmetatable({ mean = mean, std = std }, Normalizer)
end

--- The shape that one image has in x, with rows {n, h*w*c} read through the mean's shape.
local function image_shape(self, x)
  local rank = x:rank()
  if rank >= 3 then return x:size(-3), x:size(-2), x:size(-1) end
  local mean = self.mean
  if mean and mean:rank() == 3 then return table.unpack(mean:shape()) end
  local by_channel = mean or (core.is_tensor(self.std) and self.std)
  local channels = by_channel and by_channel:size(1) or 1
  check.arg(x:size(2) % channels == 0, "Normalizer:apply", "x", ("rows of %d channels"):format(channels), x)
  return 1, x:size(2) // channels, channels
end

--- Normalises images: (x - mean) / std in float32.
---@param x Tensor {n, h, w, c}, one image {h, w, c}, or rows {n, h*w*c}; uint8 or any dtype; not altered
---@param indices? Tensor int32 {b}: only these of the n images (1 to n), in this order
---@param out? Tensor float32, contiguous, of the result's shape: written into and returned
---@return Tensor float32 of the same shape, {b, …} with indices
function Normalizer:apply(x, indices, out)
  local fn = "Normalizer:apply"
  local rank = core.is_tensor(x) and x:rank() or 0
  check.arg(rank >= 2 and rank <= 4, fn, "x", "images {n, h, w, c}, one image or rows {n, h*w*c}", x)
  check.arg(indices == nil or (rank ~= 3 and core.is_tensor(indices) and indices:dtype() == "int32"
    and indices:rank() == 1), fn, "indices", "a tensor {b} of dtype int32, for x with an axis of images",
    indices)
  local height, width, channels = image_shape(self, x)
  local mean, std, size = self.mean, self.std, height * width * channels
  if mean then
    local by_channel = mean:rank() == 1 and mean:size(1) == channels
    check.arg((by_channel or mean:numel() == size) and (rank ~= 2 or x:size(2) == size), fn, "x",
      ("images of %d numbers, as its mean has"):format(mean:numel()), x)
    mean = mean:flatten()
  end
  if core.is_tensor(std) then
    check.arg(std:size(1) == channels, fn, "x", ("images of %d channels"):format(std:size(1)), x)
  end
  local shape = x:shape()
  local images = x:reshape(rank == 3 and 1 or shape[1], height * width, channels)
  if indices then shape[1] = indices:numel() end
  if x:dtype() ~= "uint8" then images = images:float() end
  out = out or core.empty(shape, "float32")
  core.nn.pack(rank == 3 and out:unsqueeze(1) or out, images, indices, mean, std)
  return out
end

return Normalizer
