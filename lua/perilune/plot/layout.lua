-- What an axes says and how much room that takes: ticks, labels, titles and legend, measured.
local legend = require "perilune.plot.legend"
local limits = require "perilune.plot.limits"
local ticks = require "perilune.plot.ticks"
local words = require "perilune.plot.words"

local layout = {}

local function settled_ticks(values, labels, pair)
  local low, high = math.min(pair[1], pair[2]), math.max(pair[1], pair[2])
  local kept, kept_labels = {}, {}
  for i, value in ipairs(values) do
    if value >= low and value <= high then
      kept[#kept + 1] = value
      local plain = ("%.6g"):format(value):gsub("^%-", "−")
      kept_labels[#kept_labels + 1] = labels and (labels[i] or ""):gsub("%c", " ") or plain
    end
  end
  return kept, kept_labels, {}
end

local function ticks_for(pair, log, target, integral)
  local low, high = math.min(pair[1], pair[2]), math.max(pair[1], pair[2])
  if log then return ticks.log(low, high, target) end
  local values, labels = ticks.linear(low, high, target, integral)
  return values, labels, {}
end

-- The most ticks along x whose labels keep their distance.
local function x_ticks(surface, pair, log, integral, width)
  local sizes = surface.sizes
  for target = math.max(1, math.floor(width / sizes.spacing_x)), 1, -1 do
    local values, labels, minor = ticks_for(pair, log, target, integral)
    local each = words.widest(surface, labels, sizes.text) + 2 * sizes.gap
    if target == 1 or (#labels - 1) * each <= width then return values, labels, minor end
  end
end

-- Ticks and their labels, and the room that those take.
local function add_ticks(surface, plan, set, width, height)
  local sizes = surface.sizes
  if set.xticks then
    plan.x_ticks, plan.x_labels, plan.x_minor = settled_ticks(set.xticks, set.xticklabels, plan.x)
  else
    plan.x_ticks, plan.x_labels, plan.x_minor = x_ticks(surface, plan.x, plan.log_x, plan.integral, width)
  end
  if set.yticks then
    plan.y_ticks, plan.y_labels, plan.y_minor = settled_ticks(set.yticks, set.yticklabels, plan.y)
  else
    local target = math.max(1, math.floor(height / sizes.spacing_y))
    plan.y_ticks, plan.y_labels, plan.y_minor = ticks_for(plan.y, plan.log_y, target)
  end
  local _, _, descent, capital = surface:measure("0", sizes.text)
  plan.left = sizes.tick + sizes.gap + math.ceil(words.widest(surface, plan.y_labels, sizes.text))
  plan.bottom = sizes.tick + sizes.gap + math.ceil(capital) + math.ceil(descent)
  plan.top = math.ceil(capital / 2)
  -- The outer labels may stand out over the ends.
  local to_x = limits.mapper(plan.x, 0, width, plan.log_x)
  for i, label in ipairs(plan.x_labels) do
    local half, at = surface:measure(label, sizes.text) / 2, to_x(plan.x_ticks[i])
    plan.right = math.max(plan.right, math.ceil(at + half - width))
    plan.left = math.max(plan.left, math.ceil(half - at))
  end
end

-- Labels of the axes and the title. A surface that cannot turn text has the y label in the title.
local function add_words(surface, plan, set, width, height)
  local sizes = surface.sizes
  local _, ascent, descent = surface:measure("0", sizes.text)
  -- Words may not crowd the data out.
  local figure = plan.axes.figure
  local room_x, room_y = surface.width / figure.cols * 0.15, surface.height / figure.rows * 0.2
  local title = set.title
  if set.xlabel then
    plan.xlabel, plan.xlabel_size = words.fit(surface, set.xlabel, sizes.text, false, width, room_y)
    plan.xlabel_at = plan.bottom + (surface.rotates and sizes.gap * 1.4 or 0)
    local lines = ascent + descent + (#plan.xlabel - 1) * sizes.text * sizes.leading
    plan.bottom = math.ceil(plan.xlabel_at + lines)
  end
  if set.ylabel and surface.rotates then
    plan.ylabel, plan.ylabel_size = words.fit(surface, set.ylabel, sizes.text, false, height, room_x)
    plan.ylabel_at = plan.left + sizes.gap * 1.4
    plan.ylabel_room = math.ceil(ascent + (#plan.ylabel - 1) * sizes.text * sizes.leading + descent)
    plan.left = math.ceil(plan.ylabel_at + plan.ylabel_room)
  elseif set.ylabel and not (title and title:lower():find(set.ylabel:lower(), 1, true)) then
    title = title and ("%s (%s)"):format(title, set.ylabel) or set.ylabel
  end
  if title then
    plan.title, plan.title_size = words.fit(surface, title, sizes.title, surface.rotates, width, room_y)
    local lines = #plan.title * plan.title_size * sizes.leading
    plan.top = math.ceil(lines + (surface.rotates and sizes.gap * 1.8 or 0))
  end
end

--- All that drawing needs to know about an axes whose plot is about width by height pixels: limits,
--- ticks, lines of text, and how much room they take on each side.
function layout.measure(surface, axes, width, height)
  local sizes, set = surface.sizes, axes.settings
  local plan = {
    axes = axes, left = 0, right = 0, top = 0, bottom = 0,
    log_x = set.xscale == "log", log_y = set.yscale == "log",
    x_ticks = {}, x_labels = {}, x_minor = {}, y_ticks = {}, y_labels = {}, y_minor = {},
  }
  plan.x, plan.y, plan.integral = limits.of(axes)
  for _, artist in ipairs(axes.artists) do
    plan.bars = plan.bars or artist.kind == "bar"
    if artist.kind == "image" then
      local shape = artist.pixels:shape()
      plan.aspect = shape[2] / shape[1]
      plan.log_x, plan.log_y = false, false
    end
  end
  -- An image has ticks only when they are asked for.
  plan.bare = plan.aspect ~= nil and not (set.xticks or set.yticks)
  if not plan.bare then add_ticks(surface, plan, set, width, height) end
  add_words(surface, plan, set, width, height)
  local room = surface.width / axes.figure.cols * 0.4
  plan.legend = set.legend ~= false and legend.measure(surface, axes.artists, room) or nil
  if plan.legend then
    local many = #plan.legend.entries > 6 and surface.rotates
    plan.legend_place = set.legend or (many and "outside" or "best")
    if plan.legend_place == "outside" then
      plan.legend_at = plan.right + sizes.gap * 2
      plan.right = math.ceil(plan.legend_at + plan.legend.width - plan.legend.pad)
    end
  end
  return plan
end

return layout
