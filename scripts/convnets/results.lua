-- The results of all runs: one line each in results.csv, and the table in results.md.
local console = require "console"

local results = {}

local COLUMNS <const> = {
  "net", "padding", "seed", "parameters", "epochs", "best_epoch", "train", "val", "test", "seconds_per_epoch",
}

--- The lines of an earlier run's file; none when there is none.
---@param folder string
---@return table[]
function results.load(folder)
  local list, file = {}, io.open(folder .. "/results.csv")
  if not file then return list end
  file:read "l"
  for line in file:lines() do
    local result, i = {}, 0
    for cell in line:gmatch "[^,]+" do
      i = i + 1
      if COLUMNS[i] then result[COLUMNS[i]] = i <= 2 and cell or tonumber(cell) end
    end
    if i == #COLUMNS then results.add(list, result) end
  end
  file:close()
  return list
end

--- Adds a result, in the place of one of the same net, padding and seed.
function results.add(list, result)
  local function key(r) return ("%s %s %06d"):format(r.net, r.padding, r.seed) end
  for i, other in ipairs(list) do
    if key(other) == key(result) then table.remove(list, i) break end
  end
  table.insert(list, result)
  table.sort(list, function(a, b) return key(a) < key(b) end)
end

local function mean(list, column)
  local sum = 0
  for _, result in ipairs(list) do sum = sum + result[column] end
  return sum / #list
end

--- A Markdown table of all results; after several seeds of a net, their mean.
---@return string
function results.table(list)
  local rows = {
    { "net", "padding", "seed", "parameters", "epochs", "best", "train", "val", "test", "s/epoch" },
  }
  local group = {}
  for i, r in ipairs(list) do
    group[#group + 1] = r
    rows[#rows + 1] = {
      r.net, r.padding, tostring(r.seed), tostring(r.parameters), tostring(r.epochs), tostring(r.best_epoch),
      console.percent(r.train), console.percent(r.val), console.percent(r.test),
      ("%.1f"):format(r.seconds_per_epoch),
    }
    local next_one = list[i + 1]
    if not next_one or next_one.net ~= r.net or next_one.padding ~= r.padding then
      if #group > 1 then
        rows[#rows + 1] = {
          r.net, r.padding, "mean", tostring(r.parameters), ("%.1f"):format(mean(group, "epochs")),
          ("%.1f"):format(mean(group, "best_epoch")), console.percent(mean(group, "train")),
          console.percent(mean(group, "val")), console.percent(mean(group, "test")),
          ("%.1f"):format(mean(group, "seconds_per_epoch")),
        }
      end
      group = {}
    end
  end
  return console.table(rows)
end

local function write(path, text)
  local file, message = io.open(path, "w")
  if not file then return nil, message end
  local ok, why = file:write(text)
  if not file:close() or not ok then return nil, why or path .. ": could not be written" end
  return true
end

--- Writes results.csv and results.md.
---@return true? ok, string? message
function results.save(folder, list)
  local lines = { table.concat(COLUMNS, ",") }
  for _, result in ipairs(list) do
    local cells = {}
    for i, column in ipairs(COLUMNS) do cells[i] = tostring(result[column]) end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  local ok, message = write(folder .. "/results.csv", table.concat(lines, "\n") .. "\n")
  if not ok then return nil, message end
  return write(folder .. "/results.md", results.table(list) .. "\n")
end

return results
