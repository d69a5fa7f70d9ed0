-- One panel of a figure: what has been asked to be drawn in it. Methods check their arguments, keep
-- them as artists and return the axes, so that calls chain; render.lua draws.
local check = require "perilune.check"
local core = require "perilune.core"
local picture = require "perilune.plot.picture"
local legend = require "perilune.plot.legend"
local style = require "perilune.plot.style"

---@class Axes
local Axes = {}
Axes.__index = Axes
Axes.__name = "axes"

function Axes.new(figure)
  return setmetatable({ figure = figure, artists = {}, settings = {}, colors_used = 0 }, Axes)
end

-- Tensors of rank 1 and lists of numbers as a list of floats; not-a-number may be among them.
local function numbers(values, fn, name)
  if core.is_tensor(values) then
    check.arg(values:rank() == 1, fn, name, "a tensor of rank 1 or a list of numbers", values)
    values = values:totable()
  end
  check.arg(type(values) == "table", fn, name, "a tensor of rank 1 or a list of numbers", values)
  local list = {}
  for i = 1, #values do
    local value = values[i]
    if type(value) ~= "number" then
      local got = check.describe(value)
      check.raise("%s: argument '%s': expected numbers, got %s at position %d", fn, name, got, i)
    end
    list[i] = value + 0.0
  end
  return list
end

-- (x, y, options) or (y, options) with x = 1, 2, 3 ...
local function series(fn, x, y, options)
  local only_y = y == nil or (type(y) == "table" and #y == 0 and options == nil and not (
    type(x) == "table" and #x == 0))
  if only_y then
    options, y = y, numbers(x, fn, "y")
    x = {}
    for i = 1, #y do x[i] = i + 0.0 end
    return x, y, options
  end
  x, y = numbers(x, fn, "x"), numbers(y, fn, "y")
  if #x ~= #y then
    check.raise("%s: arguments 'x' and 'y': expected as many x as y, got %d and %d", fn, #x, #y)
  end
  return x, y, options
end

local function positive(value, fn, name, fallback)
  if value == nil then return fallback end
  local good = type(value) == "number" and value > 0 and value <= 200
  check.arg(good, fn, name, "a number above 0 and at most 200", value)
  return value
end

local function fraction(value, fn, name)
  if value == nil then return 1 end
  check.arg(type(value) == "number" and value >= 0 and value <= 1, fn, name, "a number from 0 to 1", value)
  return value
end

local function text_or_nil(value, fn, name)
  check.arg(value == nil or type(value) == "string", fn, name, "a string", value)
  return value
end

local function finite(value, fn, name)
  check.arg(type(value) == "number" and value - value == 0, fn, name, "a finite number", value)
  return value + 0.0
end

-- What every artist shares; a series without a colour of its own takes the next of the cycle.
function Axes:_add(fn, kind, options, artist)
  artist.kind = kind
  artist.label = text_or_nil(options.label, fn, "label")
  artist.alpha = fraction(options.alpha, fn, "alpha")
  if options.color ~= nil then
    artist.color = style.color(options.color, fn, "color")
  elseif not artist.color then
    artist.color = style.cycle[self.colors_used % #style.cycle + 1]
    -- Once round the cycle: the same colours, dashed.
    if self.colors_used >= #style.cycle and artist.dashes == false then artist.dashes = style.dashes["--"] end
    self.colors_used = self.colors_used + 1
  end
  self.artists[#self.artists + 1] = artist
  return self
end

local function line_style(value, fn)
  if value == nil then value = "-" end
  check.arg(style.dashes[value] ~= nil, fn, "style", "\"-\", \"--\", \":\", \"-.\" or \"none\"", value)
  return style.dashes[value]
end

local function marker(value, fn)
  local expected = "\"o\", \"s\", \"^\", \"v\", \"D\", \"x\" or \"+\""
  check.arg(value == nil or style.markers[value], fn, "marker", expected, value)
  return value
end

--- A line through points: `ax:line(y)`, `ax:line(x, y)`, each with options at the end. A value that
--- is not finite (or not above 0 on a log axis) breaks the line.
---@param x Tensor|number[] rank 1; may be left out: 1, 2, 3 ...
---@param y Tensor|number[] as many
---@param options? table label, color, width (1.6), style ("-", "--", ":", "-.", "none"), marker ("o",
--- "s", "^", "v", "D", "x", "+"), size of the markers (6), alpha
---@return Axes self
function Axes:line(x, y, options)
  x, y, options = series("line", x, y, options)
  options = check.options("line", options, { "label", "color", "width", "style", "marker", "size", "alpha" })
  return self:_add("line", "line", options, {
    x = x, y = y,
    width = positive(options.width, "line", "width", 1.6), width_given = options.width ~= nil,
    dashes = line_style(options.style, "line"),
    marker = marker(options.marker, "line"),
    size = positive(options.size, "line", "size", 6),
  })
end

--- Points without a line.
---@param x Tensor|number[] rank 1; may be left out: 1, 2, 3 ...
---@param y Tensor|number[] as many
---@param options? table label, color, marker ("o"), size (6), alpha
---@return Axes self
function Axes:scatter(x, y, options)
  x, y, options = series("scatter", x, y, options)
  options = check.options("scatter", options, { "label", "color", "marker", "size", "alpha" })
  return self:_add("scatter", "scatter", options, {
    x = x, y = y,
    marker = marker(options.marker or "o", "scatter"),
    size = positive(options.size, "scatter", "size", 6),
  })
end

--- Bars standing on 0.
---@param x Tensor|number[]|string[] middles of the bars, or their names
---@param height Tensor|number[] as many
---@param options? table label, color, width (0.8, in units of x), alpha
---@return Axes self
function Axes:bar(x, height, options)
  options = check.options("bar", options, { "label", "color", "width", "alpha" })
  if type(x) == "table" and type(x[1]) == "string" then
    local places = {}
    for i, name in ipairs(x) do
      check.arg(type(name) == "string", "bar", "x", "names only or numbers only", name)
      places[i] = i
    end
    self.settings.xticks, self.settings.xticklabels = places, x
    x = places
  end
  x, height = numbers(x, "bar", "x"), numbers(height, "bar", "height")
  if #x ~= #height then
    check.raise("bar: arguments 'x' and 'height': expected as many of both, got %d and %d", #x, #height)
  end
  local width = positive(options.width, "bar", "width", 0.8)
  return self:_add("bar", "bar", options, { x = x, y = height, width = width })
end

local function guide(self, kind, value, options)
  options = check.options(kind, options, { "label", "color", "width", "style", "alpha" })
  return self:_add(kind, kind, options, {
    value = finite(value, kind, kind == "hline" and "y" or "x"),
    color = style.guide,
    width = positive(options.width, kind, "width", 1.2),
    dashes = line_style(options.style or "--", kind),
  })
end

--- A level line right across.
---@param y number
---@param options? table label, color (grey), width (1.2), style ("--"), alpha
---@return Axes self
function Axes:hline(y, options)
  return guide(self, "hline", y, options)
end

--- An upright line from bottom to top.
---@param x number
---@param options? table label, color (grey), width (1.2), style ("--"), alpha
---@return Axes self
function Axes:vline(x, options)
  return guide(self, "vline", x, options)
end

--- A note at a point of the data.
---@param x number
---@param y number
---@param text string
---@param options? table color, size (11), align ("left", "center", "right"), bold
---@return Axes self
function Axes:text(x, y, text, options)
  options = check.options("text", options, { "color", "size", "align", "bold" })
  check.arg(type(text) == "string", "text", "text", "a string", text)
  local aligns = { left = 0, center = 0.5, right = 1 }
  local align = aligns[options.align or "left"]
  check.arg(align, "text", "align", "\"left\", \"center\" or \"right\"", options.align)
  return self:_add("text", "text", { color = options.color }, {
    x = finite(x, "text", "x"), y = finite(y, "text", "y"), text = text, align = align,
    size = positive(options.size, "text", "size", 11), bold = options.bold and true or false,
    color = 0x404040,
  })
end

--- An image that fills the axes, its pixels square. Pixel (1, 1) is at the upper left.
---@param image Tensor {h, w} or {h, w, 1|3|4}; uint8 as it is, other dtypes stretched from their least
--- to their greatest value
---@param options? table smooth (false): interpolate when it is enlarged
---@return Axes self
function Axes:image(image, options)
  options = check.options("image", options, { "smooth" })
  local pixels = picture.to_bytes(image, "image", "image")
  local smooth = options.smooth and true or false
  return self:_add("image", "image", {}, { pixels = pixels, smooth = smooth, color = 0 })
end

local known = {
  "title", "xlabel", "ylabel", "xlim", "ylim", "xscale", "yscale", "grid", "legend", "xticks",
  "yticks", "xticklabels", "yticklabels",
}

local checks = {}
for _, name in ipairs { "title", "xlabel", "ylabel" } do
  checks[name] = function(value) check.arg(type(value) == "string", "set", name, "a string", value) end
end
for _, name in ipairs { "xlim", "ylim" } do
  checks[name] = function(value)
    local expected = "a pair {low, high} of different finite numbers (nil for either: from the data)"
    check.arg(type(value) == "table", "set", name, expected, value)
    for i = 1, 2 do
      local limit = value[i]
      local good = limit == nil or (type(limit) == "number" and limit - limit == 0)
      check.arg(good, "set", name, expected, limit)
    end
    check.arg(value[1] == nil or value[1] ~= value[2], "set", name, expected, value[1])
  end
end
for _, name in ipairs { "xscale", "yscale" } do
  checks[name] = function(value)
    check.arg(value == "linear" or value == "log", "set", name, "\"linear\" or \"log\"", value)
  end
end
for _, name in ipairs { "xticks", "yticks" } do
  checks[name] = function(value) return numbers(value, "set", name) end
end
for _, name in ipairs { "xticklabels", "yticklabels" } do
  checks[name] = function(value)
    check.arg(type(value) == "table", "set", name, "a list of strings", value)
    local list = {}
    for i, label in ipairs(value) do list[i] = tostring(label) end
    return list
  end
end
function checks.grid(value)
  check.arg(type(value) == "boolean", "set", "grid", "true or false", value)
end
function checks.legend(value)
  local good = value == false or value == "best" or value == "outside" or legend.places[value]
  check.arg(good, "set", "legend", "false, \"best\", \"outside\" or a place such as \"upper right\"", value)
end

--- Words, limits and looks. Options: title, xlabel, ylabel; xlim, ylim {low, high}; xscale, yscale
--- ("linear", "log"); grid (true); legend ("best", "outside", "upper right" ..., false); xticks, yticks
--- (numbers), xticklabels, yticklabels (strings).
---@param options table
---@return Axes self
function Axes:set(options)
  check.arg(type(options) == "table", "set", "options", "a table of options", options)
  check.options("set", options, known)
  for name, value in pairs(options) do
    local changed = checks[name](value)
    if changed == nil then changed = value end
    self.settings[name] = changed
  end
  return self
end

function Axes:__tostring()
  local title = self.settings.title or self.settings.ylabel
  local count = #self.artists
  local name = title and (" \"%s\""):format(title) or ""
  return ("Axes%s: %d %s"):format(name, count, count == 1 and "artist" or "artists")
end

return Axes
