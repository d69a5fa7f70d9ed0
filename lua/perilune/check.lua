-- Errors and options for the library's own Lua: every message is raised at the user's line and says
-- what was expected and what came.
local core = require "perilune.core"

local check = {}

--- Raises at the innermost line outside the library.
---@param format string as for string.format
function check.raise(format, ...)
  core.raise(select("#", ...) > 0 and format:format(...) or format)
end

--- A few words for any value: `nil`, `3.5`, `tensor {3, 4} float32`.
check.describe = core.describe

--- Raises `fn: argument 'name': expected …, got …` unless the condition holds.
---@param condition any
---@param fn string the function as the user writes it
---@param name string the argument
---@param expected string
---@param value any what came
function check.arg(condition, fn, name, expected, value)
  if not condition then
    check.raise("%s: argument '%s': expected %s, got %s", fn, name, expected, core.describe(value))
  end
end

--- The integer, as such (3.0 counts as 3), or an error.
---@param value any
---@param fn string
---@param name string
---@param low integer
---@param high? integer
---@return integer
function check.integer(value, fn, name, low, high)
  local integer = type(value) == "number" and math.tointeger(value)
  if not (integer and integer >= low and integer <= (high or math.maxinteger)) then
    local expected = (high and "an integer from %d to %d" or "an integer from %d up"):format(low, high)
    check.arg(false, fn, name, expected, value)
  end
  return integer
end

-- How many letters to change, add, leave out or swap with their neighbour (optimal string alignment).
local function distance(a, b)
  local before, above
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, above, row = above, row, { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- The known name nearest to a misspelt one, or nil when none is near: one edit for every three letters,
--- three at most, so that a name of two letters is near to nothing but itself in capitals.
---@param name any
---@param known string[]
---@return string?
function check.nearest(name, known)
  name = tostring(name):lower()
  check.arg(type(known) == "table", "nearest", "known", "a list of names", known)
  local best, least = nil, math.min(3, #name // 3) + 1
  for _, candidate in ipairs(known) do
    check.arg(type(candidate) == "string", "nearest", "known", "a list of names", candidate)
    local d = math.abs(#candidate - #name) < least and distance(name, candidate:lower()) or least
    if d < least then best, least = candidate, d end
  end
  return best
end

--- `did you mean 'name'?`, or, when none is near, `known are: …`: the end of many messages.
---@param name any
---@param known string[]
---@return string
function check.hint(name, known)
  local near = check.nearest(name, known)
  return near and ("did you mean '%s'?"):format(near) or "known are: " .. table.concat(known, ", ")
end

local LISTED <const> = 8 -- more names than these are not listed in a message

--- Raises `owner has no field "name"`, with the nearest known name or, of a few, all of them.
---@param owner string what was asked, and for which kind of name: "perilune has no field"
---@param name any
---@param ... table whose keys are the known names
function check.no_field(owner, name, ...)
  local known = {}
  for _, names in ipairs { ... } do
    for key in next, names do known[#known + 1] = key end
  end
  table.sort(known)
  local near, hint = check.nearest(name, known), ""
  if near then
    hint = ("; did you mean '%s'?"):format(near)
  elseif #known <= LISTED then
    hint = "; known are: " .. table.concat(known, ", ")
  end
  check.raise("%s %s%s", owner, core.describe(name), hint)
end

--- The module itself, in which a field that it does not have is now an error.
---@generic T: table
---@param module T
---@param name string as the user writes it
---@return T
function check.module(module, name)
  return setmetatable(module, {
    __index = function(_, field) check.no_field(name .. " has no field", field, module) end,
  })
end

--- Checks that a table of options holds known names only; nil counts as an empty one.
---@param fn string
---@param options? table
---@param known string[]
---@return table options
function check.options(fn, options, known)
  if options == nil then return {} end
  check.arg(type(options) == "table", fn, "options", "a table of options", options)
  for key in next, options do
    local found = false
    for i = 1, #known do found = found or known[i] == key end
    if not found then
      check.raise("%s: unknown option %s; %s", fn, core.describe(key), check.hint(key, known))
    end
  end
  return options
end

return check
