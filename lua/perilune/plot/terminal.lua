-- Figures and images as text for a terminal with 24-bit colour: two pixels to a character cell
-- (upper half blocks), and the figure's words as real characters.
local core = require "perilune.core"

local terminal = {}

local Cells = {}
Cells.__index = Cells

--- A surface `columns` wide and `rows` high, in cells; a pixel is a column wide and half a row high.
function terminal.surface(columns, rows)
  return setmetatable({
    width = columns,
    height = 2 * rows,
    rows = rows,
    rotates = false,
    cells = {},
    pixels = core.full({ 2 * rows, columns, 3 }, 255, "uint8", "figure"),
    sizes = {
      scale = 1, text = 2, title = 2, heading = 2, hairline = 1, line = 1, marker = 2, tick = 0, gap = 1,
      margin = 1, gutter = 2, spacing_x = 10, spacing_y = 6, swatch = 3, leading = 1,
      frame = 0xC8C8C8FF,
    },
  }, Cells)
end

function Cells:clip(x0, y0, x1, y1)
  self.bounds = x0 and { math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1) }
end

function Cells:rect(x, y, width, height, color)
  core.canvas_rect(self.pixels, self.bounds, x, y, width, height, color)
end

function Cells:line(points, color, width)
  core.canvas_polyline(self.pixels, self.bounds, points, color, math.max(width, 1))
end

function Cells.outline() end

function Cells:markers(points, _, size, color, margin)
  if margin and margin > 0 then return end -- a halo is wider than what it would surround
  core.canvas_markers(self.pixels, self.bounds, points, "o", math.min(size, 1.6), color)
end

function Cells:picture(image, x, y, width, height, smooth)
  core.canvas_picture(self.pixels, self.bounds, image, x, y, width, height, smooth)
end

function Cells:text(text, x, y, _, color, bold, align_x, align_y, angle)
  if angle and angle ~= 0 then return end
  local length = utf8.len(text, 1, -1, true) or #text
  local column = math.floor(x - (align_x or 0) * length + 0.5)
  local row = math.floor((y - 2 * (1 - (align_y or 0))) / 2 + 0.5)
  if row < 0 or row >= self.rows then return end
  for character in text:gmatch "[\0-\x7F\xC2-\xFD][\x80-\xBF]*" do
    if column >= 0 and column < self.width then
      self.cells[row * self.width + column] = { character:gsub("%c", " "), color >> 8, bold }
    end
    column = column + 1
  end
end

function Cells.measure(_, text)
  return utf8.len(text, 1, -1, true) or #text, 2, 0, 2
end

--- The surface as lines of text with colour sequences, each line ended and reset.
---@return string
function Cells:ansi()
  local bytes, out = self.pixels:tobytes(), {}
  local stride = 3 * self.width
  for row = 0, self.rows - 1 do
    local front, back, heavy
    for column = 0, self.width - 1 do
      local at = 2 * row * stride + 3 * column + 1
      local r1, g1, b1 = bytes:byte(at, at + 2)
      local r2, g2, b2 = bytes:byte(at + stride, at + stride + 2)
      local cell = self.cells[row * self.width + column]
      local character = r1 == r2 and g1 == g2 and b1 == b2 and " " or "▀"
      if cell then
        character = cell[1]
        r1, g1, b1 = cell[2] >> 16, cell[2] >> 8 & 255, cell[2] & 255
      end
      local new_front = ("\27[38;2;%d;%d;%dm"):format(r1, g1, b1)
      local new_back = ("\27[48;2;%d;%d;%dm"):format(r2, g2, b2)
      local new_heavy = cell and cell[3] and "\27[1m" or "\27[22m"
      if new_front ~= front then out[#out + 1] = new_front end
      if new_back ~= back then out[#out + 1] = new_back end
      if cell and new_heavy ~= heavy then
        out[#out + 1] = new_heavy
        heavy = new_heavy
      end
      front, back = new_front, new_back
      out[#out + 1] = character
    end
    out[#out + 1] = "\27[0m\n"
  end
  return table.concat(out)
end

--- A uint8 image {h, w, c} as text, at most `columns` wide.
---@return string
function terminal.image(image, columns)
  local shape = image:shape()
  local height, width = shape[1], shape[2]
  local wide = math.max(1, math.min(columns, width))
  local rows = math.max(1, math.floor(height * wide / width / 2 + 0.5))
  local cells = terminal.surface(wide, rows)
  cells:picture(image, 0, 0, wide, 2 * rows, wide < width)
  return cells:ansi()
end

--- The width of the terminal that standard output is, or nil when it is none.
---@return integer?
terminal.columns = core.stdout_columns

return terminal
