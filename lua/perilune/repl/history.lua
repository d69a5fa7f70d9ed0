--- history: what was typed at the prompt, kept from one session to the next.
-- One entry a line (a line break inside an entry is written \n, a backslash \\), appended as it is
-- entered, so that sessions side by side lose nothing. The file is XDG_STATE_HOME/perilune/history,
-- by default ~/.local/state/perilune/history; PERILUNE_HISTORY names another one, and an empty
-- PERILUNE_HISTORY keeps none. Without a place to write, the session goes on without a memory.

local history = {}

local KEEP = 2000

local function path_of()
  local named = os.getenv("PERILUNE_HISTORY")
  if named then return named ~= "" and named or nil end
  local state, home = os.getenv("XDG_STATE_HOME"), os.getenv("HOME")
  if state and state:sub(1, 1) == "/" then return state .. "/perilune/history" end
  return home and home ~= "" and home .. "/.local/state/perilune/history" or nil
end

local function encode(entry)
  return (entry:gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" }))
end

local function decode(line)
  return (line:gsub("\\(.)", { ["\\"] = "\\", n = "\n" }))
end

local function read(path)
  local lines, file = {}, io.open(path, "r")
  if not file then return lines end
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

local function rewrite(path, lines, first)
  local temporary = path .. ".tmp"
  local file = io.open(temporary, "w")
  if not file then return end
  local written = file:write(table.concat(lines, "\n", first), "\n")
  if file:close() and written then os.rename(temporary, path) else os.remove(temporary) end
end

--- Opens the history: its entries, oldest first, and a function that adds one.
---@param make_dir fun(path: string): boolean|nil
---@return string[] entries
---@return fun(entry: string) add
function history.open(make_dir)
  local path = path_of()
  if not path then return {}, function() end end
  for slash in path:gmatch("()/") do
    if slash > 1 then make_dir(path:sub(1, slash - 1)) end
  end
  local lines = read(path)
  local first = math.max(1, #lines - KEEP + 1)
  if #lines > 2 * KEEP then rewrite(path, lines, first) end
  local entries = {}
  for i = first, #lines do entries[#entries + 1] = decode(lines[i]) end
  local last = entries[#entries]
  return entries, function(entry)
    if entry == last then return end
    last = entry
    local file = io.open(path, "a")
    if not file then return end
    file:write(encode(entry), "\n")
    file:close()
  end
end

return history
