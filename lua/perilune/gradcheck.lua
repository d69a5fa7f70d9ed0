-- pl.gradcheck: a gradient held against central differences, over every coordinate of every parameter.
-- It looks and does not touch: when it returns or raises, each parameter has the bits it came with.
local core = require "perilune.core"
local check = require "perilune.check"

local FN <const> = "gradcheck"

---@class GradientError
---@field error number the largest relative error, |a − n| / max(floor, |a| + |n|); infinite for a NaN
---@field index integer[] the coordinate where it is largest, counted from 1
---@field analytic number the gradient there as f says
---@field numeric number the gradient there by central difference
---@field numeric_gradient Tensor float64, the whole of it, in the parameter's shape
---@field shape integer[] of the parameter

---@class GradcheckReport
---@field parameters table<string, GradientError> one entry for each parameter
---@field error number the largest of their errors
---@field worst string the name of the parameter that has it
local Report = {}
Report.__index = Report
Report.__name = "GradcheckReport"

local function sorted_names(named)
  local names = {}
  for name in pairs(named) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- A small enough step for a smooth f, and large enough that its loss is not lost in rounding.
local STEP <const> = { float64 = 1e-5, float32 = 1e-2 }

local function is_finite(x) return x - x == 0 end

-- Calls visit(row, k) for each rank-1 row of a tensor, k counting the elements before it.
local function each_row(t, visit, before)
  if t:rank() == 0 then return visit(t:unsqueeze(1), 0) end
  if t:rank() == 1 then return visit(t, before) end
  local size = t:size(1)
  local step = size > 0 and t:numel() // size or 0
  for i = 1, size do each_row(t:select(1, i), visit, before + (i - 1) * step) end
end

-- (f(x + h) − f(x − h)) / 2h along each coordinate of t.
local function numeric_gradient(loss_of, t, h)
  local gradient = core.full(t:shape(), 0, "float64")
  local flat = gradient:view(-1)
  each_row(t, function(row, before)
    for i = 1, #row do
      local x = row[i]
      row[i] = x + h
      local above, loss_above = row[i], loss_of()
      row[i] = x - h
      local below, loss_below = row[i], loss_of()
      row[i] = x
      -- Divided by the step really made: x ± h are rounded to the tensor's dtype.
      flat[before + i] = (loss_above - loss_below) / (above - below)
    end
  end, 0)
  return gradient
end

-- The k-th place of a shape in row-major order, as indices.
local function unravel(k, shape)
  local index = {}
  k = k - 1
  for axis = #shape, 1, -1 do
    index[axis] = k % shape[axis] + 1
    k = k // shape[axis]
  end
  return index
end

---@return GradientError
local function compare(analytic, numeric, floor)
  local shape = numeric:shape()
  local found = { error = 0, index = {}, analytic = 0, numeric = 0, shape = shape }
  found.numeric_gradient = numeric
  local a, n = analytic:double():flatten(), numeric:view(-1)
  for k = 1, #a do
    local error = math.abs(a[k] - n[k]) / math.max(floor, math.abs(a[k]) + math.abs(n[k]))
    if error ~= error then error = math.huge end
    if k == 1 or error > found.error then
      found.error, found.analytic, found.numeric, found.index = error, a[k], n[k], unravel(k, shape)
    end
  end
  return found
end

local function check_arguments(f, params, options)
  check.arg(type(f) == "function", FN, "f", "a function that returns a loss and its gradients", f)
  check.arg(type(params) == "table", FN, "params", "a table of named tensors", params)
  check.arg(next(params) ~= nil, FN, "params", "at least one named tensor", params)
  for name, t in pairs(params) do
    local is_float = core.is_tensor(t) and (t:dtype() == "float32" or t:dtype() == "float64")
    check.arg(type(name) == "string", FN, "params", "names as keys", name)
    check.arg(is_float, FN, "params." .. name, "a tensor of floats", t)
  end
  options = check.options(FN, options, { "h", "floor", "analytic" })
  for _, name in ipairs { "h", "floor" } do
    local value = options[name]
    local good = value == nil or (type(value) == "number" and value > 0 and is_finite(value))
    check.arg(good, FN, name, "a positive number", value)
  end
  return options
end

local function shape_text(t) return table.concat(t:shape(), ", ") end

local function check_gradients(gradients, params)
  check.arg(type(gradients) == "table", FN, "f", "to return a table of gradients after the loss", gradients)
  for name, t in pairs(params) do
    local gradient = gradients[name]
    local same = core.is_tensor(gradient) and shape_text(gradient) == shape_text(t)
    check.arg(same, FN, "f", ("a gradient '%s' shaped like its parameter, %s"):format(name, core.describe(t)),
      gradient)
  end
end

--- Compares the gradients that `f` computes with central differences of its loss, at every coordinate of
--- every tensor in `params`: `print(pl.gradcheck(function() return net:loss(X, y) end, net.params))`.
--- In float64 a right gradient agrees to about 1e-8; float32 allows about 1e-2, so check in float64.
---@param f fun(): number, table<string, Tensor> the loss, and its gradients by name; reads its parameters
---  from the very tensors in `params`, and returns the same loss each time they are the same
---@param params table<string, Tensor> float64 or float32, views too; they get back their bits, also when f
---  raises
---@param options? { h: number?, floor: number?, analytic: table<string, Tensor>? }
---  h: the step, 1e-5 (in float32 1e-2). floor: the least divisor of a relative error, 1e-8.
---  analytic: the gradients to check, when f returns a loss only.
---@return GradcheckReport report prints as a table; its `error` is the largest relative error
local function gradcheck(f, params, options)
  options = check_arguments(f, params, options)
  local function loss_of()
    local loss = f()
    check.arg(type(loss) == "number", FN, "f", "a number as the loss", loss)
    return loss
  end

  local before = {}
  for name, t in pairs(params) do before[name] = t:clone() end
  local report = setmetatable({ parameters = {}, error = -1 }, Report)
  local ok, message = pcall(function()
    local gradients = options.analytic or select(2, f())
    check_gradients(gradients, params)
    local analytic = {} -- f may reuse the tensors it returns
    for name in pairs(params) do analytic[name] = gradients[name]:clone() end
    for _, name in ipairs(sorted_names(params)) do
      local t = params[name]
      local numeric = numeric_gradient(loss_of, t, options.h or STEP[t:dtype()])
      local found = compare(analytic[name], numeric, options.floor or 1e-8)
      report.parameters[name] = found
      if found.error > report.error then report.error, report.worst = found.error, name end
    end
  end)
  for name, t in pairs(params) do t:copy_(before[name]) end
  if not ok then error(message, 0) end
  return report
end

function Report:__tostring()
  local rows = { { "parameter", "shape", "relative error", "worst at", "analytic", "numeric" } }
  for _, name in ipairs(sorted_names(self.parameters)) do
    local found = self.parameters[name]
    rows[#rows + 1] = {
      name,
      "{" .. table.concat(found.shape, ", ") .. "}",
      ("%.3e"):format(found.error),
      "{" .. table.concat(found.index, ", ") .. "}",
      ("%+.10e"):format(found.analytic),
      ("%+.10e"):format(found.numeric),
    }
  end
  local widths = {}
  for _, row in ipairs(rows) do
    for column, cell in ipairs(row) do widths[column] = math.max(widths[column] or 0, #cell) end
  end
  local lines = {}
  for i, row in ipairs(rows) do
    for column, cell in ipairs(row) do row[column] = cell .. (" "):rep(widths[column] - #cell) end
    lines[i] = (table.concat(row, "  "):gsub(" +$", ""))
  end
  return table.concat(lines, "\n")
end

return gradcheck
