-- What callbacks are made of: a table with any of the functions below, called while a model trains.
--
--   on_train_begin(logs)      on_epoch_begin(epoch, logs)      on_batch_begin(step, logs)
--   on_train_end(logs)        on_epoch_end(epoch, logs)        on_batch_end(step, logs)
--   on_nan(step, x, y)        the loss is not a number: called before the weights are touched
--   state(), load_state(s)    what BackupAndRestore keeps: a table of plain values and tensors
--
-- Epochs and steps count from 1. logs holds the measures by name: of a batch the mean over the epoch so
-- far, of an epoch also those of the validation data, the learning rate and the seconds. The fields model
-- and params ({ epochs, steps, batch_size, samples, metrics }) are set before on_train_begin.
-- A callback of one's own may be such a plain table: { on_epoch_end = function(self, epoch, logs) … end }.
local check = require "perilune.check"

---@class Callback
---@field model Sequential
---@field params table
local Callback = {}
Callback.__index = Callback
Callback.__name = "Callback"

local function known_names(options)
  local known = {}
  for key, value in pairs(options) do known[#known + 1] = type(key) == "number" and value or key end
  table.sort(known)
  return known
end

--- A new class of callbacks. `options` lists the names of what may be given in order, then the others
--- with their defaults: extend("CSVLogger", { "filename", separator = ",", append = false }).
---@param name string
---@param options table
---@return table class call it with a table of options to make one; its `init` then checks them
function Callback:extend(name, options)
  local class = { __name = name, __tostring = self.__tostring }
  class.__index = class
  local known = known_names(options)
  local function new(_, given)
    if type(given) ~= "table" then given = { given } end
    local object, named = setmetatable({}, class), {}
    for key, value in pairs(given) do
      local positional = type(key) == "number" and options[key]
      named[positional or key] = value
    end
    check.options(name, named, known)
    for key, value in pairs(options) do
      if type(key) == "string" then object[key] = value end
    end
    for key, value in pairs(named) do object[key] = value end
    if object.init then object:init(name) end
    return object
  end
  return setmetatable(class, { __index = self, __call = new, __name = name .. " (a class)" })
end

function Callback:__tostring() return getmetatable(self).__name end

--- Writes a line below the progress, unless `verbose` is 0.
function Callback:say(format, ...)
  if self.verbose ~= 0 then io.write(format:format(...), "\n") end
end

--- The world refused something: said aloud, once; the training goes on.
function Callback:warn(message)
  if self.warned == message then return end
  self.warned = message
  io.stderr:write(getmetatable(self).__name, ": ", message, "\n")
end

return Callback
