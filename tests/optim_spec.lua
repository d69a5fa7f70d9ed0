-- Optimizers against plain Lua and against Keras; learning-rate schedules.
local cases = require "tests.cases.optimizers"
local fixtures = require "tests.fixtures.optimizers"
local optimizing = require "tests.optimizing"
local pl = require "perilune"

local optim = pl.optim
local count, distance, tensor = optimizing.count, optimizing.distance, optimizing.tensor
local label, named = optimizing.label, optimizing.named

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
      local errors = optimizing.compare(row)
      for dtype, bound in pairs(optimizing.BOUNDS) do
        assert.is_true(errors[dtype] <= bound, ("%s: %g"):format(dtype, errors[dtype]))
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
