-- The table that Keras prints of a model: names and types, output shapes, parameters, and their totals.
local check = require "perilune.check"

local summary = {}

--- 890410 as 890,410.
---@param n integer
---@return string
function summary.thousands(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

--- Bytes as Keras writes them: 3.40 MB.
---@param bytes number
---@return string
function summary.size(bytes)
  local units, k = { "B", "KB", "MB", "GB", "TB" }, 1
  while bytes >= 1024 and k < #units do
    bytes, k = bytes / 1024, k + 1
  end
  return ("%.2f %s"):format(bytes, units[k])
end

--- The bytes of a list of weights.
---@param weights { tensor: Tensor }[]
---@return integer
function summary.bytes(weights)
  local total = 0
  for _, weight in ipairs(weights) do
    total = total + weight.tensor:numel() * (weight.tensor:dtype() == "float64" and 8 or 4)
  end
  return total
end

--- Raises unless the model has weights to speak of.
function summary.check_built(fn, model)
  if model.built then return end
  check.raise("%s: the model is not built yet; begin it with nn.Input{…}, call model:build{32, 32, 3}, or "
    .. "give it data", fn)
end

-- Keras's widths, for what is not longer.
local WIDTHS <const> = { 31, 22, 13 }

local function padded(text, width, right)
  local blank = (" "):rep(width - utf8.len(text))
  return right and blank .. text or text .. blank
end

local function rule(widths, left, line, cross, right)
  local parts = {}
  for i, width in ipairs(widths) do parts[i] = line:rep(width + 2) end
  return left .. table.concat(parts, cross) .. right
end

local function row_text(cells, widths, bar)
  local parts = {}
  for i, cell in ipairs(cells) do parts[i] = " " .. padded(cell, widths[i], i == 3) .. " " end
  return bar .. table.concat(parts, bar) .. bar
end

--- The rows of the table: name (type), output shape, parameters.
local function rows_of(model)
  local rows = {}
  for i, layer in ipairs(model.layers) do
    rows[i] = {
      ("%s (%s)"):format(layer.name, layer.__name),
      "(" .. table.concat({ "None", table.unpack(layer.output_shape) }, ", ") .. ")",
      summary.thousands((layer:count_params())),
    }
  end
  return rows
end

--- The summary of a model as text.
---@param model Container
---@return string
function summary.text(model)
  summary.check_built("summary", model)
  local rows, widths = rows_of(model), { table.unpack(WIDTHS) }
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i], utf8.len(cell)) end
  end
  local lines = {
    ('Model: "%s"'):format(model.name or "sequential"),
    rule(widths, "┏", "━", "┳", "┓"),
    row_text({ "Layer (type)", "Output Shape", "Param #" }, widths, "┃"),
    rule(widths, "┡", "━", "╇", "┩"),
  }
  for i, row in ipairs(rows) do
    if i > 1 then lines[#lines + 1] = rule(widths, "├", "─", "┼", "┤") end
    lines[#lines + 1] = row_text(row, widths, "│")
  end
  lines[#lines + 1] = rule(widths, "└", "─", "┴", "┘")
  local all, kinds = model:all_weights(), { [true] = {}, [false] = {} }
  for _, weight in ipairs(all) do table.insert(kinds[weight.trainable], weight) end
  local total, trainable = model:count_params()
  local function line(title, n, weights)
    lines[#lines + 1] = (" %s params: %s (%s)"):format(title, summary.thousands(n),
      summary.size(summary.bytes(weights)))
  end
  line("Total", total, all)
  line("Trainable", trainable, kinds[true])
  line("Non-trainable", total - trainable, kinds[false])
  return table.concat(lines, "\n")
end

return summary
