-- TerminateOnNaN: stops at the first loss that is not a number, and says where it came from.
local check = require "perilune.check"
local core = require "perilune.core"
local safetensors = require "perilune.data.safetensors"
local Callback = require "perilune.train.callbacks.callback"

--- Stops the training before the step that would spoil the weights. Names the batch and the first layer
--- whose weights or output are not finite, and writes the batch to `filepath` (tensors x and y).
---@class TerminateOnNaN: Callback
---@field filepath string|false "nan_batch.safetensors" by default; false writes nothing
---@field verbose integer 1
---@field found { epoch: integer, step: integer, where: string }? what it found
local TerminateOnNaN = Callback:extend("TerminateOnNaN", { "filepath", verbose = 1 })

function TerminateOnNaN:init(fn)
  if self.filepath == nil then self.filepath = "nan_batch.safetensors" end
  check.arg(not self.filepath or type(self.filepath) == "string", fn, "filepath", "a path or false",
    self.filepath)
end

-- A sum is finite only if all that was added is.
local function is_finite(t)
  if not core.is_tensor(t) or not t:dtype():find "float" then return true end
  local sum = t:double():sum()
  return sum - sum == 0
end

local function layer_name(layer, place)
  return ("layer %d (%s)"):format(place, layer.name or getmetatable(layer).__name or "?")
end

-- Where the first number goes missing when x passes through the layers.
local function find(layers, x, training)
  if not is_finite(x) then return "the data" end
  for place, layer in ipairs(layers) do
    for _, weight in ipairs(layer.weights or {}) do
      if not is_finite(weight.tensor) then
        return ("%s: its weight '%s'"):format(layer_name(layer, place), weight.name)
      end
    end
    local y = layer:forward(x, training)
    if not is_finite(y) then
      local inner = layer.layers and not layer.shortcut and find(layer.layers, x, training)
      return inner and ("%s, %s"):format(layer_name(layer, place), inner) or layer_name(layer, place)
    end
    x = y
  end
end

function TerminateOnNaN:on_train_begin() self.found = nil end

function TerminateOnNaN:on_epoch_begin(epoch) self.epoch = epoch end

function TerminateOnNaN:on_nan(step, x, y)
  local layers = self.model.layers
  local where = find(layers, x, false) or find(layers, x, true) or "the loss, from finite predictions"
  self.found = { epoch = self.epoch, step = step, where = where }
  self.model.stop_training = true
  local saved = ""
  if self.filepath then
    local ok, message = safetensors.save(self.filepath, { x = x, y = y },
      { epoch = tostring(self.epoch), step = tostring(step), where = where })
    saved = ok and ("; the batch is in " .. self.filepath) or ("; its batch could not be saved: " .. message)
  end
  self:say("\nTerminateOnNaN: the loss of epoch %d, step %d is not a finite number; it starts at %s%s",
    self.epoch, step, where, saved)
end

return TerminateOnNaN
