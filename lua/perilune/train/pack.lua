-- Lua values as JSON, with the tensors in them put aside by name, and back again.
-- Tables become arrays (1 to n) or objects; others, with keys of several kinds, {"$pairs": [[k, v], …]}. A
-- tensor becomes {"$tensor": name}, what JSON cannot say {"$number": "inf"}. Numbers keep their bits and
-- their kind, integer or float.
local core = require "perilune.core"
local json = require "perilune.data.json"

local pack = {}

local MAX_DEPTH <const> = 32

local function number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value then return '{"$number":"nan"}' end
  if value == math.huge then return '{"$number":"inf"}' end
  if value == -math.huge then return '{"$number":"-inf"}' end
  local text = ("%.17g"):format(value)
  return text:find "[.e]" and text or text .. ".0"
end

local function keys_of(value)
  local keys, strings = {}, true
  for key in pairs(value) do
    keys[#keys + 1] = key
    strings = strings and type(key) == "string" and key:sub(1, 1) ~= "$"
  end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) < type(b) end
    return a < b
  end)
  return keys, strings
end

local encode

local function encode_table(value, name, tensors, depth)
  if depth > MAX_DEPTH then error(name .. " is nested too deeply", 0) end
  local keys, strings = keys_of(value)
  local parts = {}
  if #keys > 0 and #keys == #value then
    for i, item in ipairs(value) do parts[i] = encode(item, ("%s/%d"):format(name, i), tensors, depth) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for i, key in ipairs(keys) do
    local item = encode(value[key], ("%s/%s"):format(name, key), tensors, depth)
    if strings then
      parts[i] = json.quote(key) .. ":" .. item
    else
      parts[i] = ("[%s,%s]"):format(encode(key, name, tensors, depth), item)
    end
  end
  if strings then return "{" .. table.concat(parts, ",") .. "}" end
  return '{"$pairs":[' .. table.concat(parts, ",") .. "]}"
end

function encode(value, name, tensors, depth)
  local kind = type(value)
  if kind == "number" then return number(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "string" and utf8.len(value) then return json.quote(value) end
  if core.is_tensor(value) then
    tensors[name] = value
    return '{"$tensor":' .. json.quote(name) .. "}"
  end
  if kind == "table" then return encode_table(value, name, tensors, depth + 1) end
  error(("%s is %s, which cannot be saved"):format(name, core.describe(value)), 0)
end

--- The JSON of a value: nil, booleans, numbers, strings, tensors, and tables of such. Raises for others.
---@param value any
---@param name string first part of the tensors' names
---@param tensors table<string, Tensor> the value's tensors are added here
---@return string
function pack.encode(value, name, tensors)
  return encode(value, name, tensors, 0)
end

local decode

local NUMBERS <const> = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

local function decode_object(value, tensors)
  local special = next(value)
  if special == "$number" then return NUMBERS[value[special]] end
  if special == "$tensor" then
    local tensor = tensors[value[special]]
    if not tensor then error(("tensor '%s' is missing"):format(tostring(value[special])), 0) end
    return tensor
  end
  local result = {}
  if special == "$pairs" then
    for _, pair in ipairs(value[special]) do result[decode(pair[1], tensors)] = decode(pair[2], tensors) end
  else
    for key, item in pairs(value) do result[key] = decode(item, tensors) end
  end
  return result
end

function decode(value, tensors)
  if value == json.null then return nil end
  local kind = getmetatable(value)
  if kind == json.object then return decode_object(value, tensors) end
  if kind ~= json.array then return value end
  local result = {}
  for i, item in ipairs(value) do result[i] = decode(item, tensors) end
  return result
end

--- The value that encode made the text from; or nil and what is wrong with the text.
---@param text string
---@param tensors table<string, Tensor>
---@return any value
---@return string? message
function pack.decode(text, tensors)
  local value, message = json.decode(text, 3 * MAX_DEPTH)
  if message then return nil, message end
  local ok, result = pcall(decode, value, tensors)
  if not ok then return nil, tostring(result) end
  return result
end

return pack
