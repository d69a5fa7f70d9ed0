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
  local expected = (high and "an integer from %d to %d" or "an integer from %d up"):format(low, high)
  check.arg(integer and integer >= low and integer <= (high or math.maxinteger), fn, name, expected, value)
  return integer
end

-- Levenshtein distance, for short names.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
    end
  end
  return row[#b]
end

--- The known name nearest to a misspelt one, or nil when none is near.
---@param name any
---@param known string[]
---@return string?
function check.nearest(name, known)
  local best, least = nil, math.min(4, #tostring(name) // 2 + 1)
  for _, candidate in ipairs(known) do
    local d = distance(tostring(name):lower(), candidate:lower())
    if d < least and d < math.max(#candidate, 2) then best, least = candidate, d end
  end
  return best
end

--- Checks that a table of options holds known names only; nil counts as an empty one.
---@param fn string
---@param options? table
---@param known string[]
---@return table options
function check.options(fn, options, known)
  if options == nil then return {} end
  check.arg(type(options) == "table", fn, "options", "a table of options", options)
  for key in pairs(options) do
    local found = false
    for _, name in ipairs(known) do found = found or name == key end
    if not found then
      local near = check.nearest(key, known)
      check.raise("%s: unknown option %s; %s", fn, core.describe(key),
        near and ("did you mean '%s'?"):format(near) or "known are: " .. table.concat(known, ", "))
    end
  end
  return options
end

return check
