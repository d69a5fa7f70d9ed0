-- Evaluation and prediction: batches in the order they come in, on a tape of the model's that holds no
-- variable that wants a gradient: it is there for the memory that it lends.
local core = require "perilune.core"
local objective = require("perilune.train.step").objective
local Tally = require "perilune.train.tally"
local Tape = require("perilune.autograd").Tape

local evaluation = {}

local function never() return false end

--- The predictions for a batch and, given targets, the loss. Tensors live until the next call.
---@return Tensor y_pred
---@return number? loss
function evaluation.infer(model, x, y, sample_weight)
  local tape = model.inference or Tape.new()
  model.inference = tape
  tape:begin()
  local y_pred = model:forward(tape:constant(x), false)
  local loss = y and objective(model, y, y_pred, sample_weight):item()
  return y_pred:detach(), loss
end

--- Calls f(first, y_pred, loss, y) for each batch; false when stopped.
local function each_batch(model, feed, batch_size, pause, f)
  for first = 1, feed.n, batch_size do
    local x, y, weights = feed:batch(first, math.min(batch_size, feed.n - first + 1))
    local y_pred, loss = evaluation.infer(model, x, y, weights)
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
function evaluation.measure(model, feed, batch_size, pause, logs, prefix)
  local tally = Tally.new(model.metrics)
  local complete = each_batch(model, feed, batch_size, pause or never, function(_, y_pred, loss, y)
    tally:add(loss, y_pred:size(1), y, y_pred)
  end)
  if not complete then return nil end
  return logs and tally:write(logs, prefix) or tally:result()
end

--- The predictions for all samples, in one tensor.
---@return Tensor
function evaluation.predict(model, feed, batch_size)
  local out
  each_batch(model, feed, batch_size, never, function(first, y_pred)
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
