-- Ctrl-C between two batches, without a signal handler of ours.
--
-- Lua's own interpreter and perilune's answer SIGINT alike: they set a hook on the main thread that raises
-- "interrupted!" at its next instruction. A hook belongs to the thread it was set on, so a training loop
-- that runs in a coroutine is left alone; the error comes when the loop hands control back, which it does
-- between batches. There it is caught, and the loop is told to end in good order.
local core = require "perilune.core"

local interrupt = {}

local PAUSE <const> = {} -- what the loop yields between batches; anything else is the user's own yield

local function is_interrupt(problem)
  return type(problem) == "string" and problem:find("interrupted!$") ~= nil
end

--- Calls f(pause) and returns what it returns. f calls pause() wherever it may be stopped; pause returns
--- true once Ctrl-C was pressed. Errors in f come out at the caller's line.
---@param f fun(pause: fun(): boolean): ...
function interrupt.run(f)
  local stop, outcome = false, nil
  local function pause() return coroutine.yield(PAUSE) end
  -- The outcome is kept in here: the error may well come as the loop returns.
  local loop = coroutine.create(function() outcome = table.pack(pcall(f, pause)) end)

  local resume -- in tail calls, so that nothing is allocated
  local function after(_, first, ...)
    if coroutine.status(loop) == "dead" then return end
    if rawequal(first, PAUSE) then return resume(stop) end
    return resume(coroutine.yield(first, ...))
  end
  function resume(...) return after(coroutine.resume(loop, ...)) end

  while coroutine.status(loop) ~= "dead" do
    local ok, problem = pcall(resume, stop)
    if not ok then
      if not is_interrupt(problem) then error(problem, 0) end
      stop = true
    end
  end
  if outcome[1] then return table.unpack(outcome, 2, outcome.n) end
  local problem = outcome[2]
  if type(problem) == "string" and not problem:find("^[^\n]-:%d+: ") then core.raise(problem) end
  error(problem, 0)
end

return interrupt
