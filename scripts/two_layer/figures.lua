-- The course's two figures of a two-layer net on CIFAR-10.
local pl = require "perilune"

local figures = {}

-- Around each value, the mean of up to 51.
local function smooth(values)
  local means = {}
  for i = 1, #values do
    local reach = math.min(25, i - 1)
    local first, last, sum = i - reach, math.min(i + reach, #values), 0
    for k = first, last do sum = sum + values[k] end
    means[i] = sum / (last - first + 1)
  end
  return means
end

--- The loss of each iteration over the accuracies of each epoch.
---@param histories table as net:train returns them
---@param title string
---@return Figure
function figures.history(histories, title)
  local losses = histories.loss_history
  local figure = pl.plot.figure{ rows = 2, width = 1200, height = 1100, title = title }
  figure:axes(1)
    :line(losses, { label = "each batch", width = 1, alpha = 0.4 })
    :line(smooth(losses), { label = "mean of 51 batches", color = "#0072b2", width = 2 })
    :set{ title = "Loss history", xlabel = "Iteration", ylabel = "Loss" }
  figure:axes(2)
    :line(histories.train_acc_history, { label = "train (one batch)", marker = "o" })
    :line(histories.val_acc_history, { label = "val", marker = "o" })
    :set{ title = "Classification accuracy history", xlabel = "Epoch", ylabel = "Classification accuracy" }
  return figure
end

--- The weights of each hidden unit as the image it looks for: a grid of 32 × 32 tiles, each from its own
--- least to its own greatest weight, every pixel drawn two or three pixels wide.
---@param net TwoLayerNet
---@return Image
function figures.weights(net)
  local W1 = net.params.W1 -- {3072, H}
  local scale = W1:size(2) <= 100 and 3 or 2
  return pl.plot.image_grid(W1:t():reshape(-1, 32, 32, 3), { padding = 3, scale = scale })
end

return figures
