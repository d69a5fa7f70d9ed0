-- A figure: panels in rows and columns, laid out so that their plots are of one size and their edges
-- line up, with room measured from the words round them.
local check = require "perilune.check"
local Axes = require "perilune.plot.axes"
local Surface = require "perilune.plot.surface"
local picture = require "perilune.plot.picture"
local layout = require "perilune.plot.layout"
local render = require "perilune.plot.render"
local style = require "perilune.plot.style"
local terminal = require "perilune.plot.terminal"
local words = require "perilune.plot.words"

---@class Figure
local Figure = {}
Figure.__index = Figure
Figure.__name = "figure"

--- An empty figure.
---@param options? table width, height (pixels; 1200 by 750 for one panel, taller for more), rows (1),
--- cols (1), title, scale (size of type and strokes, 1: type of 12 pixels; by default it follows the
--- size of a panel, so that a figure looks the same at any resolution)
---@return Figure
function Figure.new(options)
  options = check.options("figure", options, { "width", "height", "rows", "cols", "title", "scale" })
  local function integer(name, fallback, low, high)
    return options[name] == nil and fallback or check.integer(options[name], "figure", name, low, high)
  end
  local rows, cols = integer("rows", 1, 1, 64), integer("cols", 1, 1, 64)
  local wide = cols == 1 and 1200 or 800 * cols
  local high = rows == 1 and (cols == 1 and 750 or 640) or 550 * rows
  local width = integer("width", math.min(wide, 4096), 16, 16384)
  local height = integer("height", math.min(high, 4096), 16, 16384)
  check.arg(width * height <= 64 << 20, "figure", "height", "at most 64 Mi pixels in all", height)
  local scale = options.scale
  if scale == nil then
    local panel = math.sqrt(width / cols / 600 * (height / rows / 375))
    scale = math.max(0.7, math.min(panel, 2, width / 300))
  end
  local good = type(scale) == "number" and scale >= 0.25 and scale <= 16
  check.arg(good, "figure", "scale", "a number from 0.25 to 16", scale)
  local title = options.title
  check.arg(title == nil or type(title) == "string", "figure", "title", "a string", title)
  return setmetatable({
    width = width, height = height, rows = rows, cols = cols, title = title, scale = scale, panels = {},
  }, Figure)
end

--- The panel in a row and column, made when first asked for.
---@param row? integer 1 by default, counted from the top
---@param col? integer 1 by default
---@return Axes
function Figure:axes(row, col)
  row = check.integer(row == nil and 1 or row, "axes", "row", 1, self.rows)
  col = check.integer(col == nil and 1 or col, "axes", "col", 1, self.cols)
  local index = (row - 1) * self.cols + col
  self.panels[index] = self.panels[index] or Axes.new(self)
  return self.panels[index]
end

-- Sum of list[1] ... list[n].
local function total(list, n)
  local sum = 0
  for i = 1, n do sum = sum + (list[i] or 0) end
  return sum
end

-- Draws the figure on any surface. Words need room, room changes the ticks, ticks change the words:
-- three rounds settle it.
local function draw(self, surface)
  local sizes = surface.sizes
  local margin, gutter = math.floor(sizes.margin + 0.5), math.floor(sizes.gutter + 0.5)
  local head, lines, heading = 0, nil, nil
  if self.title then
    lines, heading = words.fit(surface, self.title, sizes.heading, true, surface.width - 2 * margin,
      surface.height * 0.15)
    head = math.ceil(#lines * heading * (surface.rotates and sizes.leading or 1) + sizes.gap)
  end
  local plot_width = surface.width * 0.8 / self.cols
  local plot_height = surface.height * 0.75 / self.rows
  local left, right, top, bottom, ylabels, rooms, plans
  for _ = 1, 3 do
    left, right, top, bottom, ylabels, rooms, plans = {}, {}, {}, {}, {}, {}, {}
    for row = 1, self.rows do
      for col = 1, self.cols do
        local axes = self.panels[(row - 1) * self.cols + col]
        if axes then
          local plan = layout.measure(surface, axes, plot_width, plot_height)
          plans[#plans + 1] = plan
          plan.row, plan.col = row, col
          -- Labels of the y axes stand in one line down a column.
          ylabels[col] = math.max(ylabels[col] or 0, plan.ylabel_at or 0)
          rooms[col] = math.max(rooms[col] or 0, plan.ylabel_room or 0)
          left[col] = math.max(left[col] or 0, plan.left, math.ceil(ylabels[col] + rooms[col]))
          right[col] = math.max(right[col] or 0, plan.right)
          top[row], bottom[row] = math.max(top[row] or 0, plan.top), math.max(bottom[row] or 0, plan.bottom)
        end
      end
    end
    local across = surface.width - 2 * margin - total(left, self.cols) - total(right, self.cols)
    local down = surface.height - 2 * margin - head - total(top, self.rows) - total(bottom, self.rows)
    plot_width = math.max(4, math.floor((across - (self.cols - 1) * gutter) / self.cols))
    plot_height = math.max(4, math.floor((down - (self.rows - 1) * gutter) / self.rows))
  end
  for i, line in ipairs(lines or {}) do
    local _, _, _, capital = surface:measure(line, heading, true)
    local y = margin + (i - 1) * heading * sizes.leading
    surface:text(line, surface.width / 2, y + capital, heading, style.ink, true, 0.5, 0)
  end
  for _, plan in ipairs(plans) do
    local col, row = plan.col, plan.row
    plan.ylabel_at = plan.ylabel_at and ylabels[col]
    render.draw(surface, plan, {
      x = margin + total(left, col) + total(right, col - 1) + (col - 1) * (plot_width + gutter),
      y = margin + head + total(top, row) + total(bottom, row - 1) + (row - 1) * (plot_height + gutter),
      width = plot_width,
      height = plot_height,
    })
  end
  return surface
end

--- The figure's pixels.
---@return Tensor uint8 {height, width, 3}
function Figure:render()
  return draw(self, Surface.new(self.width, self.height, self.scale)).pixels
end

--- Writes a PNG file, whole or not at all, and makes the folders above it.
---@param path string ending in .png
---@return true|nil
---@return string? message what the world refused
function Figure:save(path)
  return picture.save(self:render(), path)
end

--- The figure as text for a terminal with 24-bit colour: lines in half blocks, words as characters.
---@param columns? integer (80)
---@return string
function Figure:ansi(columns)
  columns = check.integer(columns or 80, "ansi", "columns", 8, 1000)
  local rows = math.max(4, math.floor(columns * self.height / self.width / 2 + 0.5))
  return draw(self, terminal.surface(columns, math.min(rows, 500))):ansi()
end

--- Shows the figure on a terminal; elsewhere prints one line about it.
function Figure:show()
  local columns = terminal.columns()
  io.write(columns and self:ansi(math.max(8, math.min(columns, 120))) or tostring(self) .. "\n")
end

function Figure:__tostring()
  local names, count = {}, 0
  for index = 1, self.rows * self.cols do
    local axes = self.panels[index]
    if axes then
      count = count + 1
      local name = axes.settings.title or axes.settings.ylabel
      if name then names[#names + 1] = ("\"%s\""):format(name) end
    end
  end
  return ("Figure %dx%d, %d axes%s"):format(self.width, self.height, count,
    #names > 0 and ": " .. table.concat(names, ", ") or "")
end

return Figure
