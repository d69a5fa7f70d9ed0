-- Draws one axes that layout.lua has measured: grid, artists in order, frame, words, legend.
local legend = require "perilune.plot.legend"
local limits = require "perilune.plot.limits"
local style = require "perilune.plot.style"

local render = {}

-- {==== Artists ====

-- Keeps of each pixel column its first, last, lowest and highest point: the same picture from few points.
local function thin(points, width)
  if #points <= 8 * width then return points end
  for i = 3, #points, 2 do
    if points[i] < points[i - 2] then return points end
  end
  local out, i = {}, 1
  while i <= #points do
    local column = math.floor(points[i])
    local low, high, last = i, i, i
    local j = i
    while j <= #points and math.floor(points[j]) == column do
      if points[j + 1] < points[low + 1] then low = j end
      if points[j + 1] > points[high + 1] then high = j end
      last, j = j, j + 2
    end
    local previous
    for _, k in ipairs { i, math.min(low, high), math.max(low, high), last } do
      if k ~= previous then
        out[#out + 1], out[#out + 2] = points[k], points[k + 1]
        previous = k
      end
    end
    i = j
  end
  return out
end

-- The artist's points in pixels, in runs between values that cannot be shown.
local function runs_of(artist, plan)
  local runs, run = {}, nil
  local xs, ys = artist.x, artist.y
  for i = 1, #xs do
    local x, y = xs[i], ys[i]
    if x - x == 0 and y - y == 0 and (x > 0 or not plan.log_x) and (y > 0 or not plan.log_y) then
      if not run then
        run = {}
        runs[#runs + 1] = run
      end
      run[#run + 1], run[#run + 2] = plan.to_x(x), plan.to_y(y)
    else
      run = nil
    end
  end
  return runs
end

local function scaled_dashes(dashes, width)
  if not dashes then return nil end
  local lengths = {}
  for i, length in ipairs(dashes) do lengths[i] = math.max(length * width, 0.5) end
  return lengths
end

local function inside(points, box)
  local kept = {}
  for i = 1, #points, 2 do
    local x, y = points[i], points[i + 1]
    local in_x = x >= box.x - 0.5 and x <= box.x + box.width + 0.5
    if in_x and y >= box.y - 0.5 and y <= box.y + box.height + 0.5 then
      kept[#kept + 1], kept[#kept + 2] = x, y
    end
  end
  return kept
end

local painters = {}

function painters.image(surface, artist, _, box)
  -- With fewer pixels on the screen than in the image, taking the nearest would drop some.
  local shrinks = artist.pixels:shape()[2] > box.width
  surface:picture(artist.pixels, box.x, box.y, box.width, box.height, artist.smooth or shrinks)
  return {}
end

function painters.line(surface, artist, plan, box)
  local sizes = surface.sizes
  local width = artist.width * sizes.scale
  -- A thick line hides itself where its points stand closer than pixels.
  if not artist.width_given and #artist.x > box.width / 2 then width = width * 0.7 end
  local color = style.rgba(artist.color, artist.alpha)
  local runs = runs_of(artist, plan)
  local reach = math.ceil(width)
  surface:clip(box.x - reach, box.y - reach, box.x + box.width + reach, box.y + box.height + reach)
  for _, run in ipairs(runs) do
    if artist.dashes ~= "none" then
      if #run == 2 then
        if not artist.marker then surface:markers(inside(run, box), "o", width * 2.4, color) end
      else
        surface:line(thin(run, box.width), color, width, scaled_dashes(artist.dashes, width))
      end
    end
  end
  surface:clip()
  if artist.marker then
    for _, run in ipairs(runs) do
      local points = inside(run, box)
      surface:markers(points, artist.marker, artist.size * sizes.scale, style.background, sizes.scale * 0.9)
      surface:markers(points, artist.marker, artist.size * sizes.scale, style.rgba(artist.color))
    end
  end
  return runs
end

function painters.scatter(surface, artist, plan, box)
  local runs = runs_of(artist, plan)
  for _, run in ipairs(runs) do
    surface:markers(inside(run, box), artist.marker, artist.size * surface.sizes.scale,
      style.rgba(artist.color, artist.alpha))
  end
  return runs
end

function painters.bar(surface, artist, plan, box)
  local foot = plan.log_y and box.y + box.height or plan.to_y(0.0)
  local color = style.rgba(artist.color, artist.alpha)
  local run = {}
  surface:clip(box.x, box.y, box.x + box.width, box.y + box.height)
  for i = 1, #artist.x do
    local x, y = artist.x[i], artist.y[i]
    local left_x = x - artist.width / 2
    if x - x == 0 and y - y == 0 and (not plan.log_y or y > 0) and (not plan.log_x or left_x > 0) then
      local left, right = plan.to_x(left_x), plan.to_x(x + artist.width / 2)
      local top = plan.to_y(y)
      if right < left then left, right = right, left end
      surface:rect(left, math.min(top, foot), right - left, math.abs(foot - top), color)
      for step = 0, 8 do
        for part = 0, 2 do
          run[#run + 1], run[#run + 2] = left + (right - left) * part / 2, foot + (top - foot) * step / 8
        end
      end
    end
  end
  surface:clip()
  return { run }
end

local function guide(surface, artist, x0, y0, x1, y1)
  local width = artist.width * surface.sizes.scale
  local color = style.rgba(artist.color, artist.alpha)
  surface:line({ x0, y0, x1, y1 }, color, width, scaled_dashes(artist.dashes, width))
  return {}
end

function painters.hline(surface, artist, plan, box)
  if plan.log_y and artist.value <= 0 then return {} end
  local y = plan.to_y(artist.value)
  if y < box.y or y > box.y + box.height then return {} end
  return guide(surface, artist, box.x, y, box.x + box.width, y)
end

function painters.vline(surface, artist, plan, box)
  if plan.log_x and artist.value <= 0 then return {} end
  local x = plan.to_x(artist.value)
  if x < box.x or x > box.x + box.width then return {} end
  return guide(surface, artist, x, box.y + box.height, x, box.y)
end

function painters.text(surface, artist, plan)
  if (plan.log_x and artist.x <= 0) or (plan.log_y and artist.y <= 0) then return {} end
  local x, y, size = plan.to_x(artist.x), plan.to_y(artist.y), artist.size * surface.sizes.scale
  for line in (artist.text .. "\n"):gmatch "(.-)\n" do
    surface:text(line, x, y, size, style.rgba(artist.color), artist.bold, artist.align, 0.5)
    y = y + size * surface.sizes.leading
  end
  return { { x, plan.to_y(artist.y) } }
end

-- }==== The frame ====

local function snapped(p, width)
  return math.floor(p - width / 2 + 0.5)
end

local function draw_grid(surface, plan, box)
  local line = surface.sizes.hairline
  for _, value in ipairs(plan.bars and {} or plan.x_ticks) do
    surface:rect(snapped(plan.to_x(value), line), box.y, line, box.height, style.grid)
  end
  for _, value in ipairs(plan.y_ticks) do
    surface:rect(box.x, snapped(plan.to_y(value), line), box.width, line, style.grid)
  end
end

local function draw_frame(surface, plan, box)
  local sizes = surface.sizes
  local line, bottom = sizes.hairline, box.y + box.height
  surface:rect(box.x - line, box.y, line, box.height + line, sizes.frame or style.axis)
  surface:rect(box.x - line, bottom, box.width + line, line, sizes.frame or style.axis)
  local function x_tick(value, length)
    surface:rect(snapped(plan.to_x(value), line), bottom, line, length, style.axis)
  end
  local function y_tick(value, length)
    surface:rect(box.x - length, snapped(plan.to_y(value), line), length, line, style.axis)
  end
  local minor = math.floor(sizes.tick * 0.55 + 0.5)
  for _, value in ipairs(plan.x_minor) do x_tick(value, minor) end
  for _, value in ipairs(plan.y_minor) do y_tick(value, minor) end
  for i, value in ipairs(plan.x_ticks) do
    x_tick(value, sizes.tick)
    surface:text(plan.x_labels[i], plan.to_x(value), bottom + sizes.tick + sizes.gap, sizes.text, style.text,
      false, 0.5, 1)
  end
  for i, value in ipairs(plan.y_ticks) do
    y_tick(value, sizes.tick)
    surface:text(plan.y_labels[i], box.x - sizes.tick - sizes.gap, plan.to_y(value), sizes.text, style.text,
      false, 1, 0.5)
  end
end

local function draw_words(surface, plan, box)
  local sizes = surface.sizes
  for i, text in ipairs(plan.title or {}) do
    local up = (#plan.title - i) * plan.title_size * sizes.leading
    local lift = surface.rotates and sizes.gap * 1.8 or 0
    surface:text(text, box.x, box.y - lift - up, plan.title_size, style.ink, true, 0, 0)
  end
  for i, text in ipairs(plan.xlabel or {}) do
    local y = box.y + box.height + plan.xlabel_at + (i - 1) * plan.xlabel_size * sizes.leading
    surface:text(text, box.x + box.width / 2, y, plan.xlabel_size, style.text, false, 0.5, 1)
  end
  for i, text in ipairs(plan.ylabel or {}) do
    local x = box.x - plan.ylabel_at - (#plan.ylabel - i) * plan.ylabel_size * sizes.leading
    surface:text(text, x, box.y + box.height / 2, plan.ylabel_size, style.text, false, 0.5, 0, 90)
  end
end

-- Points along the runs, close enough together that a legend cannot slip between them.
local function sample(points, runs, spacing)
  for _, run in ipairs(runs) do
    for i = 1, #run, 2 do
      local x, y = run[i], run[i + 1]
      points[#points + 1], points[#points + 2] = x, y
      if i > 1 then
        local dx, dy = x - run[i - 2], y - run[i - 1]
        local steps = math.min(math.max(math.abs(dx), math.abs(dy)) // spacing, 64)
        for k = 1, steps do
          points[#points + 1], points[#points + 2] = x - dx * k / (steps + 1), y - dy * k / (steps + 1)
        end
      end
    end
  end
end

--- Draws a measured axes with its plot filling the box {x, y, width, height}, whole pixels.
function render.draw(surface, plan, box)
  local sizes, axes = surface.sizes, plan.axes
  if plan.aspect then
    local width = math.min(box.width, box.height * plan.aspect)
    local height = width / plan.aspect
    box = {
      x = math.floor(box.x + (box.width - width) / 2), y = math.floor(box.y + (box.height - height) / 2),
      width = math.max(1, math.floor(width)), height = math.max(1, math.floor(height)),
    }
  end
  plan.to_x = limits.mapper(plan.x, box.x, box.x + box.width, plan.log_x)
  plan.to_y = limits.mapper(plan.y, box.y + box.height, box.y, plan.log_y)
  local grid = axes.settings.grid ~= false and not plan.aspect and surface.rotates
  if grid then draw_grid(surface, plan, box) end
  local points = {}
  for _, kind in ipairs { "image", "bar", "hline", "vline", "line", "scatter", "text" } do
    for _, artist in ipairs(axes.artists) do
      if artist.kind == kind then
        local runs = painters[kind](surface, artist, plan, box)
        sample(points, runs, 6 * sizes.scale)
      end
    end
  end
  if not plan.bare then draw_frame(surface, plan, box) end
  draw_words(surface, plan, box)
  if plan.legend and plan.legend_place == "outside" then
    local x = math.floor(box.x + box.width + plan.legend_at - plan.legend.pad)
    legend.draw(surface, plan.legend, x, box.y, false)
  elseif plan.legend then
    local x, y = legend.place(plan.legend, box, plan.legend_place, points, sizes.gap * 1.2)
    legend.draw(surface, plan.legend, x, y, true)
  end
end

return render
