-- From data to the limits of its axes, and from there to pixels.
local limits = {}

local huge = math.huge

-- Widens {low, high} by the values of a list that can be shown, and whose partners can.
local function widen(span, values, log, only_where, other_log)
  for i = 1, #values do
    local v = values[i]
    local usable = v - v == 0 and (not log or v > 0)
    if usable and only_where then
      local w = only_where[i]
      usable = w - w == 0 and (not other_log or w > 0)
    end
    if usable then
      if v < span[1] then span[1] = v end
      if v > span[2] then span[2] = v end
    end
  end
end

local function hold(v)
  return math.max(-1.7e308, math.min(v, 1.7e308))
end

-- Room round the data: a fraction of its range on each side, and some range when it has none.
local function pad(span, log, part)
  local low, high = span[1], span[2]
  if low > high then return log and 0.1 or 0.0, log and 10.0 or 1.0 end
  if log then
    local from, to = math.log(low, 10), math.log(high, 10)
    local room = to - from < 1e-9 and 0.5 or (to - from) * part
    return 10 ^ math.max(from - room, -307), 10 ^ math.min(to + room, 308)
  end
  local largest = math.max(math.abs(low), math.abs(high))
  local room = high * part - low * part
  if high / 2 - low / 2 <= largest * 1e-12 then
    room = largest == 0 and 0.5 or math.max(largest * 0.1, 1e-300)
  end
  return hold(low - room), hold(high + room)
end

local function whole(values)
  for i = 1, #values do
    local v = values[i]
    if v - v == 0 and v % 1 ~= 0 then return false end
  end
  return true
end

-- What an artist of each kind adds to the spans x and y.
local add = {}

function add.line(artist, x, y, log_x, log_y)
  widen(x, artist.x, log_x, artist.y, log_y)
  widen(y, artist.y, log_y, artist.x, log_x)
end
add.scatter = add.line

function add.bar(artist, x, y, log_x, log_y)
  local edges = {}
  for i, middle in ipairs(artist.x) do
    edges[2 * i - 1], edges[2 * i] = middle - artist.width / 2, middle + artist.width / 2
  end
  widen(x, edges, log_x)
  widen(y, artist.y, log_y)
  if not log_y then widen(y, { 0.0 }) end
end

function add.hline(artist, _, y, _, log_y)
  widen(y, { artist.value }, log_y)
end

function add.vline(artist, x, _, log_x)
  widen(x, { artist.value }, log_x)
end

function add.text(artist, x, y, log_x, log_y)
  widen(x, { artist.x }, log_x)
  widen(y, { artist.y }, log_y)
end

-- The limits asked for, completed by those of the data.
local function choose(pair, low, high, log)
  if not pair then return { low, high } end
  local a, b = pair[1] or low, pair[2] or high
  if log and b <= 0 then b = high end
  if log and a <= 0 then a = math.min(low, b / 10) end
  local wide = log and 10 or nil
  -- One limit beyond all the data: keep it, and show a little on its other side.
  if a == b or (a > b and not (pair[1] and pair[2])) then
    if pair[1] then
      b = wide and a * wide or a + math.max(math.abs(a) * 0.1, 1)
    else
      a = wide and b / wide or b - math.max(math.abs(b) * 0.1, 1)
    end
  end
  return { a, b }
end

--- The limits of both axes as shown, {low, high} each, and whether x is whole numbers only.
function limits.of(axes)
  local set = axes.settings
  local log_x, log_y = set.xscale == "log", set.yscale == "log"
  local x, y = { huge, -huge }, { huge, -huge }
  local integral, bars = true, false
  for _, artist in ipairs(axes.artists) do
    if artist.kind == "image" then
      local shape = artist.pixels:shape()
      return { 0.5, shape[2] + 0.5 }, { shape[1] + 0.5, 0.5 }, true
    end
    add[artist.kind](artist, x, y, log_x, log_y)
    if type(artist.x) == "table" then integral = integral and whole(artist.x) end
    bars = bars or artist.kind == "bar"
  end
  local x0, x1 = pad(x, log_x, 0.025)
  local y0, y1 = pad(y, log_y, 0.06)
  if bars and not log_y then -- bars stand on the axis
    if y[1] == 0 then y0 = 0.0 end
    if y[2] == 0 and y[1] < 0 then y1 = 0.0 end
  end
  return choose(set.xlim, x0, x1, log_x), choose(set.ylim, y0, y1, log_y), integral and not bars
end

--- A function from data to pixels. Far values are held where drawing still makes sense of them.
function limits.mapper(pair, from, to, log)
  local low, high = pair[1], pair[2]
  if log then low, high = math.log(low), math.log(high) end
  local span = high / 2 - low / 2
  return function(v)
    if log then v = math.log(v) end
    local p = from + (v / 2 - low / 2) / span * (to - from)
    return p > 1e15 and 1e15 or p < -1e15 and -1e15 or p
  end
end

return limits
