-- Named options of the nets' functions: defaults filled in, and a clear error at the caller's line for each
-- name that is not known, missing, or of the wrong kind.
local pl = require "perilune"

local function is_amount(value) return type(value) == "number" and value >= 0 and value < math.huge end

local kinds <const> = {
  size = { "a positive integer", function(value) return math.type(value) == "integer" and value > 0 end },
  amount = { "a number from 0 up", is_amount },
  flag = { "true or false", function(value) return type(value) == "boolean" end },
  text = { "a string", function(value) return type(value) == "string" end },
  callback = { "a function", function(value) return type(value) == "function" end },
  generator = { "a generator such as pl.rng(1)", function(value) return type(value) == "userdata" end },
  normalizer = { "an object with apply(rows)", function(value) return type(value) == "table" end },
}

-- A value in a message: strings in quotes, of a tensor its first line.
local function shown(value)
  if type(value) == "string" then return ("%q"):format(value) end
  return tostring(value):match "^[^\n]*"
end

-- What to write instead of an unknown name.
local function hint(name, known)
  local names = {}
  for each in pairs(known) do table.insert(names, each) end
  table.sort(names)
  local near = pl.nearest(name, names)
  return near and ("did you mean '%s'?"):format(near) or "known are: " .. table.concat(names, ", ")
end

--- Reads the options of a call. Whatever is wrong is an error at the line that called the function `fn`.
---@param fn string its name, for the messages
---@param given any what it was given as options
---@param known table<string, table> for each name its kind (above) and its default; without one it must be
---  given
---@return table<string, any> options
local function read_options(fn, given, known)
  local function expect(condition, ...)
    if not condition then error(fn .. ": " .. string.format(...), 4) end
  end
  expect(type(given) == "table", "expected a table of options, got %s", shown(given))
  expect(not given.__name, "expected a table of options, got a %s: call it with a dot, not a colon",
    given.__name)
  for name in pairs(given) do
    if not known[name] then expect(false, "unknown option %s; %s", shown(name), hint(name, known)) end
  end
  local options = {}
  for name, rule in pairs(known) do
    local phrase, test = table.unpack(kinds[rule[1]])
    local value = given[name]
    if value == nil then
      expect(rule[2] ~= nil, "option '%s' is missing: expected %s", name, phrase)
      options[name] = rule[2]
    else
      expect(test(value), "option '%s': expected %s, got %s", name, phrase, shown(value))
      options[name] = value
    end
  end
  return options
end

return read_options
