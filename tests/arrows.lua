-- The arrows of the house, checked by reading every #include and require: lua5.4 tests/arrows.lua, from
-- the top folder. A file uses what stands below its room, nothing beside or above; no circle of files;
-- Lua's headers in core/bind and the interpreter only; a core that neither prints nor exits. Files past
-- 600 lines are named. Exit status 1 when an arrow points the wrong way.

-- Which rooms a room of core/ reaches. "host" is core/*.c, the interpreter around the library.
local core_reaches = {
  host = { "host" },
  bind = { "bind", "host", "tensor", "kernels", "image", "runtime" },
  tensor = { "tensor", "kernels", "runtime" },
  kernels = { "kernels", "runtime" },
  image = { "image" },
  runtime = { "runtime" },
}
-- The tensor's description is plain data that kernels may name; the embedder's header is for all hosts.
local core_also = { ["kernels/kernels.h"] = { ["tensor/tensor.h"] = true } }
local with_lua = { bind = true, host = true }

-- The rooms of lua/perilune from the ground up. A room uses lower numbers, or itself.
local height = {
  core = 0, check = 1, tensor = 2, random = 3, ops = 3, autograd = 4, gradcheck = 5, data = 6, augment = 7,
  optim = 8, nn = 9, train = 10, plot = 10, tune = 10, init = 11, repl = 12, terminal = 0,
}

local LONGEST = 600
local faults, arrows, files, graph = {}, 0, 0, {}

local function fault(path, line, text, ...)
  faults[#faults + 1] = ("%s:%d: %s"):format(path, line, text:format(...))
end

local function lines_of(path)
  local n, file = 0, assert(io.open(path))
  return function()
    n = n + 1
    local line = file:read("l")
    if line then return n, line end
    if n > LONGEST + 1 then print(("warning: %s has %d lines"):format(path, n - 1)) end
    file:close()
  end
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function find(folder, names)
  local pipe = assert(io.popen(("find %s -type f \\( %s \\) | sort"):format(folder, names)))
  local list = {}
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  files = files + #list
  return ipairs(list)
end

local function arrow(from, to)
  arrows = arrows + 1
  graph[from] = graph[from] or {}
  graph[from][#graph[from] + 1] = to
end

local function contains(list, item)
  for _, each in ipairs(list) do
    if each == item then return true end
  end
  return false
end

-- ---- core/ --------------------------------------------------------------------------------------

local function core_room(file) return file:match("^([^/]+)/") or "host" end

local function check_include(path, n, file, room, included)
  local target = included
  local beside = file:match("^(.*/)") or ""
  if not exists("core/" .. target) then target = beside .. included end
  if not exists("core/" .. target) then return fault(path, n, "no file %s in core/", included) end
  arrow(path, "core/" .. target)
  local also = core_also[file] and core_also[file][target]
  if not contains(core_reaches[room], core_room(target)) and not also then
    fault(path, n, "%s must not reach up to %s", room, target)
  end
end

local forbidden = { "printf", "fprintf", "puts", "putchar", "perror", "exit", "_exit", "abort", "assert" }

local function check_core()
  for _, path in find("core", "-name '*.c' -o -name '*.h' -o -name '*.inc'") do
    local file = path:sub(#"core/" + 1)
    local room = core_room(file)
    if not core_reaches[room] then fault(path, 1, "the room %s is not in DESIGN's house", room) end
    for n, line in lines_of(path) do
      local included = line:match('^%s*#%s*include%s+"([^"]+)"')
      if included and core_reaches[room] then check_include(path, n, file, room, included) end
      local lua = line:match("^%s*#%s*include%s+<(l[ua][uax][%w]*%.h)>")
      if lua and not with_lua[room] then fault(path, n, "%s includes %s; only bind may", room, lua) end
      local code = line:gsub("//.*", ""):gsub('"[^"]*"', '""')
      for _, call in ipairs(room ~= "host" and forbidden or {}) do
        if code:find("%f[%w_]" .. call .. "%s*%(") and not code:match("^%s*/?%*") then
          fault(path, n, "the core must not call %s", call)
        end
      end
    end
  end
end

-- ---- Lua ----------------------------------------------------------------------------------------

local function requires(line)
  local code = line:gsub("^%s*%-%-.*", "")
  return code:gmatch("%f[%w_]require%s*%(?%s*[\"']([%w_.]+)[\"']")
end

local function module_room(module)
  return module == "perilune" and "init" or module:match("^perilune%.([%w_]+)")
end

local function module_path(module)
  local base = "lua/" .. module:gsub("%.", "/")
  if exists(base .. ".lua") then return base .. ".lua" end
  return base .. "/init.lua"
end

local function check_library()
  for _, path in find("lua/perilune", "-name '*.lua'") do
    local room = path:match("^lua/perilune/([%w_]+)")
    local known = height[room] or room == "meta" -- documentation only
    if not known then fault(path, 1, "the room %s is not in DESIGN's house", room) end
    for n, line in lines_of(path) do
      for module in requires(line) do
        local target = module_room(module)
        if not target then
          fault(path, n, "the library needs nothing but itself, not %s", module)
        elseif not height[target] then
          fault(path, n, "the room %s is not in DESIGN's house", target)
        elseif height[room] and target ~= room and height[target] >= height[room] then
          fault(path, n, "%s must not reach %s", room, module)
        end
        if exists(module_path(module)) then arrow(path, module_path(module)) end
      end
    end
  end
end

local function check_scripts()
  for _, path in find("scripts", "-name '*.lua'") do
    for n, line in lines_of(path) do
      for module in requires(line) do
        local own = "scripts/" .. module:gsub("%.", "/") .. ".lua"
        if exists(own) then
          arrow(path, own)
        elseif module ~= "perilune" then
          fault(path, n, "a script requires only \"perilune\" and other scripts, not %s", module)
        end
      end
    end
  end
end

-- ---- circles ------------------------------------------------------------------------------------

local function check_circles()
  local state = {}
  local function visit(path, trail)
    if state[path] == "done" then return end
    trail[#trail + 1] = path
    if state[path] == "open" then
      return fault(path, 1, "a circle: %s", table.concat(trail, " -> "))
    end
    state[path] = "open"
    for _, target in ipairs(graph[path] or {}) do visit(target, table.move(trail, 1, #trail, 1, {})) end
    state[path] = "done"
  end
  local starts = {}
  for path in pairs(graph) do starts[#starts + 1] = path end
  table.sort(starts)
  for _, path in ipairs(starts) do visit(path, {}) end
end

check_core()
check_library()
check_scripts()
check_circles()
for _, text in ipairs(faults) do print(text) end
print(("arrows: %d files, %d arrows, %d wrong"):format(files, arrows, #faults))
os.exit(#faults == 0, true)
