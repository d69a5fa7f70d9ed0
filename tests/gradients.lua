-- Gradients of an operation against central differences, in float64 and over all coordinates.
local cases = require "tests.cases"
local layouts = require "tests.layouts"
local reference = require "tests.reference"

local gradients = {}

-- Where an operation has a kink at 0, at a halved integer or where two numbers meet, the differences must
-- keep away from it.
local SMOOTH <const> = { any = "distinct", ties = "distinct" }
local LARGEST <const> = 160 -- elements of an operand; every one is moved four times

--- The operands of a row that want gradients: those that it lists, or else all that follow its dtype.
local function wanted(row)
  if row.gradient then return row.gradient end
  local list = {}
  for i = 1, #row.operands do
    if not (row.fixed and row.fixed[i]) then list[#list + 1] = i end
  end
  return list
end

--- The first result as a scalar: weighted, so that no symmetry hides an error.
local function scalar(result, weights)
  if type(result) == "number" then return result * weights(1)[1] end
  if result:rank() == 0 then return (result * weights(1)[1]):sum() end
  return (result * weights(result:numel()):reshape(result:shape())):sum()
end

-- The derivative of f by x, an element of t: five points, an error of the step's fourth power.
local STEP <const> = 2e-4
local function difference(f, t, i)
  local x = t[i]
  local function at(step)
    t[i] = x + step
    return f()
  end
  local slope = (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP)
  t[i] = x
  return slope
end

--- The largest difference between recorded and numeric gradients, as a part of the largest gradient.
---@param pl table
---@param call fun(operands: table): Tensor|number|Variable
---@param operands table tensors float64 (contiguous) and whatever else the call wants
---@param which integer[] the operands to differentiate by
---@return number error
---@return string where
function gradients.compare(pl, call, operands, which)
  local weights = function(n) return pl.rng(5):uniform(0.5, 1.5, { n }, "float64") end
  local leaves = {}
  for k, i in ipairs(which) do leaves[k] = operands[i] end
  local found = table.pack(pl.value_and_grad(function(...)
    local list = table.move(operands, 1, #operands, 1, {})
    for k, i in ipairs(which) do list[i] = (select(k, ...)) end
    return scalar(call(list), weights)
  end, table.unpack(leaves)))
  local worst, where = 0, ""
  for k, i in ipairs(which) do
    local analytic, t = found[k + 1]:flatten(), operands[i]
    local flat = t:reshape(t:numel())
    local size, largest = 0, 0
    for n = 1, t:numel() do
      local numeric = difference(function() return scalar(call(operands), weights) end, flat, n)
      size = math.max(size, math.abs(numeric), math.abs(analytic[n]))
      largest = math.max(largest, math.abs(numeric - analytic[n]))
      if numeric ~= numeric or analytic[n] ~= analytic[n] then largest = math.huge end
    end
    local error = size > 0 and largest / size or largest
    if error >= worst then worst, where = error, "operand " .. i end
  end
  return worst, where
end

--- Checks a row's instances; raises at the first that disagrees by more than `bound` (1e-8).
function gradients.run(pl, row, bound)
  local driver = require "tests.driver"
  local random, count = layouts.generator(13), 0
  for _, instance in ipairs(row.instances) do
    local few = #instance > 0
    for i = 1, #row.operands do few = few and reference.count(instance[i]) <= (row.largest or LARGEST) end
    if few then
      local operands = {}
      for i, domain in ipairs(row.operands) do
        local dtype = row.fixed and row.fixed[i] or "float64"
        local smooth = row.smooth and row.smooth[i] or SMOOTH[domain] or domain
        operands[i] = layouts.operand(pl, dtype, instance[i], smooth, "contiguous", random, instance)
      end
      local args = instance.args or row.args or {}
      local error_found, where = gradients.compare(pl, function(list)
        return (driver.call(pl, row, list, args))
      end, operands, wanted(row))
      if error_found >= (bound or 1e-8) then
        local shapes = {}
        for i = 1, #row.operands do shapes[i] = "{" .. table.concat(instance[i], ", ") .. "}" end
        error(("%s %s: the gradient of %s is off by %.3g of itself"):format(driver.label(row),
          table.concat(shapes, " "), where, error_found), 0)
      end
      count = count + 1
    end
  end
  return count
end

--- Rows of differentiable operations.
function gradients.rows(ops)
  local list = {}
  for _, row in ipairs(cases) do
    local mutates = row.mutates or row.label and row.label:find "^to %a+32$" or row.label == "to uint8"
    if ops[row.name] and not mutates and row.gradient ~= false then list[#list + 1] = row end
  end
  return list
end

return gradients
