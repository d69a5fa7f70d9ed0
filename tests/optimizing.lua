-- What the specs of optimizers share: problems, and the comparison with plain Lua.
local layouts = require "tests.layouts"
local pl = require "perilune"
local reference = require "tests.reference_optimizers"

local optimizing = {}

-- Parameters of several ranks; the last is cut into chunks.
optimizing.SHAPES = { { 3, 7 }, { 5 }, {}, { 1, 1 }, { 2, 3, 4, 5 }, { 16390 } }
optimizing.STEPS = 5

function optimizing.count(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Numbers that float32 holds exactly, and a few zeros.
local function numbers(random, n)
  local list = {}
  for i = 1, n do list[i] = random(0, 16) == 0 and 0 or (random(0, 2 ^ 24) - 2 ^ 23) / 2 ^ 22 end
  return list
end

function optimizing.tensor(list, shape, dtype)
  return pl.tensor(#shape == 0 and list[1] or list, dtype):reshape(shape)
end

function optimizing.label(row)
  local parts = {}
  for key, value in pairs(row) do
    if type(value) == "table" then value = "{" .. table.concat(value, " ") .. "}" end
    if key ~= "optimizer" then parts[#parts + 1] = key .. "=" .. tostring(value) end
  end
  table.sort(parts)
  return row.optimizer .. "{" .. table.concat(parts, ", ") .. "}"
end

function optimizing.make(row)
  local given = { class = row.optimizer }
  for key, value in pairs(row) do
    if key ~= "optimizer" then given[key] = value end
  end
  return pl.optim.get(given)
end

-- A problem: weights and the gradients of some steps, as lists.
function optimizing.problem(shapes, steps, seed)
  local random = layouts.generator(seed or 1)
  local weights, gradients = {}, {}
  for i, shape in ipairs(shapes) do weights[i] = numbers(random, optimizing.count(shape)) end
  for t = 1, steps do
    gradients[t] = {}
    for i, shape in ipairs(shapes) do gradients[t][i] = numbers(random, optimizing.count(shape)) end
  end
  return weights, gradients
end

function optimizing.tensors(lists, shapes, dtype)
  local out = {}
  for i, shape in ipairs(shapes) do out[i] = optimizing.tensor(lists[i], shape, dtype) end
  return out
end

function optimizing.named(parameters)
  local list = {}
  for i, parameter in ipairs(parameters) do list[i] = { name = "w" .. i, tensor = parameter } end
  return list
end

-- The largest error of a tensor, in units of the magnitude of what is expected, 1 at least.
function optimizing.distance(got, expected)
  local worst, values = 0, got:double():flatten():totable()
  for k, value in ipairs(expected) do
    local error = math.abs(values[k] - value) / math.max(1, math.abs(value))
    if error > worst or error ~= error then worst = error end
  end
  return worst
end

--- The largest errors of a row's optimizer after STEPS steps, against the reference.
---@return table<string, number> errors by dtype
function optimizing.compare(row)
  local shapes, steps = optimizing.SHAPES, optimizing.STEPS
  local expected, gradients = optimizing.problem(shapes, steps)
  local start = optimizing.problem(shapes, 0)
  reference(row, shapes, expected, gradients)
  local errors = {}
  for _, dtype in ipairs { "float64", "float32" } do
    local parameters, optimizer = optimizing.tensors(start, shapes, dtype), optimizing.make(row)
    optimizer:build(optimizing.named(parameters))
    for t = 1, steps do optimizer:step(parameters, optimizing.tensors(gradients[t], shapes, dtype)) end
    errors[dtype] = 0
    for i, parameter in ipairs(parameters) do
      local error = optimizing.distance(parameter, expected[i])
      if error > errors[dtype] or error ~= error then errors[dtype] = error end
    end
  end
  return errors
end

--- How far a row's optimizer may be from the reference.
optimizing.BOUNDS = { float64 = 1e-12, float32 = 1e-6 }

return optimizing
