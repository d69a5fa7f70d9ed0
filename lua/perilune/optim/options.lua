-- Options of optimizers and schedules: a list of rows {name, default, kind}, in the order in which Keras
-- takes them as positional arguments. A row without a default (nil) is an option that may be left out;
-- one whose default is options.REQUIRED must be given.
local check = require "perilune.check"

local options = { REQUIRED = {} }

local function is_finite(value) return type(value) == "number" and value - value == 0 end

local function is_list_of(test)
  return function(value)
    if type(value) ~= "table" then return false end
    for _, item in ipairs(value) do
      if not test(item) then return false end
    end
    return true
  end
end

--- Kinds of value: { test, what it is called in an error }.
options.kinds = {
  number = { is_finite, "a finite number" },
  positive = { function(v) return is_finite(v) and v > 0 end, "a number above 0" },
  not_negative = { function(v) return is_finite(v) and v >= 0 end, "a number from 0 up" },
  fraction = { function(v) return is_finite(v) and v >= 0 and v <= 1 end, "a number from 0 to 1" },
  beta = { function(v) return is_finite(v) and v >= 0 and v < 1 end, "a number from 0 up and below 1" },
  count = { function(v) return is_finite(v) and v >= 1 and v == v // 1 end, "an integer from 1 up" },
  several = { function(v) return is_finite(v) and v >= 2 and v == v // 1 end, "an integer from 2 up" },
  steps = { function(v) return is_finite(v) and v >= 0 and v == v // 1 end, "an integer from 0 up" },
  boolean = { function(v) return type(v) == "boolean" end, "true or false" },
  names = { is_list_of(function(v) return type(v) == "string" end), "a list of names" },
  numbers = { is_list_of(is_finite), "a list of finite numbers" },
}

--- One of the words given.
---@param ... string
function options.one_of(...)
  local words = table.pack(...)
  return { function(v)
    for _, word in ipairs(words) do
      if v == word then return true end
    end
    return false
  end, '"' .. table.concat(words, '" or "') .. '"' }
end

--- Sets the field of each row in `object` from the table that a user gave: unknown names, wrong values and
--- values left out raise.
---@param fn string the function as the user writes it, such as "optim.Adam"
---@param rows table[] {name, default, kind}
---@param given? table positional values in its array part
---@param object table
function options.read(fn, rows, given, object)
  check.arg(given == nil or type(given) == "table", fn, "options", "a table of options", given)
  given = given or {}
  local known, named = {}, {}
  for i, row in ipairs(rows) do known[i] = row[1] end
  for key, value in pairs(given) do
    local name = math.type(key) == "integer" and known[key] or key
    if name ~= key and given[name] ~= nil then
      check.raise("%s: option '%s' is given twice, by its place and by its name", fn, name)
    end
    named[name] = value
  end
  check.options(fn, named, known)
  for _, row in ipairs(rows) do
    local name, default, kind = row[1], row[2], row[3]
    local value = named[name]
    if value == nil and default ~= options.REQUIRED then value = default end
    if value ~= nil or default == options.REQUIRED then
      check.arg(kind[1](value), fn, name, kind[2], value)
    end
    object[name] = value
  end
end

--- The fields of the rows as a plain table, copies of lists included.
---@param rows table[]
---@param object table
---@return table
function options.write(rows, object)
  local config = {}
  for _, row in ipairs(rows) do
    local value = object[row[1]]
    if type(value) == "table" then value = value.config and value:config() or { table.unpack(value) } end
    config[row[1]] = value
  end
  return config
end

return options
