-- Optimizers against plain Lua, and what all of them share.
local cases = require "tests.cases.optimizers"
local layouts = require "tests.layouts"
local pl = require "perilune"
local reference = require "tests.reference_optimizers"

local optim = pl.optim

-- Parameters of several ranks; the last is cut into chunks.
local SHAPES <const> = { { 3, 7 }, { 5 }, {}, { 1, 1 }, { 2, 3, 4, 5 }, { 16390 } }
local STEPS <const> = 5

local function count(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Numbers that float32 holds exactly, and a few zeros.
local function numbers(random, n)
  local list = {}
  for i = 1, n do list[i] = random(0, 16) == 0 and 0 or (random(0, 2 ^ 13) - 2 ^ 12) / 2 ^ 11 end
  return list
end

local function tensor(list, shape, dtype)
  return pl.tensor(#shape == 0 and list[1] or list, dtype):reshape(shape)
end

local function label(row)
  local parts = {}
  for key, value in pairs(row) do
    if key ~= "optimizer" then parts[#parts + 1] = key .. "=" .. tostring(value) end
  end
  table.sort(parts)
  return row.optimizer .. "{" .. table.concat(parts, ", ") .. "}"
end

local function make(row)
  local given = { class = row.optimizer }
  for key, value in pairs(row) do
    if key ~= "optimizer" then given[key] = value end
  end
  return optim.get(given)
end

-- A problem: weights and the gradients of some steps, as lists.
local function problem(shapes, steps, seed)
  local random = layouts.generator(seed or 1)
  local weights, gradients = {}, {}
  for i, shape in ipairs(shapes) do weights[i] = numbers(random, count(shape)) end
  for t = 1, steps do
    gradients[t] = {}
    for i, shape in ipairs(shapes) do gradients[t][i] = numbers(random, count(shape)) end
  end
  return weights, gradients
end

local function tensors(lists, shapes, dtype)
  local out = {}
  for i, shape in ipairs(shapes) do out[i] = tensor(lists[i], shape, dtype) end
  return out
end

local function named(parameters)
  local list = {}
  for i, parameter in ipairs(parameters) do list[i] = { name = "w" .. i, tensor = parameter } end
  return list
end

-- The largest error of a tensor, in units of the magnitude of what is expected, 1 at least.
local function distance(got, expected)
  local worst, values = 0, got:double():flatten():totable()
  for k, value in ipairs(expected) do
    local error = math.abs(values[k] - value) / math.max(1, math.abs(value))
    if error > worst or error ~= error then worst = error end
  end
  return worst
end

describe("the table of optimizers", function()
  it("has a row for each", function()
    local rows = {}
    for _, row in ipairs(cases) do rows[row.optimizer] = true end
    for _, name in ipairs(optim.names) do assert.is_true(rows[name], name .. " has no row") end
  end)
end)

describe("an optimizer agrees with its formula in plain Lua:", function()
  for _, row in ipairs(cases) do
    it(label(row), function()
      local expected, gradients = problem(SHAPES, STEPS)
      local start = problem(SHAPES, 0)
      reference(row, SHAPES, expected, gradients)
      for dtype, bound in pairs { float64 = 1e-12, float32 = 1e-6 } do
        local parameters, optimizer = tensors(start, SHAPES, dtype), make(row)
        optimizer:build(named(parameters))
        for t = 1, STEPS do optimizer:step(parameters, tensors(gradients[t], SHAPES, dtype)) end
        assert.equal(STEPS, optimizer.iterations)
        for i, parameter in ipairs(parameters) do
          local error = distance(parameter, expected[i])
          assert.is_true(error <= bound, ("%s, w%d: %g"):format(dtype, i, error))
        end
      end
    end)
  end
end)
