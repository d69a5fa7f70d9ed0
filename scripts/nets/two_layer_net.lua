-- A net with one hidden layer, in plain tensor operations, its backward pass written out by hand:
--
--   scores = max(0, X·W1 + b1)·W2 + b2        X {N, D}   W1 {D, H}   b1 {H}   W2 {H, C}   b2 {C}
--   loss   = mean over the rows of −log softmax(scores) at the right class + reg·(‖W1‖² + ‖W2‖²)
local pl = require "perilune"
local read_options = require "nets.options"

---@class TwoLayerNet
---@field params table<string, Tensor> W1, b1, W2, b2
---@field rng Generator draws the weights, then the minibatches
local TwoLayerNet = {}
TwoLayerNet.__index = TwoLayerNet
TwoLayerNet.__name = "TwoLayerNet"

-- The options of each function: their kinds and defaults; without a default they must be given.
local NET_OPTIONS <const> = {
  input_size = { "size" }, hidden_size = { "size" }, num_classes = { "size" },
  std = { "amount", 1e-4 }, dtype = { "text", "float32" }, rng = { "generator", false },
}
local LOSS_OPTIONS <const> = { reg = { "amount", 0 } }
local TRAIN_OPTIONS <const> = {
  learning_rate = { "amount" }, learning_rate_decay = { "amount", 0.95 }, reg = { "amount", 0 },
  num_iters = { "size" }, batch_size = { "size", 200 }, verbose = { "flag", false },
  rng = { "generator", false }, normalizer = { "normalizer", false }, on_progress = { "callback", false },
}

--- A net with small random weights and zero biases: `TwoLayerNet{ input_size = 4, hidden_size = 10, … }`.
---@param options table input_size, hidden_size, num_classes; std (1e-4) of the weights; rng (pl.rng(0));
---  dtype ("float32")
---@return TwoLayerNet
function TwoLayerNet.new(options)
  local o = read_options("TwoLayerNet", options, NET_OPTIONS)
  local rng = o.rng or pl.rng(0)
  local W1 = rng:randn({ o.input_size, o.hidden_size }, o.dtype) * o.std
  local W2 = rng:randn({ o.hidden_size, o.num_classes }, o.dtype) * o.std
  local b1, b2 = pl.zeros({ o.hidden_size }, o.dtype), pl.zeros({ o.num_classes }, o.dtype)
  return setmetatable({ params = { W1 = W1, b1 = b1, W2 = W2, b2 = b2 }, rng = rng }, TwoLayerNet)
end

-- Classes that do not fit the scores are an error at the line that called `loss`.
local function check_classes(y, N, C)
  if not pl.is_tensor(y) or y:dtype() ~= "int32" or y:rank() ~= 1 or #y ~= N then
    error(("loss: argument 'y': expected the classes of %d rows, tensor {%d} int32, got %s"):format(N, N,
      tostring(y):match "^[^\n]*"), 3)
  end
  if N > 0 and (y:min() < 1 or y:max() > C) then
    error(("loss: argument 'y': expected classes from 1 to %d, got %d to %d; classes count from 1"):format(C,
      y:min(), y:max()), 3)
  end
end

--- The scores of the rows of X; with their classes y, the loss and its gradients.
---@param X Tensor {N, D}, the net's dtype
---@param y? Tensor int32 {N}, classes from 1 to C
---@param options? { reg: number? } strength of the regularisation, 0 by default
---@return Tensor|number scores_or_loss scores {N, C} without y, else the loss
---@return table<string, Tensor>? gradients W1, b1, W2, b2, each shaped like its parameter
function TwoLayerNet:loss(X, y, options)
  local W1, b1, W2, b2 = self.params.W1, self.params.b1, self.params.W2, self.params.b2

  -- Forward.
  local hidden = b1:addmm(X, W1):relu_() -- {N, H}
  local scores = b2:addmm(hidden, W2) -- {N, C}
  if y == nil then return scores end

  local reg = read_options("loss", options or {}, LOSS_OPTIONS).reg
  local N, C = scores:size(1), scores:size(2)
  check_classes(y, N, C)
  local log_p = scores:log_softmax(-1) -- {N, C}
  local loss = -log_p:gather(2, y:unsqueeze(2)):mean() + reg * (W1:norm() ^ 2 + W2:norm() ^ 2)

  -- Backward. The loss changes with the scores by what the softmax has too much, a row's share of it.
  local target = y:unsqueeze(2):eq(pl.arange(1, C, 1, "int32")):to(X:dtype()) -- {N, C}, 1 at the right class
  local dscores = (log_p:exp() - target) / N
  local dW2 = W2:addmm(hidden:t(), dscores, 2 * reg)
  local db2 = dscores:sum(1)
  local dhidden = dscores:matmul(W2:t()):masked_fill_(hidden:le(0), 0) -- {N, H}, only where relu was open
  local dW1 = W1:addmm(X:t(), dhidden, 2 * reg)
  local db1 = dhidden:sum(1)
  return loss, { W1 = dW1, b1 = db1, W2 = dW2, b2 = db2 }
end

--- The class with the highest score, for each row of X.
---@param X Tensor {N, D}
---@return Tensor classes int32 {N}, from 1 to C
function TwoLayerNet:predict(X)
  return self:loss(X):argmax(-1)
end

--- Trains by gradient descent on minibatches, drawn with replacement.
---@param X Tensor {N, D}: the net's dtype, or anything that the option `normalizer` makes into it
---@param y Tensor int32 {N}, classes from 1 to C
---@param X_val Tensor {M, D}, like X
---@param y_val Tensor int32 {M}
---@param options table learning_rate; learning_rate_decay (0.95), what an epoch leaves of the rate; reg (0);
---  num_iters; batch_size (200); verbose (false) prints every 100 iterations; rng (the net's own) draws the
---  batches; normalizer: its apply(rows) is run on each batch and on X_val, so that X may stay bytes;
---  on_progress(iteration, loss, histories) is called after each iteration and stops the training by
---  returning false
---@return { loss_history: number[], train_acc_history: number[], val_acc_history: number[] } histories
---  the loss of each iteration; after each epoch, the accuracy on its last batch and on the validation rows
function TwoLayerNet:train(X, y, X_val, y_val, options)
  local o = read_options("train", options, TRAIN_OPTIONS)
  local rng, learning_rate = o.rng or self.rng, o.learning_rate
  local iterations_per_epoch = math.max(1, #X // o.batch_size)
  local histories = { loss_history = {}, train_acc_history = {}, val_acc_history = {} }

  local function normalize(rows) return o.normalizer and o.normalizer:apply(rows) or rows end
  local function accuracy(rows, classes) return self:predict(rows):eq(classes):mean() end
  X_val = normalize(X_val)

  for iteration = 1, o.num_iters do
    local batch = rng:choice(#X, o.batch_size)
    local X_batch, y_batch = normalize(X:index_select(1, batch)), y:index_select(1, batch)
    local loss, gradients = self:loss(X_batch, y_batch, { reg = o.reg })
    for name, param in pairs(self.params) do param:add_(gradients[name], -learning_rate) end
    histories.loss_history[iteration] = loss

    if iteration % iterations_per_epoch == 0 then
      table.insert(histories.train_acc_history, accuracy(X_batch, y_batch))
      table.insert(histories.val_acc_history, accuracy(X_val, y_val))
      learning_rate = learning_rate * o.learning_rate_decay
    end
    if o.verbose and iteration % 100 == 0 then
      print(("iteration %d / %d: loss %.4f"):format(iteration, o.num_iters, loss))
    end
    if o.on_progress and o.on_progress(iteration, loss, histories) == false then break end
  end
  return histories
end

--- Writes the parameters to a safetensors file.
---@param path string
---@return true? ok, string? message nil and why not
function TwoLayerNet:save(path)
  return pl.save(path, self.params)
end

--- A net with the parameters that `save` wrote.
---@param path string
---@return TwoLayerNet? net, string? message nil and why not
function TwoLayerNet.load(path)
  local params, message = pl.load(path)
  if not params then return nil, message end
  for _, name in ipairs { "W1", "b1", "W2", "b2" } do
    if not params[name] then return nil, ("%s: no tensor '%s' in it"):format(path, name) end
  end
  return setmetatable({ params = params, rng = pl.rng(0) }, TwoLayerNet)
end

return setmetatable(TwoLayerNet, { __call = function(_, options) return TwoLayerNet.new(options) end })
