-- Tally: the mean loss and the metrics of the batches since it was last reset.
local core = require "perilune.core"

-- Measures by name that print in their order: {loss = 1.2034, accuracy = 0.5631}
local Logs = { __name = "logs" }

function Logs.__tostring(logs)
  local names, parts = {}, {}
  for name in pairs(logs) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    if (a == "loss") ~= (b == "loss") then return a == "loss" end
    return a < b
  end)
  for i, name in ipairs(names) do
    local value = logs[name]
    parts[i] = ("%s = %s"):format(name, math.type(value) == "float" and ("%.4f"):format(value)
      or tostring(value))
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

---@class Tally
local Tally = {}
Tally.__index = Tally

---@param metrics { name: string, object: table }[]
function Tally.new(metrics)
  local self = setmetatable({ metrics = metrics, loss = 0, count = 0 }, Tally)
  self:reset()
  return self
end

function Tally:reset()
  self.loss, self.count = 0, 0
  for _, metric in ipairs(self.metrics) do metric.object:reset() end
end

--- Takes a batch of n samples in: its mean loss, its targets and predictions.
function Tally:add(loss, n, y, y_pred)
  self.loss, self.count = self.loss + loss * n, self.count + n
  for _, metric in ipairs(self.metrics) do metric.object:update(y, y_pred) end
end

--- Writes the measures into a table.
---@param logs table
---@param prefix? string "val_"
---@return table logs
function Tally:write(logs, prefix)
  prefix = prefix or ""
  logs[prefix .. "loss"] = self.loss / self.count
  for _, metric in ipairs(self.metrics) do logs[prefix .. metric.name] = metric.object:result() end
  return logs
end

--- The measures as a new table that prints well.
function Tally:result() return self:write(setmetatable({}, Logs)) end

--- What BackupAndRestore keeps of an epoch half done.
function Tally:state()
  local state = { loss = self.loss, count = self.count, metrics = {} }
  for i, metric in ipairs(self.metrics) do
    local kept = {}
    for key, value in pairs(metric.object) do
      if type(value) == "number" or core.is_tensor(value) then kept[key] = value end
    end
    state.metrics[i] = kept
  end
  return state
end

function Tally:load_state(state)
  self.loss, self.count = state.loss, state.count
  for i, metric in ipairs(self.metrics) do
    for key, value in pairs(state.metrics[i]) do metric.object[key] = value end
  end
end

return Tally
