-- Optimizers against plain Lua, and what all of them share.
local cases = require "tests.cases.optimizers"
local fixtures = require "tests.fixtures.optimizers"
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
  for i = 1, n do list[i] = random(0, 16) == 0 and 0 or (random(0, 2 ^ 24) - 2 ^ 23) / 2 ^ 22 end
  return list
end

local function tensor(list, shape, dtype)
  return pl.tensor(#shape == 0 and list[1] or list, dtype):reshape(shape)
end

local function label(row)
  local parts = {}
  for key, value in pairs(row) do
    if type(value) == "table" then value = "{" .. table.concat(value, " ") .. "}" end
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

-- What Keras computed -------------------------------------------------------------------------------

-- A flat list cut into tensors.
local function cut(values, shapes, dtype)
  local out, at = {}, 0
  for i, shape in ipairs(shapes) do
    local n = count(shape)
    out[i] = tensor(table.move(values, at + 1, at + n, 1, {}), shape, dtype)
    at = at + n
  end
  return out
end

local function flat(parameters)
  local out = {}
  for _, parameter in ipairs(parameters) do
    table.move(parameter:flatten():totable(), 1, parameter:numel(), #out + 1, out)
  end
  return out
end

local function named_as(names, parameters)
  local list = {}
  for i, parameter in ipairs(parameters) do list[i] = { name = names[i], tensor = parameter } end
  return list
end

local function options_of(row)
  local given = { class = row.optimizer }
  for key, value in pairs(row.options) do given[key] = value end
  if row.optimizer == "Muon" then given.reshape_kernels = false end
  return given
end

describe("an optimizer agrees with Keras's:", function()
  for _, row in ipairs(fixtures.rows) do
    local title = { optimizer = row.optimizer }
    for key, value in pairs(row.options) do title[key] = value end
    it(label(title), function()
      for dtype, bound in pairs { float64 = 1e-12, float32 = 1e-6 } do
        local parameters = cut(fixtures.weights, fixtures.shapes, dtype)
        local optimizer = optim.get(options_of(row))
        optimizer:build(named_as(fixtures.names, parameters))
        for _, gradients in ipairs(fixtures.gradients) do
          optimizer:step(parameters, cut(gradients, fixtures.shapes, dtype))
        end
        if not row.options.ema_overwrite_frequency then optimizer:finalize(parameters) end
        local got = pl.tensor(flat(parameters), "float64")
        local error = distance(got, row.weights)
        assert.is_true(error <= bound, ("%s: %g"):format(dtype, error))
      end
    end)
  end
end)

describe("schedules", function()
  local schedules = optim.schedules

  for i, row in ipairs(fixtures.schedules) do
    it(("agree with Keras and PyTorch: %s (%d)"):format(row.class, i), function()
      local given = { class = row.class }
      for key, value in pairs(row.options) do given[key] = value end
      local schedule = schedules.get(given)
      for k, value in ipairs(row.values) do
        assert.is_true(math.abs(schedule(k - 1) - value) <= 1e-15, ("step %d: %.17g, not %.17g"):format(k - 1,
          schedule(k - 1), value))
      end
      local copy = schedules.get(schedule:config())
      for step = 0, 40 do assert.equal(schedule(step), copy(step)) end
    end)
  end

  it("stay where they end", function()
    assert.equal(0.4 / 25 / 1e4, schedules.OneCycle{ 0.4, 20 }(1000))
    assert.equal(1e-4, schedules.PolynomialDecay{ 0.1, 10 }(11))
    assert.equal(0, schedules.CosineDecay{ 0.1, 10 }(11))
  end)

  it("Constant and StepDecay", function()
    assert.equal(0.3, schedules.Constant{ 0.3 }(7))
    local halves = schedules.StepDecay{ 1, 10 }
    assert.same({ 1, 1, 0.5, 0.5, 0.25 }, { halves(0), halves(9), halves(10), halves(19), halves(20) })
    assert.equal("schedules.StepDecay{initial_learning_rate = 1, decay_steps = 10, decay_rate = 0.5}",
      tostring(halves))
  end)

  it("are taken by positions or names, as in Keras", function()
    local a = schedules.ExponentialDecay{ 0.1, 7, 0.6, true }
    local b = schedules.ExponentialDecay{ initial_learning_rate = 0.1, decay_steps = 7, decay_rate = 0.6,
      staircase = true }
    assert.same(a:config(), b:config())
  end)

  it("drive an optimizer by the number of steps done", function()
    local steps = {}
    for _, rate in ipairs {
      schedules.PiecewiseConstantDecay{ { 0, 1 }, { 1, 0.5, 0.25 } },
      function(step)
        steps[#steps + 1] = step
        return ({ 1, 0.5, 0.25 })[step + 1]
      end,
    } do
      local w, g = pl.zeros({ 1 }, "float64"), pl.ones({ 1 }, "float64")
      local o = optim.SGD{ learning_rate = rate }
      o:build(named { w })
      for _ = 1, 3 do o:step({ w }, { g }) end
      assert.equal(-1.75, w:item())
    end
    assert.same({ 0, 1, 2 }, steps)
  end)

  it("see every batch with accumulated gradients, as in Keras", function()
    local seen = {}
    local o = optim.SGD{ gradient_accumulation_steps = 2, learning_rate = function(step)
      seen[#seen + 1] = step
      return 1
    end }
    local w = pl.zeros(1)
    o:build(named { w })
    for _ = 1, 4 do o:step({ w }, { pl.ones(1) }) end
    assert.same({ 0, 1, 2, 3 }, seen)
    assert.equal(2, o.iterations)
  end)

  it("say what is wrong", function()
    for message, call in pairs {
      ["schedules.CosineDecay: argument 'decay_steps': expected a number above 0, got nil"] = function()
        schedules.CosineDecay{ 0.1 }
      end,
      ["schedules.CosineDecay: unknown option \"warmup_step\"; did you mean 'warmup_steps'?"] = function()
        schedules.CosineDecay{ 0.1, 10, warmup_step = 1 }
      end,
      ["schedules.CosineDecay: warmup_steps needs warmup_target, the rate to warm up to"] = function()
        schedules.CosineDecay{ 0.1, 10, warmup_steps = 1 }
      end,
      ["schedules.PiecewiseConstantDecay: expected one value more than boundaries, got 1 and 1"] = function()
        schedules.PiecewiseConstantDecay{ { 1 }, { 1 } }
      end,
      ["schedules.PiecewiseConstantDecay: boundaries must grow, but 1 follows 2"] = function()
        schedules.PiecewiseConstantDecay{ { 2, 1 }, { 1, 1, 1 } }
      end,
      ["optim.schedules has no field \"CosinDecay\"; did you mean 'CosineDecay'?"] = function()
        return schedules.CosinDecay
      end,
      ["schedules.get: no schedule is called \"StepDecoy\"; did you mean 'StepDecay'?"] = function()
        schedules.get{ class = "StepDecoy" }
      end,
      ["schedules.Constant: argument 'step': expected a number from 0 up, got -1"] = function()
        schedules.Constant{ 1 }(-1)
      end,
    } do
      local _, got = pcall(call)
      assert.equal(message, (tostring(got):gsub("^[^ ]*: ", "", 1)))
    end
  end)
end)
