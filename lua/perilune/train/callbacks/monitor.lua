-- What callbacks that watch a measure have in common: its direction, and that it exists.
local check = require "perilune.check"

local monitor = {}

local HIGHER <const> = { "acc", "auc", "precision", "recall", "f1", "top_k" }
local LOWER <const> = { "loss", "error", "mse", "mae", "crossentropy", "hinge" }

local function any_in(name, words)
  for _, word in ipairs(words) do
    if name:find(word, 1, true) then return true end
  end
  return false
end

--- Checks the options monitor and mode; returns "min" or "max".
---@param fn string
---@param name any
---@param mode any "auto" reads it off the name
---@return "min"|"max"
function monitor.direction(fn, name, mode)
  check.arg(type(name) == "string", fn, "monitor", 'the name of a measure, such as "val_loss"', name)
  check.arg(mode == "auto" or mode == "min" or mode == "max", fn, "mode", '"auto", "min" or "max"', mode)
  if mode ~= "auto" then return mode end
  if any_in(name, HIGHER) then return "max" end
  if any_in(name, LOWER) then return "min" end
  check.raise("%s: argument 'mode': cannot tell whether '%s' should fall or rise; give mode = "
    .. '"min" or "max"', fn, name)
end

--- Whether value is better than best by more than delta. Not-a-number never is; nil is beaten by anything.
function monitor.better(direction, value, best, delta)
  if best == nil then return true end
  if direction == "max" then return value - delta > best end
  return value + delta < best
end

--- Raises when nothing of that name will be measured.
---@param fn string
---@param name string
---@param params table of the callback
function monitor.check_measured(fn, name, params)
  local known = params and params.metrics
  if not known then return end
  for _, each in ipairs(known) do
    if each == name then return end
  end
  local fix
  if name:find "^val_" and not table.concat(known, " "):find "%f[%w]val_" then
    fix = "; fit was given no validation_data or validation_split"
  else
    local near = check.nearest(name, known)
    fix = near and ("; did you mean '%s'?"):format(near) or ""
  end
  check.raise("%s: argument 'monitor': expected one of %s, got '%s'%s", fn, table.concat(known, ", "), name,
    fix)
end

return monitor
