-- The README's examples do what it says. Every ```lua block runs in a process of its own, in an empty
-- folder with the sample data: a line that prints may end in `--> what it prints`, where … stands for
-- anything. Every ```console block is typed at the prompt, which must answer as the README shows.

local shell = require "tests.shell"

local README = shell.root .. "/README.md"

--- The fenced blocks of a language: { line = of the first line of code, text = the code }.
local function blocks(language)
  local found, block, number = {}, nil, 0
  for line in io.lines(README) do
    number = number + 1
    if block and line:match("^```%s*$") then
      found[#found + 1] = { line = block.line, text = table.concat(block, "\n") .. "\n" }
      block = nil
    elseif block then
      block[#block + 1] = line
    elseif line:match("^```" .. language .. "%s*$") then
      block = { line = number + 1 }
    end
  end
  return found
end

-- Runs a block as README.md:line, with a print that notes what each line printed, and compares.
local runner = [==[
local path, first = arg[1], tonumber(arg[2])
local lines, printed = {}, {}
for line in io.lines(path) do lines[#lines + 1] = line end
local env = setmetatable({}, { __index = _G })
function env.print(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  local line = debug.getinfo(2, "l").currentline
  printed[line] = (printed[line] and printed[line] .. "\n" or "") .. table.concat(words, "\t")
end
local code = ("\n"):rep(first - 1) .. table.concat(lines, "\n")
assert(load(code, "@README.md", "t", env))()
for i, line in ipairs(lines) do
  local expected = line:match("%-%->%s*(.-)%s*$")
  if expected then
    local got = (printed[first + i - 1] or "(nothing)"):gsub("%s+$", "")
    local pattern = "^" .. expected:gsub("%p", "%%%0"):gsub("…", ".*") .. "$"
    if not got:find(pattern) then
      local message = "README.md:%d says\n%s\nbut what is printed is\n%s"
      error(message:format(first + i - 1, expected, got:sub(1, 400)), 0)
    end
  end
end
]==]

local function run_block(block)
  return shell.in_folder(function(folder)
    shell.write(folder .. "/runner.lua", runner)
    shell.write(folder .. "/block.lua", block.text)
    local command = [[cd %s && ln -s %s/data data && LUA_PATH=%s LUA_INIT= %s runner.lua block.lua %d]]
    local scripts = shell.quote(shell.root .. "/scripts/?.lua;;")
    return shell.run(command:format(shell.quote(folder), shell.quote(shell.root), scripts,
      shell.quote(shell.perilune), block.line))
  end)
end

--- What is typed in a session, and the transcript a pipe would get.
local function session(block)
  local typed, shown = {}, {}
  for line in block.text:gmatch("([^\n]*)\n") do
    local mark, text = line:match("^(>>?) (.*)$")
    if mark then
      typed[#typed + 1] = text .. "\n"
      shown[#shown + 1] = mark .. " "
    else
      shown[#shown + 1] = line .. "\n"
    end
  end
  return table.concat(typed), table.concat(shown) .. "> "
end

describe("README.md", function()
  it("is there, with a first session and a first script", function()
    assert.truthy(#blocks("lua") > 0)
    assert.truthy(#blocks("console") > 0)
  end)

  for _, block in ipairs(blocks("lua")) do
    it(("runs its script at line %d"):format(block.line), function()
      local _, err, code = run_block(block)
      assert.equal("", err)
      assert.equal(0, code)
    end)
  end

  for _, block in ipairs(blocks("console")) do
    it(("shows what the prompt answers, at line %d"):format(block.line), function()
      local typed, shown = session(block)
      local out = shell.run("LUA_INIT= " .. shell.quote(shell.perilune) .. " -i 2>&1", typed)
      assert.equal(shown, out)
    end)
  end
end)
