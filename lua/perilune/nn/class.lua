-- Classes whose objects are made from one table of options: layers, initializers, regularizers, losses and
-- metrics.
--
--   local Dense = Layer:extend("Dense", { "units", activation = false, use_bias = true })
--   local layer = Dense{10, activation = "relu"}      -- layer.units == 10, layer.use_bias == true
--
-- The list part of the declaration names the positional options, in order; they are required unless a
-- default is given too. A last name with dots, as in "layers...", takes every value that is left. The named
-- part gives the defaults; false stands for Python's None. Options become fields of the object, and
-- config() gives them back as plain data, from which class.from_config makes an equal object.
local core = require "perilune.core"
local check = require "perilune.check"

local class = {}

--- Keras's snake case: MaxPooling2D is max_pooling2d.
---@param name string
---@return string
function class.snake_case(name)
  name = name:gsub("(.)(%u%l+)", "%1_%2"):gsub("(%l)(%u)", "%1_%2")
  return name:lower()
end

-- ---- declarations ----------------------------------------------------------------------------------

local function copy(t)
  local result = {}
  for key, value in pairs(t) do result[key] = value end
  return result
end

-- What objects of a class are made from: positional names, defaults and all names.
local function declare(parent, declared)
  local options = { defaults = parent and copy(parent.defaults) or {}, known = {} }
  options.positional = #declared > 0 and {} or parent and parent.positional or {}
  options.rest = #declared == 0 and parent and parent.rest or nil
  for i, name in ipairs(declared) do
    options.positional[i] = name:gsub("%.%.%.$", "")
    if name:find("...", 1, true) then options.rest = options.positional[i] end
  end
  for name, default in pairs(declared) do
    if type(name) == "string" then options.defaults[name] = default end
  end
  for _, name in ipairs(options.positional) do options.known[#options.known + 1] = name end
  local named = {}
  for name in pairs(options.defaults) do
    local found = false
    for _, positional in ipairs(options.positional) do found = found or positional == name end
    if not found then named[#named + 1] = name end
  end
  table.sort(named)
  table.move(named, 1, #named, #options.known + 1, options.known)
  return options
end

-- ---- objects ---------------------------------------------------------------------------------------

-- A plain list given as the one positional value stands for its items: Input{ {32, 32, 3} }.
local function is_list(value) return type(value) == "table" and getmetatable(value) == nil end

local function read_positional(of, options, given, values)
  local n = #given
  for i, name in ipairs(options.positional) do
    if i > n then break end
    if given[name] ~= nil then
      check.raise("%s: option '%s' is given twice, by position and by name", of.__name, name)
    end
    if name == options.rest then
      values[name] = is_list(given[i]) and n == i and given[i] or table.move(given, i, n, 1, {})
      return
    end
    values[name] = given[i]
  end
  if n > #options.positional then
    local names = table.concat(options.positional, ", ")
    check.raise("%s: expected at most %d %s without a name%s, got %d; write name = value for the others",
      of.__name, #options.positional, #options.positional == 1 and "option" or "options",
      names ~= "" and " (" .. names .. ")" or "", n)
  end
end

local DEEPEST <const> = 4 -- a list may contain itself
local SHORT <const> = { number = true, string = true, boolean = true }

-- A value as it is written in a script.
local function literal(value, depth)
  depth = depth or 0
  if type(value) == "string" then return ("%q"):format(value) end
  if not is_list(value) then return tostring(value) end
  if depth == DEEPEST then return "…" end
  local items = {}
  for i, item in ipairs(value) do items[i] = literal(item, depth + 1) end
  return "{" .. table.concat(items, ", ") .. "}"
end

local function short_literal(value)
  return (SHORT[type(value)] or is_list(value)) and literal(value) or "…"
end

-- What was meant by a call with arguments as in Python: (16, 3, { activation = "relu" }) in braces.
local function in_braces(...)
  local positional, named = {}, {}
  for i, value in ipairs { ... } do
    if is_list(value) and (i == 1 or #value == 0) then -- options, not one of them
      for name, option in pairs(value) do
        if type(name) == "string" then named[#named + 1] = ("%s = %s"):format(name, short_literal(option)) end
      end
      for _, option in ipairs(value) do positional[#positional + 1] = short_literal(option) end
    else
      positional[#positional + 1] = short_literal(value)
    end
  end
  table.sort(named)
  return "{" .. table.concat(table.move(named, 1, #named, #positional + 1, positional), ", ") .. "}"
end

local function read(of, given, ...)
  local options, values = of.options, {}
  local more = select("#", ...)
  if given ~= nil and not is_list(given) or more > 0 then
    check.raise("%s: expected a table of options, as in %s%s, got %s", of.__name, of.__name,
      in_braces(given, ...), more > 0 and ("%d arguments"):format(more + 1) or core.describe(given))
  end
  given = given or {}
  local named = {}
  for key, value in pairs(given) do
    if math.type(key) ~= "integer" or key < 1 or key > #given then named[key] = value end
  end
  check.options(of.__name, named, options.known)
  read_positional(of, options, given, values)
  for _, name in ipairs(options.known) do
    if values[name] == nil then values[name] = named[name] end
    if values[name] == nil then values[name] = options.defaults[name] end
    if values[name] == nil then
      check.raise("%s: option '%s' is missing; write %s{%s}", of.__name, name, of.__name,
        table.concat(options.positional, ", "))
    end
  end
  return values
end

local function new(of, ...)
  local object = setmetatable({}, of)
  for name, value in pairs(read(of, ...)) do object[name] = value end
  if of.created then object:created() end -- a kind's
  if of.init then object:init() end -- a class's own
  return object
end

---@class Object
---@field options table what objects are made from
---@field registered table<string, Object> the classes of this kind by name
local Object = { __name = "Object" }
class.Object = Object

--- A class below this one, registered under its name so that a saved object of it can be made again.
---@param name string in CamelCase
---@param declared? table positional names in the list part, defaults by name; see this file's banner
---@return table class call it with a table of options to make an object
function Object:extend(name, declared)
  check.arg(type(name) == "string" and name:match "^%a[%w_]*$", "extend", "name", "a name like \"MyLayer\"",
    name)
  check.arg(declared == nil or type(declared) == "table", "extend", "options", "a table of options", declared)
  local of = {}
  for key, value in pairs(self) do -- metamethods are not inherited by themselves
    if type(key) == "string" and key:sub(1, 2) == "__" then of[key] = value end
  end
  of.__name = name
  if self.__index == self or self.__index == nil then of.__index = of end
  of.options = declare(self.options, declared or {})
  if self.registered then self.registered[name] = of end
  return setmetatable(of, { __index = self, __call = new, __name = "class " .. name, __tostring = function()
    return ("class %s{%s}"):format(name, table.concat(of.options.known, ", "))
  end })
end

--- A kind of classes, with a register of its own.
---@param name string
---@param declared? table
function class.root(name, declared)
  local root = Object.extend(Object, name, declared)
  root.registered = {}
  return root
end

-- ---- plain data ------------------------------------------------------------------------------------

local function encode(value, owner, name)
  local kind = type(value)
  if kind == "number" or kind == "string" or kind == "boolean" then return value end
  local mt = kind == "table" and getmetatable(value)
  if mt and mt.options and mt.config then return { class_name = mt.__name, config = value:config() } end
  if kind == "table" and not mt then
    local list = {}
    for key, item in pairs(value) do list[key] = encode(item, owner, name) end
    return list
  end
  check.raise("%s: option '%s' is %s, which cannot be saved; give it by name, or make it a class with extend",
    owner.__name, name, core.describe(value))
end

--- The object's options as plain data (numbers, strings, booleans, tables of these).
---@return table
function Object:config()
  local of, config = getmetatable(self), {}
  for _, name in ipairs(of.options.known) do
    local value = self[name]
    -- Initial values need not be known again: the weights themselves are saved.
    local initial = core.is_tensor(value) or name:find "initializer$" and type(value) == "function"
    if value ~= nil and not initial then config[name] = encode(value, of, name) end
  end
  return config
end

--- The object that `{class_name =, config =}` describes.
---@param saved table as made by { class_name = …, config = object:config() }
---@param kinds table[] the kinds in whose registers to look
function class.from_config(saved, kinds)
  local function decode(value)
    if type(value) ~= "table" then return value end
    if value.class_name then return class.from_config(value, kinds) end
    local result = {}
    for key, item in pairs(value) do result[key] = decode(item) end
    return result
  end
  check.arg(type(saved) == "table" and type(saved.class_name) == "string", "from_config", "saved",
    "a table {class_name =, config =}", saved)
  local known = {}
  for _, kind in ipairs(kinds) do
    local of = kind.registered[saved.class_name]
    if of then return of(decode(saved.config or {})) end
    for name in pairs(kind.registered) do known[#known + 1] = name end
  end
  table.sort(known)
  local near = check.nearest(saved.class_name, known)
  check.raise("no class %s is known%s; a layer or loss of one's own: require the script "
    .. "that defines it before loading",
    core.describe(saved.class_name), near and (" (did you mean '%s'?)"):format(near) or "")
end

--- As one would write it, without what is as it is by default: Dense{units = 10}.
function Object:__tostring()
  local of, parts = getmetatable(self), {}
  for _, name in ipairs(of.options.known) do
    local value = self[name]
    if value ~= of.options.defaults[name] then parts[#parts + 1] = name .. " = " .. literal(value) end
  end
  return of.__name .. "{" .. table.concat(parts, ", ") .. "}"
end

-- ---- by name ---------------------------------------------------------------------------------------

--- A function that resolves what a user gives for an option of some kind: a name (Keras's snake case or the
--- class's own), an object, or a function.
---@param what string for messages: "initializer"
---@param root table the kind
---@param aliases? table<string, string> further names of classes
---@return fun(value: any): any
function class.resolver(what, root, aliases)
  local function by_name(name)
    local snake, known = {}, {}
    for full, of in pairs(root.registered) do snake[class.snake_case(full)], snake[full] = of, of end
    for alias, full in pairs(aliases or {}) do snake[alias] = root.registered[full] end
    if snake[name] then return snake[name] end
    for each in pairs(snake) do known[#known + 1] = each end
    table.sort(known)
    check.raise("unknown %s %s; %s", what, core.describe(name), check.hint(name, known))
  end
  return function(value)
    if value == nil or value == false then return nil end
    if type(value) == "string" then return by_name(value)() end
    if type(value) == "function" then return value end
    local mt = getmetatable(value)
    if type(value) == "table" and mt and mt.options then return value end
    local is_class = type(value) == "table" and mt and mt.__call and value.options
    if is_class then return value() end
    check.raise("expected %s by name, as an object or a function, got %s", what, core.describe(value))
  end
end

return class
