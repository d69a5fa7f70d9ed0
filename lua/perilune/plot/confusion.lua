-- Confusion matrices as figures: a row for each true class, a column for each that was predicted.
local check = require "perilune.check"
local core = require "perilune.core"
local tensor = require "perilune.tensor"
local Figure = require "perilune.plot.figure"

-- Of a share of 0 and of 1.
local WHITE <const> = tensor.tensor({ 255, 255, 255 }, "float64")
local DARK <const> = tensor.tensor({ 8, 48, 107 }, "float64")

-- The matrix as it is given, or counted by the metric.
local function matrix_of(y_true, y_pred)
  if y_pred ~= nil then
    local metric = require("perilune.nn.metrics").ConfusionMatrix { name = "confusion_matrix" }
    metric:update(y_true, y_pred)
    check.arg(metric.matrix, "confusion_matrix", "y_true", "at least one label", y_true)
    return metric:result()
  end
  local square = core.is_tensor(y_true) and y_true:rank() == 2 and y_true:size(1) == y_true:size(2)
  check.arg(square and y_true:numel() > 0, "confusion_matrix", "y_true",
    "labels {N} (with y_pred as the second argument), or a matrix {C, C}", y_true)
  return y_true
end

-- A colour for each share, {C, C, 3}.
local function colors_of(shares)
  local share = shares:unsqueeze(-1)
  return (share * (DARK - WHITE) + WHITE + 0.5):to "uint8"
end

--- How often each class was taken for each: counts, the deeper the larger their share of their row.
---
---     pl.plot.confusion_matrix(y, model:predict(x):argmax(-1), cifar.names):save("runs/confusion.png")
---
---@param y_true Tensor classes {N} from 1; or, without y_pred, the matrix {C, C} itself
---@param y_pred? Tensor classes {N}, or scores {N, C}
---@param names? string[] of the classes, from 1
---@param options? table title ("Accuracy …"), width, height, scale
---@return Figure
local function confusion_matrix(y_true, y_pred, names, options)
  local fn = "confusion_matrix"
  options = check.options(fn, options, { "title", "width", "height", "scale" })
  local counts = matrix_of(y_true, y_pred):double()
  local shares = counts / counts:sum(2, true):maximum(1e-300) -- of each row; 0 where it is empty
  local n, ticks, labels, right = counts:size(1), {}, {}, 0
  check.arg(names == nil or type(names) == "table" and #names >= n, fn, "names",
    ("a list of %d names, one for each class"):format(n), names)
  local longest = 4
  for i = 1, n do
    ticks[i], labels[i] = i, tostring(names and names[i] or i)
    longest = math.max(longest, utf8.len(labels[i]) or #labels[i])
    right = right + counts[{ i, i }]
  end
  local words = math.min(8 * longest, 240) -- names fit below their columns and beside their rows
  local side = math.min((words + 12) * n, 2400)
  local figure = Figure.new {
    width = options.width or math.max(side + words + 90, 420),
    height = options.height or math.max(side, 260) + 120, scale = options.scale or 1,
  }
  local axes = figure:axes()
  axes:image(colors_of(shares)):set {
    title = options.title or ("Accuracy %.1f %%"):format(100 * right / math.max(counts:sum(), 1e-300)),
    xlabel = "Predicted", ylabel = "True", xticks = ticks, yticks = ticks,
    xticklabels = labels, yticklabels = labels,
  }
  shares = shares:totable()
  for i, row in ipairs(counts:totable()) do
    for j, value in ipairs(row) do
      axes:text(j, i, ("%.6g"):format(value), {
        align = "center", bold = i == j, color = shares[i][j] > 0.5 and "#ffffff" or "#303030",
      })
    end
  end
  return figure
end

return confusion_matrix
