-- The line that says how far a training is: on a terminal rewritten in place, in a file one line an epoch.
local core = require "perilune.core"

---@class Progress
local Progress = {}
Progress.__index = Progress

local BAR <const> = 20
local SECONDS_BETWEEN <const> = 0.1

--- 0.1234, or 1.2340e-05 for what is very small.
local function number(value)
  if value ~= value then return "nan" end
  if value ~= 0 and math.abs(value) < 1e-3 then return ("%.4e"):format(value) end
  return ("%.4f"):format(value)
end

---@param seconds number
local function duration(seconds)
  if seconds < 1 then return ("%.0f ms"):format(seconds * 1e3) end
  if seconds < 10 then return ("%.1f s"):format(seconds) end
  if seconds < 100 then return ("%.0f s"):format(seconds) end
  return ("%d min %02d s"):format(seconds // 60, seconds // 1 % 60)
end

local function a_step(seconds)
  if seconds >= 1 then return ("%.1f s/step"):format(seconds) end
  if seconds >= 1e-3 then return ("%.0f ms/step"):format(seconds * 1e3) end
  return ("%.0f µs/step"):format(seconds * 1e6)
end

local function measures(logs, names)
  local parts = {}
  for _, name in ipairs(names) do
    if type(logs[name]) == "number" then parts[#parts + 1] = ("%s: %s"):format(name, number(logs[name])) end
  end
  return table.concat(parts, "  ")
end

local function bar(done, total)
  local filled = BAR * done // total
  return ("━"):rep(filled) .. ("┄"):rep(BAR - filled)
end

-- Cut to a number of characters, so that it stays one line.
local function cut(text, width)
  local byte = utf8.len(text) > width and utf8.offset(text, width + 1)
  return byte and text:sub(1, byte - 1) or text
end

---@param label string "Epoch 3/10"
---@param steps integer
---@param names string[] measures in the order in which they are shown
---@param verbose 1|2 2: a line an epoch on a terminal too
function Progress.new(label, steps, names, verbose)
  local now = core.clock()
  return setmetatable({
    label = label, steps = steps, names = names, start = now, shown = now, first = nil,
    width = verbose == 1 and core.stdout_columns() or nil,
  }, Progress)
end

--- After each step.
function Progress:update(step, logs)
  self.first = self.first or step
  if not self.width then return end
  local now = core.clock()
  if now - self.shown < SECONDS_BETWEEN then return end
  self.shown = now
  local line = ("%s  %s  %d/%d  %s  %s"):format(self.label, bar(step, self.steps), step, self.steps,
    a_step((now - self.start) / (step - self.first + 1)), measures(logs, self.names))
  io.write("\r\27[K", cut(line, self.width - 1))
  io.flush()
end

--- The epoch's own line.
---@param steps integer that it had
---@param seconds number that its steps took
function Progress:finish(steps, seconds, logs, note)
  io.write(self.width and "\r\27[K" or "", ("%s  %d/%d  %s  %s  %s%s\n"):format(self.label, steps, self.steps,
    duration(core.clock() - self.start), a_step(seconds / math.max(1, steps)), measures(logs, self.names),
      note or ""))
  io.flush()
end

return Progress
