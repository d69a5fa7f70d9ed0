--- complete: what Tab offers: keywords and globals, the fields of a table, the methods of a tensor.
-- Looks at values, calls nothing but the __index of a name already typed out.

local complete = {}

local keywords = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
  "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
}

local function add_names(value, names, depth)
  if type(value) == "table" then
    for key in next, value do
      if type(key) == "string" and key:match("^[%a_][%w_]*$") then names[key] = true end
    end
  end
  local mt = debug.getmetatable(value)
  if type(mt) ~= "table" or depth == 0 then return end
  local index, parts = rawget(mt, "__index"), rawget(mt, "parts")
  if type(index) == "table" then add_names(index, names, depth - 1) end
  for _, part in ipairs(type(parts) == "table" and parts or {}) do -- what loads when first used
    add_names(part, names, 0)
  end
  local core = require "perilune.core"
  if mt == core.metatable then
    require "perilune.ops" -- gives tensors the methods of layers
    add_names(core.methods, names, 0)
  elseif type(index) == "function" and rawget(mt, "__name") then -- a class whose objects look further
    add_names(mt, names, depth - 1)
  end
end

local function index(value, key)
  local ok, field = pcall(function() return value[key] end)
  if ok then return field end
  return nil
end

--- The value of a chain of names and list indices: `pl.plot`, `net.params`, `x[2].loss`.
local function value_of(chain)
  local name, rest = chain:match("^([%a_][%w_]*)(.*)$")
  if not name then return nil end
  local value = index(_G, name)
  while value ~= nil and rest ~= "" do
    local dot, field, after = rest:match("^([.:])([%a_][%w_]*)(.*)$")
    if not dot then field, after = rest:match("^%[(%d+)%](.*)$") end
    if not field then return nil end
    value, rest = index(value, dot and field or math.tointeger(field)), after
  end
  return value
end

local function common_prefix(names)
  local prefix = names[1]
  for i = 2, #names do
    while names[i]:sub(1, #prefix) ~= prefix do prefix = prefix:sub(1, -2) end
  end
  return prefix
end

local function columns(names, width)
  local widest = 0
  for _, name in ipairs(names) do widest = math.max(widest, #name) end
  local per_line = math.max(1, width // (widest + 2))
  local rows = (#names + per_line - 1) // per_line
  local lines = {}
  for row = 1, rows do
    local line = {}
    for i = row, #names, rows do line[#line + 1] = names[i] .. (" "):rep(widest + 2 - #names[i]) end
    lines[row] = table.concat(line):gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

--- The names behind a value: its fields, its methods.
---@param value any
---@return string[]
function complete.names_in(value)
  local found, names = {}, {}
  add_names(value, found, 4)
  for name in pairs(found) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The names that could stand at the end of the text, in order, and the letters they begin with.
---@param text string  the line up to the cursor
---@return string[] names
---@return string prefix
function complete.names(text)
  local found, chain = {}, text:match("[%w_.:%[%]]*$")
  local owner, mark, prefix = chain:match("^(.*)([.:])([%a_]*[%w_]*)$")
  if mark and owner:sub(-1) == "." then return {}, "" end -- a concatenation
  if mark then
    owner = owner:match("[%a_][%w_.:%[%]]*$") or ""
    local value = value_of(owner)
    if value ~= nil then add_names(value, found, 4) end
    if mark == ":" then
      for name in pairs(found) do
        if type(index(value, name)) ~= "function" then found[name] = nil end
      end
    end
  else
    prefix = text:match("[%a_][%w_]*$") or ""
    if prefix == "" then return {}, "" end
    add_names(_G, found, 4)
    for _, word in ipairs(keywords) do found[word] = true end
  end
  local names = {}
  for name in pairs(found) do
    local hidden = name:sub(1, 1) == "_" and prefix:sub(1, 1) ~= "_"
    if name:sub(1, #prefix) == prefix and not hidden then names[#names + 1] = name end
  end
  table.sort(names)
  return names, prefix
end

--- Answers the Tab key.
---@param text string  the line up to the cursor
---@param width? integer
---@return string|nil insert   letters that certainly come next
---@return string|nil listing  the choices, when there are several
function complete.answer(text, width)
  if not text:find("%S") then return "  " end
  local names, prefix = complete.names(text)
  if #names == 0 then return nil end
  local insert = common_prefix(names):sub(#prefix + 1)
  if insert ~= "" or #names == 1 then return insert end
  return nil, columns(names, width or 80)
end

return complete
