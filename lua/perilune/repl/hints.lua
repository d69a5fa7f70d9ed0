--- hints: one friendly line under an error at the prompt, for what beginners type.
-- Habits of other languages, a name misspelt, a dot for a colon. A hint is added only when the
-- message and the text typed both point to it; the error itself is never hidden.

local check = require "perilune.check"
local complete = require "perilune.repl.complete"

local hints = {}

local OURS <const> = "perilune's functions are in pl: pl.zeros(2, 3)"

-- What other languages call it.
local elsewhere = {
  len = "the length of x is #x", range = "count with: for i = 1, n do … end",
  str = "tostring(x)", int = "x // 1, or math.tointeger(x)", float = "tonumber(x)",
  np = OURS, numpy = OURS, torch = OURS, tf = OURS, plt = "plots are in pl.plot",
  printf = "print(string.format(…))", puts = "print(…)", abs = "math.abs(x)", sqrt = "math.sqrt(x)",
  max = "math.max(…)", min = "math.min(…)", exp = "math.exp(x)", log = "math.log(x)",
  round = "math.floor(x + 0.5), or t:round() for a tensor",
  dir = "press Tab after a name and a dot to see what is in it", None = "nothing is nil in Lua",
  True = "true, in small letters", False = "false, in small letters", null = "nothing is nil in Lua",
  undefined = "nothing is nil in Lua", self = "self exists inside function t:name() … end",
}

-- Signs of another language in a text that Lua cannot read: pattern, hint.
local habits = {
  { "!=", "not equal is written ~=" },
  { "[%w_%]]%s*[%+%-%*/]=", "there is no x += 1; write x = x + 1, or t:add_(1) for a tensor" },
  { "%+%+", "there is no x++; write x = x + 1" },
  { "&&", "write and" },
  { "||", "write or" },
  { "^%s*import%s", 'write x = require "…"; perilune is here already, as pl' },
  { "^%s*from%s+[%w_.]+%s+import", 'write x = require "…"; perilune is here already, as pl' },
  { "^%s*def%s", "a function is written: function name(x) … end" },
  { "^%s*class%s", "a class is a table with a metatable; see the README" },
  { "lambda", "a function without a name is written: function(x) return … end" },
  { "=>", "a function without a name is written: function(x) return … end" },
  { "%f[%w]elif%f[%W]", "write elseif" },
  { "^%s*for%s.*%f[%w]in%s+range", "write: for i = 1, n do … end" },
  { "^%s*for%s.*:%s*$", "write: for i = 1, n do … end" },
  { "^%s*while%s.*:%s*$", "write: while … do … end" },
  { "^%s*if%s.*:%s*$", "write: if … then … end" },
  { "%*%*", "a power is written x ^ 2" },
  { "^%s*#", "a comment begins with --" },
  { "^%s*//", "a comment begins with --" },
  { "^%s*print%s+[%w_]", "print needs parentheses: print(x)" },
  { "[\"']%s*:%s*[%w{%[\"']", "a table's field is written {name = value}" },
  { "%[[^%[%]]*:[^%[%]]*%]", "a slice is written t[{ {1, 3}, {} }]: the first and last index of each axis" },
  { "%(.*[%w_]+%s*=[^=]", "named options go in a table: f(x, {name = value})" },
  { "^%s*%[", "a list is written {1, 2, 3}" },
  { "[=(,]%s*%[[^%[]", "a list is written {1, 2, 3}" },
  { "%?.+:", "write: condition and a or b" },
  { "'s ", "is a quotation mark missing?" },
}

local function look(owner, name)
  local ok, value = pcall(function() return owner[name] end)
  if ok then return value end
end

--- The value of a dotted chain of globals.
local function value_of(chain)
  local value = _G
  for name in chain:gmatch("[^.:]+") do
    if value == nil then return nil end
    value = look(value, name)
  end
  return value
end

local function names_of(owner)
  if owner == nil then return {} end
  return complete.names_in(owner)
end

local function global_hint(name)
  if elsewhere[name] then return elsewhere[name] end
  local ours = rawget(_G, "pl")
  if type(ours) == "table" and look(ours, name) ~= nil then return ("did you mean pl.%s?"):format(name) end
  local close = check.nearest(name, names_of(_G))
  return close and ("did you mean %s?"):format(close)
end

--- A hint for `name`, not found behind `owner.` or `owner:` in the text.
local function field_hint(name, text)
  local chain, mark = text:match("([%a_][%w_.]*)%s*([.:])%s*" .. name .. "%f[^%w_]")
  if not chain then return nil end
  local close = check.nearest(name, names_of(value_of(chain)))
  return close and ("did you mean %s%s%s?"):format(chain, mark, close)
end

local function runtime_hint(message, text)
  local kind, name = message:match("nil value %((%a+) '([%w_]+)'%)")
  if kind == "global" then return global_hint(name) end
  if kind == "field" or kind == "method" then return field_hint(name, text) end
  name = message:match("a function value %(%a+ '([%w_]+)'%)")
  if name then return ("%s is a method; call it: t:%s()"):format(name, name) end
  name = message:match("([%w_]+): argument 'self': expected")
  if name and text:find("%." .. name .. "%s*%(") then
    return ("a method is called with a colon: t:%s(…)"):format(name)
  end
  if message:find("perform arithmetic on a string", 1, true) then return "strings are joined with .." end
  if message:find("attempt to call a number value", 1, true)
    or message:find("attempt to call a table value", 1, true) then
    return "is a comma or an operator missing before the parenthesis?"
  end
end

--- A hint for an error, or nil.
---@param message string
---@param text string  what was typed
---@param is_syntax boolean  the text could not be compiled
---@return string|nil
function hints.find(message, text, is_syntax)
  if not is_syntax then return runtime_hint(message, text) end
  local bare = text:gsub('"[^"\n]*"', '""'):gsub("'[^'\n]*'", "''")
  for _, habit in ipairs(habits) do
    if bare:find(habit[1]) then return habit[2] end
  end
end

--- A word about a bare name that stands for nothing; nil when it is defined.
---@param text string
---@return string|nil
function hints.undefined(text)
  local name = text:match("^%s*([%a_][%w_]*)%s*$")
  if not name or name == "nil" or name == "_" or rawget(_G, name) ~= nil then return nil end
  local hint = global_hint(name)
  return ("nil: %s is not defined%s"):format(name, hint and "; " .. hint or "")
end

return hints
