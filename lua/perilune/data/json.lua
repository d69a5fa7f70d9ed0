-- Strict JSON (RFC 8259), read as hostile: bounded depth, no duplicate keys, valid UTF-8, finite numbers.
-- Objects and arrays become tables whose metatable is json.object or json.array (so that {} and []
-- differ); integers that fit stay Lua integers; null becomes json.null.

local json = {
  object = { __name = "json object" },
  array = { __name = "json array" },
  null = setmetatable({}, { __name = "json null" }),
}

local ESCAPES = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}
local LITERALS = { ["true"] = true, ["false"] = false, ["null"] = json.null }

-- Thrown inside decode only, and caught there: a fault of the text, not of the program.
local Fault = {}

local function fault(position, ...)
  error(setmetatable({ ("byte %d: "):format(position) .. string.format(...) }, Fault))
end

local function skip_space(text, position)
  return text:find("[^ \t\r\n]", position) or #text + 1
end

--- Names what stands at a position, for messages.
local function found(text, position)
  local byte = text:byte(position)
  if not byte then return "the end" end
  if byte > 32 and byte < 127 then return "'" .. string.char(byte) .. "'" end
  return ("byte 0x%02x"):format(byte)
end

local function read_hex(text, position)
  local digits = text:match("^%x%x%x%x", position)
  if not digits then fault(position, "expected four hex digits") end
  return tonumber(digits, 16)
end

--- The character of an escape that starts (after its backslash) at position; and what follows it.
local function read_escape(text, position)
  local letter = text:sub(position, position)
  if ESCAPES[letter] then return ESCAPES[letter], position + 1 end
  if letter ~= "u" then fault(position, "unknown escape %s", found(text, position)) end
  local code = read_hex(text, position + 1)
  position = position + 5
  if code >= 0xD800 and code <= 0xDBFF and text:sub(position, position + 1) == "\\u" then
    local low = read_hex(text, position + 2)
    if low < 0xDC00 or low > 0xDFFF then fault(position, "half of a surrogate pair") end
    code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)
    position = position + 6
  elseif code >= 0xD800 and code <= 0xDFFF then
    fault(position, "half of a surrogate pair")
  end
  return utf8.char(code), position
end

--- position is that of the opening quote.
local function read_string(text, position)
  local start, parts = position, {}
  position = position + 1
  while true do
    local stop = text:find('["\\%z\1-\31]', position)
    if not stop then fault(start, "a string without an end") end
    parts[#parts + 1] = text:sub(position, stop - 1)
    local byte = text:sub(stop, stop)
    if byte == '"' then return table.concat(parts), stop + 1 end
    if byte ~= "\\" then fault(stop, "a control character inside a string") end
    parts[#parts + 1], position = read_escape(text, stop + 1)
  end
end

local function read_number(text, position)
  local stop = select(2, text:find("^-?%d+", position))
  if not stop then fault(position, "expected a value, got %s", found(text, position)) end
  if text:find("^-?0%d", position) then fault(position, "a number with a leading zero") end
  if text:sub(stop + 1, stop + 1) == "." then
    stop = select(2, text:find("^%.%d+", stop + 1)) or fault(position, "no digits after the decimal point")
  end
  if text:find("^[eE]", stop + 1) then
    stop = select(2, text:find("^[eE][+-]?%d+", stop + 1)) or fault(position, "a number without exponent")
  end
  local value = tonumber(text:sub(position, stop))
  if value ~= value or value == math.huge or value == -math.huge then
    fault(position, "a number outside the range of doubles")
  end
  return value, stop + 1
end

local read_value

local function read_array(text, position, depth)
  local list, n = setmetatable({}, json.array), 0
  position = skip_space(text, position + 1)
  if text:sub(position, position) == "]" then return list, position + 1 end
  while true do
    n = n + 1
    list[n], position = read_value(text, position, depth)
    position = skip_space(text, position)
    local byte = text:sub(position, position)
    if byte == "]" then return list, position + 1 end
    if byte ~= "," then fault(position, "expected ',' or ']', got %s", found(text, position)) end
    position = skip_space(text, position + 1)
  end
end

local function read_object(text, position, depth)
  local object = setmetatable({}, json.object)
  position = skip_space(text, position + 1)
  if text:sub(position, position) == "}" then return object, position + 1 end
  while true do
    if text:sub(position, position) ~= '"' then
      fault(position, "expected a key, got %s", found(text, position))
    end
    local key, after = read_string(text, position)
    if object[key] ~= nil then fault(position, "key %q twice", key) end
    position = skip_space(text, after)
    if text:sub(position, position) ~= ":" then
      fault(position, "expected ':', got %s", found(text, position))
    end
    object[key], position = read_value(text, skip_space(text, position + 1), depth)
    position = skip_space(text, position)
    local byte = text:sub(position, position)
    if byte == "}" then return object, position + 1 end
    if byte ~= "," then fault(position, "expected ',' or '}', got %s", found(text, position)) end
    position = skip_space(text, position + 1)
  end
end

function read_value(text, position, depth)
  local byte = text:sub(position, position)
  if byte == '"' then return read_string(text, position) end
  if byte == "{" or byte == "[" then
    if depth == 0 then fault(position, "nested too deeply") end
    return (byte == "{" and read_object or read_array)(text, position, depth - 1)
  end
  local word = text:match("^%l+", position)
  if word and LITERALS[word] ~= nil then return LITERALS[word], position + #word end
  return read_number(text, position)
end

--- Reads one JSON value.
---@param text string
---@param max_depth? integer how deep arrays and objects may nest (64)
---@return any value a table, string, number, boolean or json.null; nil when the text is not JSON
---@return string? message what is wrong, and at which byte
function json.decode(text, max_depth)
  local valid, bad = utf8.len(text)
  if not valid then return nil, ("byte %d: not UTF-8"):format(bad) end
  local ok, value, position = pcall(read_value, text, skip_space(text, 1), max_depth or 64)
  if not ok then
    if getmetatable(value) ~= Fault then error(value, 0) end
    return nil, value[1]
  end
  position = skip_space(text, position)
  if position <= #text then
    return nil, ("byte %d: expected the end, got %s"):format(position, found(text, position))
  end
  return value
end

--- Writes a string as JSON writes it. The string has to be UTF-8.
---@param text string
---@return string
function json.quote(text)
  local escaped = text:gsub('["\\%z\1-\31]', function(byte)
    if byte == '"' or byte == "\\" then return "\\" .. byte end
    return ("\\u%04x"):format(byte:byte())
  end)
  return '"' .. escaped .. '"'
end

return json
