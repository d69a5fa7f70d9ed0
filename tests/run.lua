-- Runs the specs: lua5.4 tests/run.lua [spec or folder ...], tests/ by default. busted works in a process
-- of its own, which notes every outcome in a file as it comes (tests/outcome.lua), so that the count is
-- right even when that process dies. The last line is `N passed, N failed`; the exit status is 0 only
-- when something passed, nothing failed and busted came to its end.

if arg[1] == "--busted" then -- the process of its own
  table.remove(arg, 1)
  return require "busted.runner" { standalone = false }
end

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local outcomes = os.tmpname()
local command = { arg[-1], arg[0], "--busted", "-o", here .. "/outcome.lua", "-Xoutput", outcomes }
for i = 1, math.max(1, #arg) do command[#command + 1] = arg[i] or here end
for i, word in ipairs(command) do command[i] = quoted(word) end

io.stdout:flush()
local _, how, code = os.execute(table.concat(command, " "))

local count = { success = 0, failure = 0, error = 0, pending = 0, ["end"] = 0 }
for outcome in io.lines(outcomes) do count[outcome] = count[outcome] + 1 end
os.remove(outcomes)

local failed = count.failure + count.error
if count["end"] == 0 then
  failed = failed + 1
  print(("\nbusted died before its end (%s %d)"):format(how, code))
elseif count.success + failed == 0 then
  failed = 1
  print("no test was run")
elseif code ~= 0 and failed == 0 then
  failed = 1
  print(("busted ended with %s %d"):format(how, code))
end
if count.pending > 0 then print(("%d pending"):format(count.pending)) end
print(("%d passed, %d failed"):format(count.success, failed))
os.exit(failed == 0, true)
