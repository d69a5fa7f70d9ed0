-- For the specs that start processes: run a command, keep what it wrote, work in a folder of its own.

local shell = {}

local pipe = assert(io.popen("pwd"))
shell.root = pipe:read("l")
pipe:close()

local given = os.getenv("PERILUNE") or "build/bin/perilune"
--- The interpreter under test, by its full path.
shell.perilune = given:sub(1, 1) == "/" and given or shell.root .. "/" .. given

function shell.quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

function shell.read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("a")
  file:close()
  return content
end

function shell.write(path, content)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  assert(file:close())
end

--- Runs f(folder) with a new empty folder, and removes the folder whatever happens.
function shell.in_folder(f)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir -p " .. shell.quote(folder)))
  local results = table.pack(xpcall(f, debug.traceback, folder))
  os.execute("rm -rf " .. shell.quote(folder))
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Runs a shell command with the text as its standard input; returns what it wrote to its output and to
--- its error stream, and its exit status.
function shell.run(command, input)
  return shell.in_folder(function(folder)
    local function at(name) return shell.quote(folder .. "/" .. name) end
    shell.write(folder .. "/in", input or "")
    local line = ("{ %s\n} <%s >%s 2>%s"):format(command, at "in", at "out", at "err")
    local _, how, code = os.execute(line)
    if how == "signal" then code = 128 + code end
    return shell.read(folder .. "/out"), shell.read(folder .. "/err"), code
  end)
end

return shell
