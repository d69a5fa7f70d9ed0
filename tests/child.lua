-- Runs Lua in a process of its own, by the interpreter that runs the specs.
local child = {}

--- Whether the specs run under the sanitizers, which need an address space without limits.
child.asan = os.getenv("PERILUNE_ASAN") ~= nil

local lowest = 0
while arg and arg[lowest - 1] do lowest = lowest - 1 end
local interpreter <const> = lowest < 0 and arg[lowest] or "lua5.4"

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

--- Runs a script's text; `settings` may be shell text that comes first, such as variables or a limit.
---@param script string
---@param settings? string
---@return string output of both streams
---@return boolean success
function child.run(script, settings)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local pipe = assert(io.popen(("%s %s %s 2>&1"):format(settings or "", quoted(interpreter), quoted(path))))
  local output = pipe:read("a")
  local success = pipe:close()
  os.remove(path)
  return output, success or false
end

return child
