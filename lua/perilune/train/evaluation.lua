-- Evaluation and prediction: batches in the order they come in. The weights are constants of a tape: no
-- variable on it wants a gradient, it is there for the memory that it lends.
local core = require "perilune.core"
local fusion = require "perilune.nn.fusion"
local Sequential = require "perilune.nn.sequential"
local objective = require("perilune.train.step").objective
local Tally = require "perilune.train.tally"
local Tape = require("perilune.autograd").Tape

local evaluation = {}

local function never() return false end

---@class Inference
---@field tape Tape
---@field constants table<Weight, Variable>
---@field layers Layer[] those whose fields hold constants now,
---@field names string[] the fields,
---@field before any[] and what stands in them otherwise
---@field n integer how many there are
---@field busy boolean
local Inference = {}
Inference.__index = Inference

-- Puts back what stood in the fields, when the scope that holds it is left, by an error too.
function Inference:__close()
  for i = 1, self.n do self.layers[i][self.names[i]] = self.before[i] end
  self.n, self.busy = 0, false
end

-- Puts constants into the fields of the weights.
function Inference:bind(model)
  self.busy = true
  model:each_weight(function(weight, layer)
    if not weight.trainable then return end
    local constant, name, n = self.constants[weight], weight.name, self.n + 1
    if not (constant and rawequal(constant.value, weight.tensor)) then
      constant = self.tape:constant(weight.tensor)
      self.constants[weight] = constant
    end
    self.layers[n], self.names[n], self.before[n] = layer, name, layer[name]
    self.n = n
    layer[name] = constant
  end)
end

local inferences = setmetatable({}, { __mode = "k" }) -- by model

local function inference_of(model)
  local inference = inferences[model]
  if inference and not inference.busy then return inference end
  local new = setmetatable({ tape = Tape.new(), constants = {}, layers = {}, names = {}, before = {}, n = 0,
    busy = false }, Inference)
  inferences[model] = inference or new -- a pass within a pass has a tape of its own
  return new
end

--- Gives back the memory of a model's predictions.
function evaluation.forget(model) inferences[model] = nil end

--- The predictions for a batch and, given targets, the loss. Tensors live until the next call.
---@return Tensor y_pred
---@return number? loss
function evaluation.infer(model, x, y, sample_weight)
  local inference = inference_of(model)
  inference.tape:begin()
  local bound <close> = inference
  bound:bind(model)
  local y_pred = model:forward(inference.tape:constant(x), false)
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

-- With so few numbers of input a tape costs more than the memory that it would lend.
local FEW <const> = 16384
local plan, forward = Sequential.plan, Sequential.forward -- of models that have none of their own

-- Without a tape, where that can be; what a dataset's own batch gives is not known to fit.
local function infer_few(model, feed, x)
  if feed.source or x:numel() > FEW or model.forward ~= forward then return nil end
  return fusion.infer(plan(model), x)
end

--- The predictions for all samples, in one tensor.
---@return Tensor
function evaluation.predict(model, feed, batch_size)
  if feed.n <= batch_size then
    local x = feed:batch(1, feed.n)
    local y, new = infer_few(model, feed, x)
    return new and y or (y or evaluation.infer(model, x)):clone()
  end
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
