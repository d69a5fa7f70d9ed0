-- The legend: what it says, how large it is, and where it hides the least of the data.
local style = require "perilune.plot.style"
local words = require "perilune.plot.words"

local legend = {}

legend.places = {
  ["upper right"] = { 1, 0 }, ["upper left"] = { 0, 0 }, ["lower right"] = { 1, 1 },
  ["lower left"] = { 0, 1 }, ["center right"] = { 1, 0.5 }, ["center left"] = { 0, 0.5 },
  ["upper center"] = { 0.5, 0 }, ["lower center"] = { 0.5, 1 }, center = { 0.5, 0.5 },
}
local order = {
  "upper right", "lower right", "upper left", "lower left", "center right", "center left", "upper center",
  "lower center", "center",
}

--- Sizes up a legend for these artists, or nil when none has a label.
---@param room number width that it may take
function legend.measure(surface, artists, room)
  local sizes = surface.sizes
  local entries, widest = {}, 0
  local before = sizes.swatch + sizes.gap * 1.4
  for _, artist in ipairs(artists) do
    if artist.label then
      local label = words.shorten(surface, artist.label, sizes.text, room - before - 3 * sizes.gap)
      entries[#entries + 1] = { artist = artist, label = label }
      widest = math.max(widest, (surface:measure(label, sizes.text)))
    end
  end
  if #entries == 0 then return nil end
  local row = surface.rotates and math.floor(sizes.text * 1.5 + 0.5) or 2
  local pad = surface.rotates and sizes.gap * 1.4 or 1
  return {
    entries = entries, row = row, pad = pad,
    width = math.ceil(before + widest + 2 * pad), height = math.ceil(#entries * row + 2 * pad * 0.8),
  }
end

--- The corner for a measured legend inside the box: the named place, or where the fewest of the
--- points (x1, y1, x2, y2 ... in pixels) lie under it.
function legend.place(measured, box, place, points, inset)
  local function corner(name)
    local at = legend.places[name]
    return math.floor(box.x + inset + at[1] * (box.width - measured.width - 2 * inset)),
      math.floor(box.y + inset + at[2] * (box.height - measured.height - 2 * inset))
  end
  if place ~= "best" then return corner(place) end
  local best_x, best_y, least
  for _, name in ipairs(order) do
    local x, y = corner(name)
    local x0, x1 = x - inset / 2, x + measured.width + inset / 2
    local y0, y1 = y - inset / 2, y + measured.height + inset / 2
    local covered = 0
    for i = 1, #points, 2 do
      local px, py = points[i], points[i + 1]
      if px >= x0 and px <= x1 and py >= y0 and py <= y1 then covered = covered + 1 end
    end
    if not least or covered < least then best_x, best_y, least = x, y, covered end
    if covered == 0 then break end
  end
  return best_x, best_y
end

local function swatch(surface, artist, x, y)
  local sizes = surface.sizes
  local color = style.rgba(artist.color, artist.alpha)
  local middle = x + sizes.swatch / 2
  if artist.kind == "bar" then
    local side = sizes.text * 0.75
    local left, top = math.floor(middle - side / 2), math.floor(y - side / 2)
    surface:rect(left, top, math.ceil(side), math.ceil(side), color)
    return
  end
  if artist.dashes ~= "none" and artist.kind ~= "scatter" then
    local width = artist.width * sizes.scale
    local dashes = artist.dashes and {}
    for i, length in ipairs(artist.dashes or {}) do dashes[i] = math.max(length * width, 0.25) end
    surface:line({ x, y, x + sizes.swatch, y }, color, math.max(width, 1.2 * sizes.scale), dashes or nil)
  end
  if artist.marker then
    surface:markers({ middle, y }, artist.marker, math.min(artist.size, 9) * sizes.scale,
      style.rgba(artist.color))
  end
end

--- Draws a measured legend with its upper left corner at (x, y), framed unless it stands outside.
function legend.draw(surface, measured, x, y, framed)
  local sizes = surface.sizes
  local line = sizes.hairline
  if framed and surface.rotates then
    surface:rect(x, y, measured.width, measured.height, 0xD4D4D4FF)
    surface:rect(x + line, y + line, measured.width - 2 * line, measured.height - 2 * line, style.background)
  elseif framed then
    surface:rect(x, y, measured.width, measured.height, style.background)
  end
  for i, entry in ipairs(measured.entries) do
    local middle = math.floor(y + measured.pad * 0.8 + (i - 0.5) * measured.row) + 0.5 * (line % 2)
    swatch(surface, entry.artist, x + measured.pad, middle)
    local left = x + measured.pad + sizes.swatch + sizes.gap * 1.4
    surface:text(entry.label, left, middle, sizes.text, style.text, false, 0, 0.5)
  end
end

return legend
