-- Evaluation and prediction: batches in the order they come in, on the tape of constants.
local core = require "perilune.core"
local Tally = require "perilune.train.tally"

local evaluation = {}

local function never() return false end

--- Calls f(first, y_pred, loss, y) for each batch; false when stopped.
local function each_batch(stepper, feed, batch_size, pause, f)
  for first = 1, feed.n, batch_size do
    local x, y, weights = feed:batch(first, math.min(batch_size, feed.n - first + 1))
    local y_pred, loss = stepper:infer(x, y, weights)
    f(first, y_pred, loss, y)
    if pause() then return false end
  end
  return true
end

--- Loss and metrics over all samples, written into logs.
---@param pause? fun(): boolean
---@param logs? table
---@param prefix? string
---@return table? logs nil when stopped
function evaluation.measure(model, stepper, feed, batch_size, pause, logs, prefix)
  local tally = Tally.new(model.metrics)
  local complete = each_batch(stepper, feed, batch_size, pause or never, function(_, y_pred, loss, y)
    tally:add(loss, y_pred:size(1), y, y_pred)
  end)
  if not complete then return nil end
  return logs and tally:write(logs, prefix) or tally:result()
end

--- The predictions for all samples, in one tensor.
---@return Tensor
function evaluation.predict(stepper, feed, batch_size)
  local out
  each_batch(stepper, feed, batch_size, never, function(first, y_pred)
    if not out then
      local shape = y_pred:shape()
      shape[1] = feed.n
      out = core.empty(shape, y_pred:dtype())
    end
    out:narrow(1, first, y_pred:size(1)):copy_(y_pred)
  end)
  return out
end

return evaluation
