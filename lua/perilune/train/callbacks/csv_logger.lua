-- CSVLogger: the measures of every epoch as a line of a table.
local check = require "perilune.check"
local core = require "perilune.core"
local Callback = require "perilune.train.callbacks.callback"

--- Writes `epoch` and every measure to a file, a line an epoch, at once. With append = true the lines go
--- behind those that are there, under the same headings.
---@class CSVLogger: Callback
---@field filename string
---@field separator string "," by default
---@field append boolean false
local CSVLogger = Callback:extend("CSVLogger", { "filename", separator = ",", append = false })

function CSVLogger:init(fn)
  check.arg(type(self.filename) == "string", fn, "filename", "a path", self.filename)
  check.arg(type(self.separator) == "string" and #self.separator > 0, fn, "separator", "some text",
    self.separator)
end

-- Text that holds a separator, a quote or a line's end is quoted, as RFC 4180 has it.
local function field(self, value)
  if math.type(value) == "float" then return ("%.9g"):format(value) end
  local text = tostring(value == nil and "" or value)
  if text:find(self.separator, 1, true) or text:find '["\r\n]' then
    text = '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

local function write_line(self, values)
  local fields = {}
  for i, name in ipairs(self.columns) do fields[i] = field(self, values[name]) end
  local line = table.concat(fields, self.separator) .. "\n"
  local ok, message = self.file:write(line)
  if ok then ok, message = self.file:flush() end
  if not ok then self:warn(message) end
end

-- The headings of a file that is there, or nil.
local function headings(self)
  local file = io.open(self.filename)
  local line = file and file:read("l")
  if file then file:close() end
  if not line then return nil end
  local columns = {}
  for name in (line .. self.separator):gmatch("(.-)" .. self.separator:gsub("%p", "%%%0")) do
    columns[#columns + 1] = name
  end
  return columns
end

-- Opened when there is something to write: by then it is known whether an earlier training goes on.
local function open(self, append)
  local folder = self.filename:match("^(.+)/[^/]*$")
  if folder then core.mkdirs(folder) end
  self.columns = append and headings(self)
  local message
  self.file, message = io.open(self.filename, append and "a" or "w")
  if not self.file then return self:warn(message) end
  if self.columns then return end
  self.columns = { "epoch", table.unpack(self.params.metrics) }
  local words = {}
  for _, name in ipairs(self.columns) do words[name] = name end
  write_line(self, words)
end

function CSVLogger:on_epoch_end(epoch, logs)
  if not self.file then open(self, self.append) end
  if self.file then write_line(self, setmetatable({ epoch = epoch }, { __index = logs })) end
end

function CSVLogger:on_train_end()
  if self.file then self.file:close() end
  self.file = nil
end

function CSVLogger:state()
  return { bytes = self.file and self.file:seek("end") }
end

--- A line written after the state was kept belongs to an epoch that will run again. The shorter file takes
--- the longer one's place as a whole: a kill meanwhile loses nothing.
function CSVLogger:load_state(state)
  local content = state.bytes and core.read_file(self.filename)
  if not content then return end
  if #content > state.bytes then
    local ok, message = core.write_file(self.filename, content:sub(1, state.bytes))
    if not ok then return self:warn(message) end
  end
  open(self, true)
end

return CSVLogger
