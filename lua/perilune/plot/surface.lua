-- What figures are drawn on. A surface has width, height, `sizes` (style.sizes) and the methods
-- below; this one is pixels, terminal.lua has one of character cells. Colours are 0xRRGGBBAA.
local core = require "perilune.core"
local style = require "perilune.plot.style"

local Surface = {}
Surface.__index = Surface

--- A white surface of pixels.
---@param width integer
---@param height integer
---@param scale number size of type and strokes; 1: type of 12 pixels
function Surface.new(width, height, scale)
  return setmetatable({
    width = width,
    height = height,
    sizes = style.sizes(scale),
    rotates = true,
    pixels = core.full({ height, width, 3 }, 255, "uint8", "figure"),
  }, Surface)
end

--- Restricts drawing to a rectangle (corners in pixels), or with no arguments lifts that.
function Surface:clip(x0, y0, x1, y1)
  self.bounds = x0 and { math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1) }
end

function Surface:rect(x, y, width, height, color)
  core.canvas_rect(self.pixels, self.bounds, x, y, width, height, color)
end

--- `points` is x1, y1, x2, y2 ...; `dashes` lengths on, off ... in pixels.
function Surface:line(points, color, width, dashes, cap)
  core.canvas_polyline(self.pixels, self.bounds, points, color, width, "round", cap or "butt", dashes)
end

function Surface:outline(points, color, width)
  core.canvas_polyline(self.pixels, self.bounds, points, color, width, "miter", "butt", nil, true)
end

function Surface:markers(points, shape, size, color, margin)
  core.canvas_markers(self.pixels, self.bounds, points, shape, size, color, margin)
end

function Surface:picture(image, x, y, width, height, smooth)
  core.canvas_picture(self.pixels, self.bounds, image, x, y, width, height, smooth)
end

--- Draws one line of text with (x, y) at the fraction align_x of its width and align_y of the height
--- of its capitals above the baseline; angle is 0 or 90.
function Surface:text(text, x, y, size, color, bold, align_x, align_y, angle)
  core.canvas_text(self.pixels, self.bounds, text, x, y, size, color, bold, align_x, align_y, angle)
end

--- Width, ascent, descent and height of capitals of a line of text.
function Surface.measure(_, text, size, bold)
  return core.text_measure(text, size, bold)
end

return Surface
