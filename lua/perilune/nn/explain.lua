-- What a model costs and why its shapes are what they are, layer by layer: the arithmetic of the output's
-- size, the parameters, the multiply-adds, and the bytes of activations and weights.
local summary = require "perilune.nn.summary"
local shapes = require "perilune.ops.shapes"

local explain = {}

local function shape_text(shape) return "{" .. table.concat(shape, ", ") .. "}" end

-- 3·3·3·32 + 32 = 896
local function parameter_text(layer)
  if #layer.weights == 0 then return "0" end
  local terms, total = {}, 0
  for i, weight in ipairs(layer.weights) do
    terms[i] = table.concat(weight.tensor:shape(), "·")
    total = total + weight.tensor:numel()
  end
  local text = table.concat(terms, " + ")
  return text == tostring(total) and text or text .. " = " .. summary.thousands(total)
end

local HEADER <const> =
  { "layer", "output", "size", "parameters", "multiply-adds", "activations", "weights" }
local LEFT <const> = 4 -- columns that begin at the left

-- The layers whose output a Sequential never lays out, since it computes the next one in the same go.
local function passed_over(model, totals)
  local over = {}
  for _, step in ipairs(model.plan and model:plan() or {}) do
    local names = {}
    for i = step.first, step.last do
      names[#names + 1], over[model.layers[i]] = model.layers[i].name, i < step.last
    end
    if step.last > step.first then totals.fused[#totals.fused + 1] = table.concat(names, " + ") end
  end
  return over
end

-- One row for each layer; those inside another stand indented below it.
local function collect(model, rows, totals, indent)
  local over = passed_over(model, totals)
  for _, layer in ipairs(model.layers) do
    local input, output = layer.input_shape, layer.output_shape
    local row = { indent .. layer.name, shape_text(output), layer:arithmetic(input, output) or "" }
    rows[#rows + 1] = row
    if layer.layers then
      table.move({ "", "", "", "" }, 1, 4, 4, row)
      collect(layer, rows, totals, indent .. "  ")
    else
      local cost = layer:cost(input, output)
      local activations = shapes.count(output) * (layer.dtype == "float64" and 8 or 4)
      local weights = summary.bytes(layer:all_weights())
      row[4], row[5] = parameter_text(layer), summary.thousands(cost)
      row[6], row[7] = over[layer] and "fused" or summary.size(activations), summary.size(weights)
      totals.cost, totals.activations = totals.cost + cost,
        totals.activations + (over[layer] and 0 or activations)
      totals.advice[#totals.advice + 1] = layer:advice(input, output)
    end
  end
end

local function aligned(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, utf8.len(cell)) end
  end
  for k, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local blank = (" "):rep(widths[i] - utf8.len(cell))
      cells[i] = i <= LEFT and cell .. blank or blank .. cell
    end
    lines[k] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  return lines
end

--- The explanation as text.
---@param model Container
---@return string
function explain.text(model)
  summary.check_built("explain", model)
  local rows, totals = { HEADER }, { cost = 0, activations = 0, advice = {}, fused = {} }
  collect(model, rows, totals, "")
  rows[#rows + 1] = {
    "total, for one sample", "", "", summary.thousands((model:count_params())),
    summary.thousands(totals.cost),
    summary.size(totals.activations), summary.size(summary.bytes(model:all_weights())),
  }
  local lines = aligned(rows)
  local title = ("%s: %s -> %s"):format(model.name or "sequential", shape_text(model.input_shape),
    shape_text(model.output_shape))
  table.insert(lines, 1, title)
  for _, names in ipairs(totals.fused) do lines[#lines + 1] = "In one go: " .. names .. "." end
  for _, advice in ipairs(totals.advice) do lines[#lines + 1] = "Note: " .. advice .. "." end
  return table.concat(lines, "\n")
end

return explain
