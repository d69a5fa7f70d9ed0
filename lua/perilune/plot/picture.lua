-- Images: any numeric tensor as bytes, grids of tiles, and the object that saves and shows them.
local check = require "perilune.check"
local core = require "perilune.core"
local terminal = require "perilune.plot.terminal"

local picture = {}

local max_side, max_pixels = 16384, 64 << 20

-- Least and greatest finite value; nil when there is none.
local function range(tensor)
  local finite = tensor:isfinite()
  if not finite:all() then tensor = tensor:masked_select(finite) end
  if tensor:numel() == 0 then return nil end
  return tensor:min(), tensor:max()
end

-- float64 values as bytes: low becomes 0 and high 255, the rest cut to whole numbers as NumPy does
-- it; a constant image and values that are not finite become 0.
local function scaled(tensor, low, high)
  if not low or high <= low then return core.full(tensor:shape(), 0, "uint8", "image") end
  local finite = tensor:isfinite()
  if not finite:all() then tensor = tensor:masked_fill(finite:logical_not(), low) end
  -- Two small factors: 255 / (high - low) alone can overflow.
  return ((tensor - low) / (high - low) * 255):clamp(0, 255):to "uint8"
end

--- An image {h, w} or {h, w, 1|3|4} of any dtype as uint8: bytes stay, other dtypes are stretched from
--- their least to their greatest value.
function picture.to_bytes(image, fn, name)
  local expected = "a tensor {h, w} or {h, w, 1|3|4}"
  check.arg(core.is_tensor(image), fn, name, expected, image)
  local shape = image:shape()
  local channels = #shape == 2 and 1 or #shape == 3 and shape[3]
  check.arg(channels == 1 or channels == 3 or channels == 4, fn, name, expected, image)
  check.arg(shape[1] >= 1 and shape[2] >= 1, fn, name, "at least one pixel", image)
  check.arg(shape[1] <= max_side and shape[2] <= max_side and shape[1] * shape[2] <= max_pixels, fn, name,
    "sides of at most 16384 and at most 64 Mi pixels", image)
  if image:dtype() == "uint8" then return image:clone() end
  local values = image:to "float64"
  return scaled(values, range(values))
end

---@class Image
local Image = {}
Image.__index = Image
Image.__name = "image"

-- pixels: uint8 {h, w, c} at its final size.
local function wrap(pixels)
  return setmetatable({ pixels = pixels }, Image)
end

--- Width and height in pixels.
---@return integer width
---@return integer height
function Image:size()
  local shape = self.pixels:shape()
  return shape[2], shape[1]
end

--- The pixels, as a tensor of their own.
---@return Tensor uint8 {h, w, c}
function Image:render()
  return self.pixels:clone()
end

--- Writes a PNG file, whole or not at all, and makes the folders above it.
---@param path string ending in .png
---@return true|nil
---@return string? message what the world refused
function Image:save(path)
  return picture.save(self.pixels, path)
end

--- The image as text for a terminal with 24-bit colour.
---@param columns? integer at most this many (80)
---@return string
function Image:ansi(columns)
  return terminal.image(self.pixels, check.integer(columns or 80, "ansi", "columns", 1, 1000))
end

--- Shows the image on a terminal; elsewhere prints one line about it.
function Image:show()
  local columns = terminal.columns()
  io.write(columns and self:ansi(math.min(columns, 1000)) or tostring(self) .. "\n")
end

function Image:__tostring()
  return ("Image %dx%d"):format(self:size())
end

--- Writes uint8 pixels to a PNG file for fig:save and image:save.
function picture.save(pixels, path)
  local good = type(path) == "string" and path:lower():find "[^/]%.png$" and not path:find "\0"
  check.arg(good, "save", "path", "a path ending in .png", path)
  local folder = path:match "^(.*)/[^/]*$"
  if folder and folder ~= "" then
    local made, message = core.mkdirs(folder)
    if not made then return nil, message end
  end
  return core.png_write(path, pixels)
end

local function enlarged(pixels, scale)
  if scale == 1 then return pixels end
  local shape = pixels:shape()
  local h, w, c = shape[1], shape[2], shape[3]
  local spread = pixels:reshape(h, 1, w, 1, c):expand(h, scale, w, scale, c)
  return spread:contiguous():reshape(h * scale, w * scale, c)
end

local function check_scale(scale, fn)
  return scale == nil and 1 or check.integer(scale, fn, "scale", 1, 256)
end

local function check_size(fn, width, height, scale)
  local good = height * scale <= max_side and width * scale <= max_side
  if not good or height * width * scale * scale > max_pixels then
    check.raise("%s: %d by %d pixels at scale %d are more than a picture has (16384 a side, 64 Mi)",
      fn, width, height, scale)
  end
end

--- One image: `plot.image(t):save("picture.png")`.
---@param image Tensor {h, w} or {h, w, 1|3|4}; uint8 as it is, other dtypes stretched from their least
--- to their greatest value
---@param options? table scale (1): each pixel becomes so many squared
---@return Image
function picture.image(image, options)
  options = check.options("image", options, { "scale" })
  local scale = check_scale(options.scale, "image")
  local pixels = picture.to_bytes(image, "image", "image")
  local shape = pixels:shape()
  check_size("image", shape[2], shape[1], scale)
  return wrap(enlarged(pixels:reshape(shape[1], shape[2], shape[3] or 1), scale))
end

-- The images of a grid as {n, h, w, c}.
local function check_images(images, fn)
  local expected = "a tensor {n, h, w} or {n, h, w, 1|3|4}"
  check.arg(core.is_tensor(images), fn, "images", expected, images)
  local shape = images:shape()
  local n, h, w, c = shape[1], shape[2], shape[3], #shape == 3 and 1 or shape[4]
  check.arg((#shape == 3 or #shape == 4) and (c == 1 or c == 3 or c == 4), fn, "images", expected, images)
  check.arg(n >= 1 and h >= 1 and w >= 1, fn, "images", "at least one image of at least one pixel", images)
  return images:reshape(n, h, w, c), n, h, w, c
end

local function check_normalize(normalize, dtype, fn)
  if normalize == nil then return dtype ~= "uint8" and "each" end
  local good = normalize == "each" or normalize == "all" or normalize == false
  check.arg(good, fn, "normalize", "\"each\", \"all\" or false", normalize)
  if normalize == false and dtype ~= "uint8" then
    check.raise("%s: argument 'normalize': expected \"each\" or \"all\" for a tensor of dtype %s", fn, dtype)
  end
  return normalize
end

--- Images side by side in rows from the upper left, `padding` pixels of background between them and
--- none round them: n tiles of h by w make a picture of rows·h + (rows−1)·padding by the same for
--- columns, as in CS231n's visualize_grid.
---@param images Tensor {n, h, w} or {n, h, w, 1|3|4}, any dtype
---@param options? table cols (⌈√n⌉), padding (3), background (255: a grey from 0 to 255), normalize
--- ("each": every tile from its own least to its own greatest value; "all": one range for all; false:
--- uint8 as it is; default "each", false for uint8), scale (1: each pixel becomes so many squared)
---@return Image
function picture.image_grid(images, options)
  local fn = "image_grid"
  options = check.options(fn, options, { "cols", "padding", "background", "normalize", "scale" })
  local n, h, w, c
  images, n, h, w, c = check_images(images, fn)
  local normalize = check_normalize(options.normalize, images:dtype(), fn)
  local cols = math.ceil(math.sqrt(n))
  local rows = cols -- a square of tiles stays one: 50 are 8 by 8, the last places empty
  if options.cols ~= nil then
    cols = check.integer(options.cols, fn, "cols", 1, max_side)
    rows = (n + cols - 1) // cols
  end
  local padding = check.integer(options.padding == nil and 3 or options.padding, fn, "padding", 0, 1024)
  local background = options.background == nil and 255 or options.background
  check.integer(background, fn, "background", 0, 255)
  local scale = check_scale(options.scale, fn)
  local height, width = rows * (h + padding) - padding, cols * (w + padding) - padding
  check_size(fn, width, height, scale)
  if normalize then images = images:to "float64" end
  local low, high
  if normalize == "all" then low, high = range(images) end
  local grid = core.full({ height, width, c }, background, "uint8", fn)
  for i = 1, n do
    local tile = images:select(1, i)
    if normalize == "each" then low, high = range(tile) end
    if normalize then tile = scaled(tile, low, high) end
    local top, left = (i - 1) // cols * (h + padding), (i - 1) % cols * (w + padding)
    grid:narrow(1, top + 1, h):narrow(2, left + 1, w):copy_(tile)
  end
  return wrap(enlarged(grid, scale))
end

return picture
