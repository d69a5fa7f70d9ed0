-- pl.plot: figures of lines, points, bars and images, image grids, training histories and confusion
-- matrices, as PNG files or on a terminal.
--
--   local fig = pl.plot.figure{ width = 1200, height = 750, title = "Run 7" }
--   fig:axes():line(losses, { label = "train" }):set{ xlabel = "Iteration", ylabel = "Loss" }
--   assert(fig:save "runs/loss.png")
local check = require "perilune.check"
local Figure = require "perilune.plot.figure"
local picture = require "perilune.plot.picture"

local plot = {
  figure = Figure.new,
  image = picture.image,
  image_grid = picture.image_grid,
  confusion_matrix = require "perilune.plot.confusion",
}

local function in_words(name)
  local words = name:gsub("_", " "):gsub("^%l", string.upper)
  return words
end

-- What a training notes of an epoch beside its measures.
local beside <const> = { learning_rate = true, seconds = true }

-- Whether a field of a history is drawn: lists of numbers and rank-1 tensors are.
local function is_curve(name, values, noted)
  if type(name) ~= "string" or (noted and beside[name]) then return false end
  return type(values) == "userdata" or type(values) == "table" and type(values[1]) ~= "userdata"
end

--- The curves of a training history: a panel for each measure, loss first, with its validation curve
--- (val_...) beside it.
---@param history table lists or rank-1 tensors by name: {loss = ..., val_loss = ..., accuracy = ...}, or an
--- object that holds such a table in its field `history`, as fit returns it: that one's learning_rate and
--- seconds are left out
---@param options? table title, width, height, xlabel ("Epoch"), scale
---@return Figure
function plot.history(history, options)
  options = check.options("history", options, { "title", "width", "height", "xlabel", "scale" })
  check.arg(type(history) == "table", "history", "history", "a table of lists by name", history)
  local noted = type(history.history) == "table"
  if noted then history = history.history end
  local measures, seen = {}, {}
  for name, values in pairs(history) do
    if is_curve(name, values, noted) then
      local base = name:gsub("^val_", "")
      if not seen[base] then measures[#measures + 1] = base end
      seen[base] = true
    end
  end
  check.arg(#measures > 0, "history", "history", "at least one list of numbers under a name", history)
  table.sort(measures, function(a, b)
    if (a == "loss") ~= (b == "loss") then return a == "loss" end
    return a < b
  end)
  local figure = Figure.new {
    rows = #measures, title = options.title, width = options.width, height = options.height,
    scale = options.scale,
  }
  for row, base in ipairs(measures) do
    local axes = figure:axes(row)
    local both = history[base] and history["val_" .. base]
    for _, series in ipairs { { base, "Training" }, { "val_" .. base, "Validation" } } do
      local values = history[series[1]]
      if values then
        local named = both or series[1] ~= base
        local marker = #values <= 30 and "o" or nil
        axes:line(values, { label = named and series[2] or nil, marker = marker, size = 5 })
      end
    end
    axes:set { ylabel = in_words(base), xlabel = row == #measures and (options.xlabel or "Epoch") or nil }
  end
  return figure
end

return check.module(plot, "pl.plot")
