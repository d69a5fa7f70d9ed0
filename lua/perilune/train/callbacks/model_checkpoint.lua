-- ModelCheckpoint: the model in a file, as it is after an epoch or when it is the best so far.
local check = require "perilune.check"
local Callback = require "perilune.train.callbacks.callback"
local monitor = require "perilune.train.callbacks.monitor"

--- Saves after each epoch or, with save_best_only, after those in which `monitor` got better. {epoch} and the
--- measures' names in the path stand for their values, {epoch:02d} and {val_accuracy:.3f} formatted. The
--- file of that name is replaced only once the new one is complete.
---@class ModelCheckpoint: Callback
---@field filepath string "runs/a/{epoch:02d}-{val_loss:.2f}.safetensors"
---@field monitor string "val_loss" by default
---@field save_best_only boolean false
---@field save_weights_only boolean false
---@field mode "auto"|"min"|"max"
---@field save_freq "epoch"|integer an integer: after every so many steps
---@field initial_value_threshold number|false a value that the first one has to beat
---@field best number? the best value so far
local ModelCheckpoint = Callback:extend("ModelCheckpoint", {
  "filepath", "monitor", verbose = 0, save_best_only = false, save_weights_only = false, mode = "auto",
  save_freq = "epoch", initial_value_threshold = false,
})

function ModelCheckpoint:init(fn)
  self.monitor = self.monitor or "val_loss"
  check.arg(type(self.filepath) == "string", fn, "filepath", "a path", self.filepath)
  if self.save_best_only then self.direction = monitor.direction(fn, self.monitor, self.mode) end
  if self.save_freq ~= "epoch" then
    check.arg(math.type(self.save_freq) == "integer" and self.save_freq > 0, fn, "save_freq",
      '"epoch" or a number of steps', self.save_freq)
  end
end

function ModelCheckpoint:on_train_begin()
  self.steps = 0
  self.best = self.best or self.initial_value_threshold or nil
  local known = { epoch = true, step = true }
  for _, name in ipairs(self.params.metrics) do known[name] = true end
  for name in self.filepath:gmatch "{([^:}]*)" do
    if not known[name] then monitor.check_measured("ModelCheckpoint", name, self.params) end
  end
  if self.save_best_only then monitor.check_measured("ModelCheckpoint", self.monitor, self.params) end
end

local function path_for(self, values)
  return (self.filepath:gsub("{([^:}]*):?([^}]*)}", function(name, format)
    local value = values[name]
    if value == nil then return "none" end -- the validation's, in the middle of an epoch
    if format == "" then return math.type(value) == "integer" and value or ("%.4g"):format(value) end
    return ("%" .. format):format(value)
  end))
end

local function save(self, epoch, step, logs)
  if self.save_best_only then
    local value = logs[self.monitor]
    if value == nil or not monitor.better(self.direction, value, self.best, 0) then return end
    if self.best then
      self:say("ModelCheckpoint: %s went from %.4f to %.4f", self.monitor, self.best, value)
    end
    self.best = value
  end
  local path = path_for(self, setmetatable({ epoch = epoch, step = step }, { __index = logs }))
  local ok, message
  if self.save_weights_only then
    ok, message = self.model:save_weights(path)
  else
    ok, message = self.model:save(path, { optimizer = true })
  end
  if ok then self:say("ModelCheckpoint: epoch %d is in %s", epoch, path) else self:warn(message) end
end

function ModelCheckpoint:on_epoch_begin(epoch) self.epoch = epoch end

function ModelCheckpoint:on_batch_end(step, logs)
  self.steps = self.steps + 1
  if self.save_freq ~= "epoch" and self.steps % self.save_freq == 0 then
    save(self, self.epoch, step, logs)
  end
end

function ModelCheckpoint:on_epoch_end(epoch, logs)
  if self.save_freq == "epoch" then save(self, epoch, self.params.steps, logs) end
end

function ModelCheckpoint:state() return { best = self.best, steps = self.steps, epoch = self.epoch } end

function ModelCheckpoint:load_state(state)
  self.best, self.steps, self.epoch = state.best, state.steps, state.epoch
end

return ModelCheckpoint
