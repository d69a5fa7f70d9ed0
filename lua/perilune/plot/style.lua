-- How plots look: colours that people with any kind of colour vision can tell apart, and the sizes
-- of type and strokes, all in one place.
local check = require "perilune.check"

local style = {}

-- Okabe and Ito's colours in an order that keeps neighbours far apart, without their yellow (too
-- pale on white), followed by darker ones of Paul Tol's.
style.cycle = {
  0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0x56B4E9, 0xE69F00, 0x332288, 0x882255, 0x6B6B6B, 0x44AA99,
}

style.background = 0xFFFFFFFF
style.ink = 0x262626FF -- titles
style.text = 0x404040FF -- labels
style.axis = 0x5A5A5AFF
style.grid = 0xE6E6E6FF
style.guide = 0x8A8A8A -- hline, vline

local names = {
  black = 0x000000, white = 0xFFFFFF, red = 0xD62728, green = 0x009E73, blue = 0x0072B2, orange = 0xE69F00,
  purple = 0x8E5EA2, pink = 0xCC79A7, brown = 0x8C564B, gray = 0x7F7F7F, grey = 0x7F7F7F, yellow = 0xF0E442,
  cyan = 0x56B4E9, magenta = 0xC2187A, vermillion = 0xD55E00, teal = 0x44AA99, navy = 0x332288,
}

--- A colour as 0xRRGGBB: a name, "#rgb", "#rrggbb", 0xRRGGBB, "C1", "C2" ... (the cycle), or a list
--- {r, g, b} of numbers from 0 to 1.
---@return integer
function style.color(value, fn, name)
  local expected = "a colour such as \"#0072B2\", \"red\", \"C1\" or 0x0072B2"
  if math.type(value) == "integer" and value >= 0 and value <= 0xFFFFFF then return value end
  if type(value) == "string" then
    if names[value] then return names[value] end
    local six = value:match "^#(%x%x%x%x%x%x)$"
    local three = value:match "^#(%x%x%x)$"
    if three then six = three:gsub("%x", "%0%0") end
    if six then return tonumber(six, 16) end
    local index = tonumber(value:match "^C(%d+)$")
    if index and index >= 1 and index < 1000 then return style.cycle[(index - 1) % #style.cycle + 1] end
  elseif type(value) == "table" and #value == 3 then
    local color = 0
    for i = 1, 3 do
      local part = value[i]
      check.arg(type(part) == "number" and part >= 0 and part <= 1, fn, name, expected, value)
      color = color << 8 | math.floor(part * 255 + 0.5)
    end
    return color
  end
  check.arg(false, fn, name, expected, value)
end

--- 0xRRGGBB and an opacity from 0 to 1 as 0xRRGGBBAA.
function style.rgba(color, alpha)
  return color << 8 | math.floor((alpha or 1) * 255 + 0.5)
end

-- Dashes in line widths: on, off ...; a "-" is solid, "none" draws markers alone.
style.dashes = {
  ["-"] = false, ["--"] = { 4, 2.2 }, [":"] = { 1.1, 1.8 }, ["-."] = { 5, 2, 1.1, 2 }, none = "none",
}
style.markers = { o = true, s = true, ["^"] = true, v = true, D = true, x = true, ["+"] = true }

--- Sizes in pixels for a figure whose type is `scale` times the usual 12 pixels.
---@param scale number
function style.sizes(scale)
  return {
    scale = scale,
    text = 12 * scale,
    title = 13.5 * scale,
    heading = 16 * scale,
    hairline = math.max(1, math.floor(scale + 0.25)),
    line = 1.6 * scale,
    marker = 6 * scale,
    tick = math.floor(4 * scale + 0.5),
    gap = 5 * scale, -- between a tick and its label, a label and its neighbour
    margin = 14 * scale, -- round the figure
    gutter = 20 * scale, -- between panels
    spacing_x = 44 * scale, -- least distance of ticks
    spacing_y = 31 * scale,
    swatch = 20 * scale, -- a line's sample in the legend
    leading = 1.28, -- line height over type size
  }
end

return style
