-- The task of the two-layer scripts: CIFAR-10 as the course cuts it (49,000 images to train on, 1,000 to
-- validate, 1,000 to test, the mean training image subtracted), and a net trained and measured on it.
local pl = require "perilune"
local TwoLayerNet = require "nets.two_layer_net"
local cifar = require "cifar"

local task = {}

--- Loads the data, or says loudly why not and loads the small sample that comes with perilune.
---@param options { dir: string?, sample: boolean?, test: integer? } an empty dir is none
---@return Cifar data, boolean is_real
function task.load(options)
  -- bytes: batches are normalised as they are drawn, a quarter of the memory
  return cifar.load(options, { center = "image", flatten = true, dtype = "uint8", test = options.test })
end

--- Trains a net as `config` says.
---@param data Cifar
---@param config table hidden_size, learning_rate, learning_rate_decay, reg, and num_iters or epochs
---@param rng Generator
---@param progress fun(done: integer, total: integer, note: string)
---@return TwoLayerNet net
---@return table histories as from net:train; when the loss is no longer finite, shorter and marked `diverged`
function task.train(data, config, rng, progress)
  local net = TwoLayerNet{
    input_size = data.train.x:size(2), hidden_size = config.hidden_size, num_classes = #data.names, rng = rng,
  }
  local batch_size = 200
  local num_iters = config.num_iters or config.epochs * math.max(1, #data.train.x // batch_size)
  local diverged = false
  local histories = net:train(data.train.x, data.train.y, data.val.x, data.val.y, {
    learning_rate = config.learning_rate,
    learning_rate_decay = config.learning_rate_decay,
    reg = config.reg,
    num_iters = num_iters,
    batch_size = batch_size,
    normalizer = data.normalizer,
    on_progress = function(iteration, loss, so_far)
      diverged = loss - loss ~= 0
      local val = so_far.val_acc_history[#so_far.val_acc_history]
      local note = (loss < 1000 and "loss %.3f" or "loss %.1e"):format(loss)
      if val then note = ("%s  validation %.1f %%"):format(note, 100 * val) end
      progress(diverged and num_iters or iteration, num_iters, note)
      return not diverged
    end,
  })
  histories.diverged = diverged
  return net, histories
end

--- The share of a split's images that the net gets right, a thousand at a time.
---@param net TwoLayerNet
---@param split CifarSplit
---@param count? integer only the first so many
---@return number accuracy from 0 to 1
function task.accuracy(net, split, count)
  count = math.min(count or #split.x, #split.x)
  local correct = 0
  for first = 1, count, 1000 do
    local X, y = split:batch(pl.arange(first, math.min(first + 999, count), 1, "int32"))
    correct = correct + net:predict(X):eq(y):sum()
  end
  return correct / count
end

return task
