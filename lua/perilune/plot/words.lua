-- Text that has to fit: measured, broken into lines, made smaller, cut short.
local words = {}

--- The width of the widest of some lines.
function words.widest(surface, texts, size, bold)
  local most = 0
  for _, text in ipairs(texts) do most = math.max(most, (surface:measure(text, size, bold))) end
  return most
end

--- The text, or as much of its beginning with "…" as room has space for. Control characters, newlines
--- among them, become spaces.
function words.shorten(surface, text, size, room, bold)
  text = text:gsub("%c", " ")
  if surface:measure(text, size, bold) <= room then return text end
  local ends = {}
  for at in text:gmatch "()[\0-\x7F\xC2-\xFD][\x80-\xBF]*" do ends[#ends + 1] = at end
  for i = math.min(#ends, 400), 2, -1 do
    local short = text:sub(1, ends[i] - 1):gsub("%s+$", "") .. "…"
    if surface:measure(short, size, bold) <= room then return short end
  end
  return "…"
end

-- Breaks text into lines no wider than room (and at newlines); a word alone may be wider.
local function wrap(surface, text, size, bold, room)
  local lines = {}
  for paragraph in (text .. "\n"):gmatch "(.-)\n" do
    local line
    for word in paragraph:gmatch "%S+" do
      local longer = line and line .. " " .. word or word
      if line and surface:measure(longer, size, bold) > room then
        lines[#lines + 1], line = line, word
      else
        line = longer
      end
    end
    lines[#lines + 1] = line or ""
  end
  return lines
end

--- Lines no wider than `room` and together no higher than `depth`, and the size of type at which they
--- are: a little smaller when need be, and then cut short.
function words.fit(surface, text, size, bold, room, depth)
  local leading, least = surface.sizes.leading, size * 0.75
  local lines, allowed
  while true do
    lines = wrap(surface, text, size, bold, room)
    allowed = math.max(1, math.floor(depth / (size * leading)))
    local fits = #lines <= allowed and words.widest(surface, lines, size, bold) <= room
    if fits or size * 0.94 < least or not surface.rotates then break end
    size = size * 0.94
  end
  if #lines > allowed then
    lines[allowed] = lines[allowed] .. " " .. lines[allowed + 1] .. "…"
    for i = #lines, allowed + 1, -1 do lines[i] = nil end
  end
  for i, line in ipairs(lines) do lines[i] = words.shorten(surface, line, size, room, bold) end
  return lines, size
end

return words
