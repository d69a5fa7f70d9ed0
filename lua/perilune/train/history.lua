-- History: what fit returns, every measure of every epoch.
local Callback = require "perilune.train.callbacks.callback"

---@class History: Callback
---@field history table<string, number[]> loss, the metrics, val_…, learning_rate and seconds, by epoch
---@field epochs integer[] the numbers of the epochs
---@field interrupted { epoch: integer, step: integer }? where Ctrl-C ended the training
local History = Callback:extend("History", {})

function History:init() self.history, self.epochs, self.names = {}, {}, {} end

function History:on_train_begin()
  self.history, self.epochs, self.interrupted = {}, {}, nil
  self.names = self.params.metrics
  for _, name in ipairs(self.names) do self.history[name] = {} end
end

function History:on_epoch_end(epoch, logs)
  self.epochs[#self.epochs + 1] = epoch
  for _, name in ipairs(self.names) do self.history[name][#self.epochs] = logs[name] end
end

function History:on_train_end(logs)
  self.interrupted = logs.interrupted
end

function History:state()
  return { history = self.history, epochs = self.epochs, names = self.names }
end

function History:load_state(state)
  for _, name in ipairs(self.names) do state.history[name] = state.history[name] or {} end
  self.history, self.epochs = state.history, state.epochs
end

local MAX_ROWS <const> = 12

local function cell(value) return type(value) == "number" and ("%.4g"):format(value) or "…" end

--- A table of the epochs, the middle ones left out when there are many.
function History:__tostring()
  local n = #self.epochs
  local lines, columns = {}, { "epoch", table.unpack(self.names or {}) }
  local widths = {}
  for i, name in ipairs(columns) do widths[i] = math.max(#name, 6) end
  local function add(values)
    local cells = {}
    for i, text in ipairs(values) do cells[i] = (" "):rep(widths[i] - #text) .. text end
    lines[#lines + 1] = table.concat(cells, "  ")
  end
  add(columns)
  for i = 1, n do
    if n <= MAX_ROWS or i <= MAX_ROWS // 2 or i > n - MAX_ROWS // 2 then
      local cells = { tostring(self.epochs[i]) }
      for k = 2, #columns do
        local value = self.history[columns[k]][i]
        cells[k] = columns[k] == "seconds" and ("%.1f"):format(value) or cell(value)
      end
      add(cells)
    elseif i == MAX_ROWS // 2 + 1 then
      lines[#lines + 1] = ("  … %d epochs …"):format(n - 2 * (MAX_ROWS // 2))
    end
  end
  if n == 0 then lines = { "history of no epochs" } end
  if self.interrupted then
    lines[#lines + 1] = ("interrupted in epoch %d, step %d"):format(self.interrupted.epoch,
      self.interrupted.step)
  end
  return table.concat(lines, "\n")
end

return History
