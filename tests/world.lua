-- For the specs about files: a folder of their own, and how a refusal and a mistake have to look.
local assert = require "luassert"
local shell = require "tests.shell"

local world = {}

--- What a shell command writes.
function world.sh(format, ...)
  local pipe = assert(io.popen(format:format(...), "r"))
  local text = pipe:read("a")
  pipe:close()
  return text
end

--- A new empty folder; world.remove takes it away.
function world.new()
  local folder = os.tmpname()
  os.remove(folder)
  folder = folder .. ".d"
  world.sh("mkdir -p '%s'", folder)
  return folder
end

function world.remove(folder)
  world.sh("rm -rf '%s'", folder)
end

--- Writes a file, without the library; returns its path.
function world.put(folder, name, content)
  local path = folder .. "/" .. name
  shell.write(path, content)
  return path
end

--- All names in a folder, hidden ones too.
function world.list(folder)
  return world.sh("ls -A '%s'", folder)
end

local function holds(message, ...)
  for _, text in ipairs { ... } do
    assert.is_truthy(message:find(text, 1, true), ("%q lacks %q"):format(message, text))
  end
end

--- A refusal: nil and a message that holds every one of the texts.
function world.refused(result, message, ...)
  assert.is_nil(result)
  assert.is_string(message)
  holds(message, ...)
end

--- A mistake of the caller: raised at a line of the spec, with every one of the texts.
function world.raises(f, ...)
  local ok, message = pcall(f)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find("_spec.lua:%d+: "), message)
  holds(message, ...)
end

return world
