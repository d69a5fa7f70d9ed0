--- show: values as the prompt prints them.
-- A tensor, a model or anything with __tostring speaks for itself; a string is quoted; a table is
-- laid open one level deep, in a few lines however large it is. Never raises, never writes.

local show = {}

local MAX_FIELDS = 40
local MAX_STRING = 400

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(s, limit)
  local head = #s > limit and s:sub(1, limit) or s
  if #s > limit and utf8.len(s) then head = s:sub(1, utf8.offset(s, 0, limit + 1) - 1) end
  local text = head:gsub('[%c"\\]', function(c) return escapes[c] or ("\\x%02X"):format(c:byte()) end)
  if not utf8.len(text) then
    text = text:gsub("[\x80-\xff]", function(c) return ("\\x%02X"):format(c:byte()) end)
  end
  return #s > limit and ('"%s…" (%d bytes)'):format(text, #s) or '"' .. text .. '"'
end

local function field_of_metatable(value, name)
  local mt = debug.getmetatable(value)
  return type(mt) == "table" and rawget(mt, name) or nil
end

local function plain(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("%s whose __tostring fails: %s"):format(type(value), tostring(text))
end

local function count(t)
  local n = 0
  for _ in next, t do n = n + 1 end
  return n
end

local function is_scalar(value)
  local kind = type(value)
  return kind == "number" or kind == "boolean" or (kind == "string" and #value <= 20)
end

local function is_tensor(value)
  local mt = debug.getmetatable(value)
  return type(value) == "userdata" and mt == require("perilune.core").metatable
end

--- A word or two for a value inside a table.
local function brief(value, nested)
  local kind = type(value)
  if kind == "string" then return quoted(value, 60) end
  if kind == "function" or kind == "thread" then return kind end
  if is_tensor(value) then
    return ("tensor {%s} %s"):format(table.concat(value:shape(), ", "), value:dtype())
  end
  if kind ~= "table" then return (plain(value):gsub("\n.*", " …")) end
  if field_of_metatable(value, "__tostring") then
    local text = plain(value)
    return (#text <= 60 and not text:find("\n")) and text or field_of_metatable(value, "__name") or "table"
  end
  local fields, items = count(value), #value
  if fields == 0 then return "{}" end
  if not nested and items == fields and items <= 8 then
    local parts = {}
    for i = 1, items do
      if not is_scalar(value[i]) then break end
      parts[i] = brief(value[i], true)
    end
    if #parts == items then return "{" .. table.concat(parts, ", ") .. "}" end
  end
  return ("{… %d %s}"):format(fields, fields == 1 and "entry" or "entries")
end

local function key_text(key)
  if type(key) == "string" and key:match("^[%a_][%w_]*$") then return key end
  return "[" .. brief(key) .. "]"
end

local function by_name(a, b)
  if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
  return type(a) < type(b)
end

--- The table's fields as text: the list first, then the named ones in order.
local function fields_of(t)
  local list, named, items = {}, {}, rawlen(t)
  for i = 1, math.min(items, MAX_FIELDS) do list[i] = brief(rawget(t, i)) end
  if items > MAX_FIELDS then list[#list + 1] = ("… %d more"):format(items - MAX_FIELDS) end
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= items) then keys[#keys + 1] = key end
  end
  table.sort(keys, by_name)
  for i = 1, math.min(#keys, MAX_FIELDS) do
    named[i] = key_text(keys[i]) .. " = " .. brief(rawget(t, keys[i]))
  end
  if #keys > MAX_FIELDS then named[#named + 1] = ("… %d more"):format(#keys - MAX_FIELDS) end
  return list, named
end

--- Fills lines of at most `width` characters with the items of a list.
local function filled(items, width, lines)
  local line = " "
  for _, item in ipairs(items) do
    if #line > 1 and #line + #item + 2 > width then
      lines[#lines + 1] = line
      line = " "
    end
    line = line .. " " .. item .. ","
  end
  if #line > 1 then lines[#lines + 1] = line end
end

local function table_text(t, width)
  local list, named = fields_of(t)
  local all = table.move(named, 1, #named, #list + 1, table.move(list, 1, #list, 1, {}))
  local name = field_of_metatable(t, "__name")
  local opening = type(name) == "string" and name .. " {" or "{"
  local line = opening .. table.concat(all, ", ") .. "}"
  if #line <= width then return line end
  local lines = { opening }
  filled(list, width, lines)
  for _, field in ipairs(named) do lines[#lines + 1] = "  " .. field .. "," end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n")
end

--- The text of one value.
---@param value any
---@param width? integer  columns to fill (80)
---@return string
function show.value(value, width)
  width = width or 80
  local kind = type(value)
  if kind == "string" then return quoted(value, MAX_STRING) end
  if kind == "table" and not field_of_metatable(value, "__tostring") then
    local ok, text = pcall(table_text, value, width)
    if ok then return text end
  end
  return plain(value)
end

--- The text of all results of an expression; nil when there is nothing to say.
---@param results table  packed, with n
---@param width? integer
---@return string|nil
function show.results(results, width)
  width = width or 80
  local parts, one_line, length, any = {}, true, 0, false
  for i = 1, results.n do
    any = any or results[i] ~= nil
    parts[i] = show.value(results[i], width)
    length = length + #parts[i] + 2
    one_line = one_line and not parts[i]:find("\n", 1, true)
  end
  if not any then return nil end
  return table.concat(parts, (one_line and length <= width) and "  " or "\n")
end

return show
