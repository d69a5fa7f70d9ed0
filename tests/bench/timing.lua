-- Times, as the bench takes them, and the report that it makes of them.
local core = require "perilune.core"
local pl = require "perilune"

local timing = { repetitions = 5 }

--- The one in the middle.
---@param list number[]
---@return number
function timing.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

--- A function that runs f for a while, at least `least` seconds, and returns the seconds of one call.
---@param f function
---@param least? number 0.1
---@return fun(): number
function timing.repetition(f, least)
  local calls = 1
  local function run()
    local start = pl.clock()
    for _ = 1, calls do f() end
    return (pl.clock() - start) / calls
  end
  f()
  while run() * calls < (least or 0.1) do calls = calls * 2 end
  return run
end

--- Several measurements in turn, A B A B …: the median of each one's repetitions, and of each one's ratio to
--- the first.
---@param runs (fun(): number)[]
---@return number[] medians
---@return number[] ratios of the others to the first, repetition by repetition
function timing.interleaved(runs)
  local taken, ratios = {}, {}
  for i in ipairs(runs) do taken[i], ratios[i] = {}, {} end
  for r = 1, timing.repetitions do
    for i, run in ipairs(runs) do
      taken[i][r] = run()
      ratios[i][r] = taken[i][r] / taken[1][r]
    end
  end
  for i in ipairs(runs) do taken[i], ratios[i] = timing.median(taken[i]), timing.median(ratios[i]) end
  return taken, ratios
end

--- Multiply-adds on registers, on every core that the pool has: operations a second.
---@return number
function timing.peak()
  local rounds = 2000000
  local run = timing.repetition(function() core.peak(rounds) end)
  local rates = {}
  for i = 1, timing.repetitions do rates[i] = core.peak(rounds) / run() end
  return timing.median(rates)
end

--- Milliseconds in three digits.
function timing.ms(seconds)
  local digits = seconds < 1e-4 and 4 or seconds < 1e-3 and 3 or seconds < 1e-2 and 2 or 1
  return ("%." .. digits .. "f ms"):format(seconds * 1e3)
end

local report = {}

--- Prints a line and keeps it for the file.
function timing.say(format, ...)
  local line = select("#", ...) > 0 and format:format(...) or format
  report[#report + 1] = line
  print(line)
end

--- A row of a Markdown table, or its head with the line below it.
function timing.row(...) timing.say("| %s |", table.concat({ ... }, " | ")) end

function timing.head(...)
  timing.say ""
  timing.row(...)
  timing.say("|---%s|", ("|---:"):rep(select("#", ...) - 1))
end

--- Writes what was said.
---@param path string
function timing.save(path)
  assert(core.mkdirs(path:match "^(.*)/"))
  assert(core.write_file(path, table.concat(report, "\n") .. "\n"))
end

return timing
