-- What all optimizers share: clipping, decay, accumulated gradients, averages, state, and mistakes.
local cases = require "tests.cases.optimizers"
local child = require "tests.child"
local core = require "perilune.core"
local optimizing = require "tests.optimizing"
local pl = require "perilune"

local optim = pl.optim
local label, make, named = optimizing.label, optimizing.make, optimizing.named

local function vector(...) return pl.tensor({ ... }, "float64") end

-- An optimizer built for tensors, or for one.
local function built(optimizer, ...)
  optimizer:build(named { ... })
  return optimizer
end

-- What plain SGD at rate 1 makes of gradients: the step it takes.
local function step_of(options, ...)
  options.learning_rate = 1
  local gradients, weights = { ... }, {}
  for i, g in ipairs(gradients) do weights[i] = pl.zeros(g:shape(), g:dtype()) end
  built(optim.SGD(options), table.unpack(weights)):step(weights, gradients)
  for i, w in ipairs(weights) do weights[i] = w:neg() end
  return table.unpack(weights)
end

describe("clipping", function()
  it("by value cuts every number", function()
    assert.same({ -0.5, 0.25, 0.5 }, step_of({ clipvalue = 0.5 }, vector(-3, 0.25, 7)):totable())
  end)

  it("by norm shortens each gradient by itself", function()
    local a, b = step_of({ clipnorm = 1 }, vector(3, 4), vector(0.3, 0.4))
    assert.is_true(a:allclose(vector(0.6, 0.8), { rtol = 1e-15, atol = 0 }))
    assert.same({ 0.3, 0.4 }, b:totable())
  end)

  it("by the global norm shortens all alike", function()
    local a, b = step_of({ global_clipnorm = 6.5 }, vector(3, 4), vector(12))
    assert.same({ 1.5, 2 }, a:totable())
    assert.same({ 6 }, b:totable())
    a, b = step_of({ global_clipnorm = 13 }, vector(3, 4), vector(12))
    assert.same({ 3, 4, 12 }, { a[1], a[2], b[1] })
  end)

  it("does not hide NaN", function()
    for _, name in ipairs { "clipnorm", "clipvalue", "global_clipnorm" } do
      local a = step_of({ [name] = 1 }, vector(0.0 / 0.0, 1))
      assert.is_true(a[1] ~= a[1], name)
    end
  end)

  it("leaves a gradient of zeros alone, and the gradients as they were", function()
    for _, name in ipairs { "clipnorm", "clipvalue", "global_clipnorm" } do
      local zero, g = vector(0, 0), vector(3, 4)
      assert.same({ 0, 0 }, (step_of({ [name] = 1 }, zero)):totable())
      step_of({ [name] = 1 }, g)
      assert.same({ 3, 4 }, g:totable())
    end
  end)

  it("comes after the mean of accumulated gradients", function()
    local w = vector(0, 0)
    local o = built(optim.SGD{ 1, clipnorm = 1, gradient_accumulation_steps = 2 }, w)
    o:step({ w }, { vector(6, 0) })
    o:step({ w }, { vector(0, 8) })
    assert.is_true(w:allclose(vector(-0.6, -0.8), { rtol = 1e-15, atol = 0 }))
  end)
end)

describe("weight decay", function()
  it("spares the parameters whose names are excluded", function()
    for _, name in ipairs(optim.names) do
      local a, b = vector(1, 2), vector(1, 2)
      local o = make { optimizer = name, weight_decay = 0.5, learning_rate = 0.5,
        exclude_from_weight_decay = { "bias" } }
      o:build{ { name = "kernel", tensor = a }, { name = "the bias", tensor = b } }
      o:step({ a, b }, { vector(0, 0), vector(0, 0) })
      assert.same({ 1, 2 }, b:totable())
      if name ~= "Muon" then assert.same({ 0.75, 1.5 }, a:totable()) end
    end
  end)
end)

describe("accumulated gradients", function()
  for _, name in ipairs(optim.names) do
    it("give what one step by their mean gives: " .. name, function()
      local options = { optimizer = name, learning_rate = 0.1 }
      local a = pl.rng(1):randn({ 3, 4 }, "float64")
      local b = a:clone()
      local one = built(make(options), a)
      options.gradient_accumulation_steps = 4
      local many = built(make(options), b)
      for step = 1, 3 do
        local list, sum = {}, pl.zeros({ 3, 4 }, "float64")
        for k = 1, 4 do
          list[k] = pl.rng(step, k):randn({ 3, 4 }, "float64")
          sum:add_(list[k])
        end
        one:step({ a }, { sum / 4 })
        for k = 1, 4 do
          local before = b:clone()
          many:step({ b }, { list[k] })
          assert.equal(k ~= 4, before:allclose(b, { rtol = 0, atol = 0 }))
        end
      end
      assert.equal(3, many.iterations)
      assert.is_true(a:allclose(b, { rtol = 1e-12, atol = 1e-12 }))
    end)
  end
end)

describe("averages of the weights", function()
  local function run(options)
    options.learning_rate, options.use_ema = 1, true
    local w = vector(0)
    return w, built(optim.SGD(options), w)
  end

  it("start with the weights and follow them", function()
    local w, o = run { ema_momentum = 0.5 }
    local averages = {}
    for i = 1, 3 do
      o:step({ w }, { vector(-1) })
      averages[i] = o:averages().w1[1]
    end
    assert.same({ 1, 1.5, 2.25 }, averages)
    assert.same({ 3 }, w:totable())
  end)

  it("are exchanged with the weights and back, and become them in the end", function()
    local w, o = run { ema_momentum = 0.5 }
    for _ = 1, 3 do o:step({ w }, { vector(-1) }) end
    o:swap_averages { w }
    assert.same({ 2.25, 3 }, { w[1], o:averages().w1[1] })
    o:swap_averages { w }
    assert.same({ 3, 2.25 }, { w[1], o:averages().w1[1] })
    o:finalize { w }
    assert.equal(2.25, w[1])
  end)

  it("overwrite them now and then", function()
    local w, o = run { ema_momentum = 0.5, ema_overwrite_frequency = 2 }
    o:step({ w }, { vector(-1) })
    assert.equal(1, w[1])
    o:step({ w }, { vector(-1) })
    assert.equal(1.5, w[1])
  end)

  it("leave the weights alone before any step, and where there are none", function()
    local w, o = run {}
    w[1] = 7
    o:finalize { w }
    o:swap_averages { w }
    assert.equal(7, w[1])
    built(optim.SGD(), w):finalize { w }
    assert.equal(7, w[1])
  end)
end)

describe("parameters without a gradient", function()
  it("are passed over, and frozen ones have no state", function()
    for _, name in ipairs(optim.names) do
      local a, b, c = vector(1), vector(1), vector(1)
      local o = make { optimizer = name, weight_decay = 0.1, use_ema = true }
      o:build{ { name = "a", tensor = a }, { name = "b", tensor = b, trainable = false },
        { name = "c", tensor = c } }
      o:step({ a, b, c }, { vector(1), vector(1), false })
      assert.is_true(a[1] < 1)
      assert.same({ 1, 1 }, { b[1], c[1] })
      for key in pairs(o:state().tensors) do assert.is_nil(key:find("^b%.")) end
    end
  end)
end)

-- Runs some steps, handing the state over to a new optimizer after `at` of them.
local function run_row(row, dtype, steps, at, size)
  local shapes = { { 3, 7 }, { 5 }, { 2, 3, 4, 5 }, { size or 300 } }
  local lists, gradients = optimizing.problem(shapes, steps)
  local weights = optimizing.tensors(lists, shapes, dtype)
  local o = make(row)
  o:build(named(weights))
  for t = 1, steps do
    if t == at then
      local state = o:state()
      local saved = { tensors = {}, numbers = {} }
      for key, tensor in pairs(state.tensors) do saved.tensors[key] = tensor:clone() end
      for key, number in pairs(state.numbers) do saved.numbers[key] = number end
      o = optim.get(o:config())
      o:build(named(weights))
      o:load_state(saved)
    end
    o:step(weights, optimizing.tensors(gradients[t], shapes, dtype))
  end
  local digest = {}
  for i, w in ipairs(weights) do digest[i] = core.md5(w:tobytes()) end
  return table.concat(digest, " "), o
end

local function extended(row)
  local more = { use_ema = true, gradient_accumulation_steps = 2,
    learning_rate = optim.schedules.CosineDecay{ 0.1, 10 } }
  for key, value in pairs(row) do more[key] = more[key] or value end
  return more
end

describe("a state saved and loaded", function()
  for _, row in ipairs(cases) do
    it("gives the same bits: " .. label(row), function()
      for _, dtype in ipairs { "float32", "float64" } do
        assert.equal((run_row(row, dtype, 4)), (run_row(row, dtype, 4, 3)))
        assert.equal((run_row(extended(row), dtype, 5)), (run_row(extended(row), dtype, 5, 4)))
      end
    end)
  end

  it("keeps a learning rate that was set on the way", function()
    local w = vector(0)
    local a, b = built(optim.SGD{ 1 }, w), built(optim.SGD{ 1 }, w)
    a.learning_rate = 0.25
    b:load_state(a:state())
    assert.equal(0.25, b.learning_rate)
  end)

  it("is refused when it does not fit, and alters nothing then", function()
    local w = vector(1, 2)
    local o = built(optim.Adam(), w)
    o:step({ w }, { vector(1, 1) })
    local before = o:state().tensors["w1.momentum"]:tobytes()
    local function refused(pattern, change)
      local state = built(optim.Adam(), w):state()
      change(state)
      local fine, message = pcall(o.load_state, o, state)
      assert.is_false(fine)
      assert.is_truthy(message:find(pattern, 1, true), message)
      assert.equal(before, o:state().tensors["w1.momentum"]:tobytes())
      assert.equal(1, o.iterations)
    end
    refused("state.tensors['w1.velocity']: expected a tensor {2} float64, got nil",
      function(state) state.tensors["w1.velocity"] = nil end)
    refused("expected a tensor {2} float64, got tensor {3} float64",
      function(state) state.tensors["w1.velocity"] = vector(1, 2, 3) end)
    refused("got tensor {2} float32",
      function(state) state.tensors["w1.velocity"] = pl.zeros(2) end)
    refused("state.tensors['w1.velocity_hat'] is none of this optimizer's",
      function(state) state.tensors["w1.velocity_hat"] = vector(1, 2) end)
    refused("state.numbers.iterations': expected an integer from 0 up, got 0.5",
      function(state) state.numbers.iterations = 0.5 end)
    refused("state.numbers.momentum_product is none of this optimizer's",
      function(state) state.numbers.momentum_product = 1 end)
    refused("state.numbers.accumulated': expected an integer below gradient_accumulation_steps (1)",
      function(state) state.numbers.accumulated = 1 end)
    refused("expected {tensors =, numbers =}", function(state) state.tensors = nil end)
  end)
end)

describe("a configuration", function()
  it("makes the same optimizer again", function()
    for _, row in ipairs(cases) do
      local o = make(extended(row))
      assert.same(o:config(), optim.get(o:config()):config())
      assert.equal(tostring(o):match("%a+{"), tostring(optim.get(o:config())):match("%a+{"))
    end
  end)

  it("comes from a name, a table, or an optimizer", function()
    local o = optim.get { "rmsprop", learning_rate = 0.5 }
    assert.equal("optim.RMSprop{learning_rate = 0.5}, 0 updates", tostring(o))
    assert.equal(o, optim.get(o))
    for _, name in ipairs(optim.names) do assert.equal(name, optim.get(name:lower()).name) end
  end)

  it("is found for classes that a user makes", function()
    local Sign = optim.Optimizer:extend("Sign", { { "learning_rate", 0.1, optim.Optimizer.rate } })
    function Sign.rule() return "lion", { "momentum" } end
    function Sign.scalars(_, c, rate) c[1], c[2], c[3] = rate, 1, 1 end
    local w = vector(0)
    local o = built(optim.get(Sign{ 0.5 }:config()), w)
    o:step({ w }, { vector(-7) })
    assert.same({ 0.5 }, w:totable())
  end)
end)

describe("an optimizer", function()
  it("allocates nothing in a step", function()
    for _, row in ipairs(cases) do
      local shapes = { { 3, 7 }, { 5 }, { 2, 3, 4, 5 }, { 70000 } }
      local lists, gradients = optimizing.problem(shapes, 1)
      local weights = optimizing.tensors(lists, shapes, "float32")
      local o = make(row)
      o:build(named(weights))
      gradients = optimizing.tensors(gradients[1], shapes, "float32")
      o:step(weights, gradients)
      collectgarbage()
      collectgarbage("stop")
      local before = collectgarbage("count")
      for _ = 1, 10 do o:step(weights, gradients) end
      local kilobytes = collectgarbage("count") - before
      collectgarbage("restart")
      assert.is_true(kilobytes < 0.1, ("%s: %g kB"):format(label(row), kilobytes))
    end
  end)

  it("gives the same bits at any number of threads", function()
    local threads = pl.threads()
    for _, row in ipairs(cases) do
      local digests = {}
      for n = 1, 3 do
        pl.set_threads(n)
        digests[n] = run_row(row, "float32", 2, nil, 33000) .. run_row(row, "float64", 2, nil, 33000)
      end
      pl.set_threads(threads)
      assert.same({ digests[1], digests[1], digests[1] }, digests, label(row))
    end
  end)

  for _, isa in ipairs { "baseline", "avx2", "avx512" } do
    it("agrees with its formula on " .. isa, function()
      local output = child.run([[
        local optimizing = require "tests.optimizing"
        print(require "perilune".isa())
        for _, row in ipairs(require "tests.cases.optimizers") do
          local errors = optimizing.compare(row)
          for dtype, bound in pairs(optimizing.BOUNDS) do
            if not (errors[dtype] <= bound) then print(optimizing.label(row), dtype, errors[dtype]) end
          end
        end
      ]], "PERILUNE_ISA=" .. isa)
      if output:match("^%w+") ~= isa then pending("not on this processor") end
      assert.equal(isa .. "\n", output)
    end)
  end

  it("goes down into Rosenbrock's valley", function()
    local rates = { SGD = 1e-3, Adadelta = 0.3, Adagrad = 0.5, Lion = 1e-3 }
    for _, name in ipairs(optim.names) do
      local w, g = vector(-1.2, 1), vector(0, 0)
      local o = built(make { optimizer = name, learning_rate = rates[name] or 0.02, weight_decay = 0,
        adam_weight_decay = name == "Muon" and 0 or nil }, w)
      for _ = 1, 4000 do
        local x, y = w[1], w[2]
        g[1], g[2] = -2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)
        o:step({ w }, { g })
      end
      local x, y = w[1], w[2]
      local value = (1 - x) ^ 2 + 100 * (y - x * x) ^ 2
      assert.is_true(value < 0.1, ("%s: %g at (%g, %g)"):format(name, value, x, y))
    end
  end)

  it("Muon solves for a matrix", function()
    local target, w = pl.rng(1):randn({ 6, 4 }, "float64"), pl.zeros({ 6, 4 }, "float64")
    local o = built(optim.Muon{ optim.schedules.PolynomialDecay{ 0.5, 200, 0 }, weight_decay = 0 }, w)
    for _ = 1, 200 do o:step({ w }, { w - target }) end
    assert.is_true((w - target):norm() < 0.05 * target:norm(), tostring((w - target):norm()))
  end)
end)

-- Mistakes ------------------------------------------------------------------------------------------

local function raises(message, f, ...)
  local fine, got = pcall(f, ...)
  assert.is_false(fine, message)
  assert.is_truthy(tostring(got):find(message, 1, true), tostring(got))
  assert.is_truthy(tostring(got):find("optim_state_spec.lua", 1, true), tostring(got))
end

describe("a mistake", function()
  it("in the options names the option", function()
    raises([[optim.Adam: unknown option "beta1"; did you mean 'beta_1'?]],
      function() optim.Adam{ beta1 = 0 } end)
    raises("optim.Adam: argument 'beta_2': expected a number from 0 up and below 1, got 1",
      function() optim.Adam{ beta_2 = 1 } end)
    raises("optim.SGD: argument 'momentum': expected a number from 0 to 1, got", function()
      optim.SGD{ momentum = -0.5 }
    end)
    raises("optim.SGD: argument 'nesterov': expected true or false, got 1", function()
      optim.SGD{ nesterov = 1 }
    end)
    raises("optim.SGD: argument 'learning_rate': expected a number from 0 up, a schedule, or a function",
      function() optim.SGD{ learning_rate = "fast" } end)
    raises("optim.SGD: only one of clipnorm, clipvalue and global_clipnorm can be set, got clipnorm and",
      function() optim.SGD{ clipnorm = 1, clipvalue = 1 } end)
    raises("optim.SGD: argument 'gradient_accumulation_steps': expected an integer from 2 up, got 1",
      function() optim.SGD{ gradient_accumulation_steps = 1 } end)
    raises("optim.SGD: option 'learning_rate' is given twice", function()
      optim.SGD{ 1, learning_rate = 1 }
    end)
    raises("optim.SGD: argument 'options': expected a table of options, got 0.1",
      function() optim.SGD(0.1) end)
    for _, name in ipairs(optim.names) do
      raises("optim." .. name .. ": unknown option", function() optim[name] { [{}] = 1 } end)
    end
  end)

  it("in a name names the nearest", function()
    raises([[optim has no field "Adem"; did you mean 'Adam'?]], function() return optim.Adem end)
    raises([[optim.get: expected an optimizer or the name of one, got "adem"; did you mean 'Adam'?]],
      function() optim.get("adem") end)
    raises("optim.get: expected an optimizer or the name of one, got nil; known are: Adadelta",
      function() optim.get() end)
    raises("optim.get: expected an optimizer", function() optim.get {} end)
  end)

  it("in building and stepping names the parameter", function()
    local w = vector(1, 2)
    raises("SGD:step: not built yet; call build(parameters) first", function()
      optim.SGD():step({ w }, { w })
    end)
    raises("SGD:state: not built yet", function() optim.SGD():state() end)
    raises("SGD:load_state: not built yet", function() optim.SGD():load_state {} end)
    raises("SGD:build: argument 'parameters'", function() optim.SGD():build {} end)
    raises("SGD:build: argument 'parameters[1]': expected {name =, tensor =}", function()
      optim.SGD():build { w }
    end)
    raises("SGD:build: argument 'parameters[1].tensor': expected a tensor of dtype float32 or float64",
      function() optim.SGD():build { { name = "w", tensor = pl.ones({ 2 }, "int32") } } end)
    raises("SGD:build: two parameters are called 'w'", function()
      optim.SGD():build { { name = "w", tensor = w }, { name = "w", tensor = w } }
    end)
    local o = built(optim.SGD(), w)
    raises("SGD:step: argument 'parameters[1]' ('w1'): expected a tensor {2} float64, as it was built for, "
      .. "got tensor {3} float64", function() o:step({ vector(1, 2, 3) }, { w }) end)
    raises("SGD:step: argument 'gradients[1]' ('w1'): expected a tensor {2} float64", function()
      o:step({ w }, { pl.ones(2) })
    end)
    raises("SGD:step: argument 'gradients': expected a list of 1 tensors, in the order of build, got a list "
      .. "of 0", function() o:step({ w }, {}) end)
    raises("SGD:step: no gradient for any parameter", function() o:step({ w }, { false }) end)
    raises("share memory", function() o:step({ w }, { w }) end)
    raises("SGD:swap_averages: this optimizer keeps no averages", function() o:swap_averages { w } end)
    o.learning_rate = function() return "x" end
    raises("SGD:step: argument 'learning_rate': expected a number from 0 up", function()
      o:step({ w }, { vector(1, 1) })
    end)
    raises("SGD:config: a learning rate that is a function cannot be saved", function() o:config() end)
    assert.same({ 1, 2 }, w:totable())
  end)
end)

describe("core.nn", function()
  local step, matmul = core.nn.optimizer_step, core.nn.matmul

  it("optimizer_step takes gradients of any layout", function()
    local w = pl.zeros({ 2, 3 }, "float64")
    local g = pl.arange(1, 6, 1, "float64"):reshape(3, 2):t()
    step("sgd", w, g, {}, { 1 })
    assert.same((-g):totable(), w:totable())
    step("sgd", w, pl.ones({ 1, 1 }, "float64"):expand(2, 3), {}, { 1 })
    assert.same((-g - 1):totable(), w:totable())
  end)

  it("optimizer_step validates what it is given", function()
    local w, g = vector(1, 2), vector(1, 1)
    for message, arguments in pairs {
      ["'rule'"] = { "adm", w, g, {}, { 1 } },
      ["'parameter': expected a contiguous tensor"] = { "sgd", pl.ones({ 2 }, "int32"), g, {}, { 1 } },
      ["expected a contiguous"] = { "sgd", pl.ones(2, 2):t(), pl.ones(2, 2), {}, { 1 } },
      ["'gradient': expected a tensor {2} float64, as the parameter, got tensor {1} float64"] = { "sgd", w,
        vector(1), {}, { 1 } },
      ["'states': expected a list of 0 tensors"] = { "sgd", w, g, { w }, { 1 } },
      ["'states': expected a list of 2 tensors"] = { "adam", w, g, {}, { 1, 1, 1, 1 } },
      ["'states': expected a tensor {2} float64, as the parameter, got 1"] = { "momentum", w, g, { 1 },
        { 1, 1 } },
      ["'scalars': expected a list of 1 numbers"] = { "sgd", w, g, {}, {} },
      ["'scalars': expected a number"] = { "sgd", w, g, {}, { "1" } },
      ["'scale': expected a number"] = { "sgd", w, g, {}, { 1 }, "1" },
      ["share memory"] = { "momentum", w, g, { w }, { 1, 1 } },
    } do
      raises(message, function() step(table.unpack(arguments)) end)
    end
    for _, empty in ipairs { pl.zeros(0), pl.zeros(2, 0) } do step("sgd", empty, empty:clone(), {}, { 1 }) end
    assert.same({ 1, 2 }, w:totable())
  end)

  it("norm agrees with the reduction, in any layout", function()
    for _, n in ipairs { 0, 1, 5, 256, 300, 16384, 16640, 100000, 1100000 } do
      local x = pl.rng(n):randn({ n, 1 }, "float64")
      assert.is_true(math.abs(core.nn.norm(x) - x:norm()) <= 1e-13 * x:norm(), tostring(n))
      local y = x:float()
      assert.is_true(math.abs(core.nn.norm(y) - y:norm()) <= 1e-13 * y:norm(), tostring(n))
    end
    assert.equal(5, core.nn.norm(pl.tensor{ { 3, 0 }, { 4, 0 } }:select(2, 1)))
    raises("norm: argument 'self': expected a tensor of dtype float32 or float64", function()
      core.nn.norm(pl.ones({ 2 }, "int32"))
    end)
  end)

  it("matmul writes into a matrix", function()
    local a, b = pl.rng(1):randn({ 3, 4 }, "float64"), pl.rng(2):randn({ 5, 4 }, "float64")
    local out = pl.zeros({ 3, 5 }, "float64")
    assert.equal(out, matmul(out, a, b:t()))
    assert.same(a:matmul(b:t()):totable(), out:totable())
    for message, arguments in pairs {
      ["'out': expected a contiguous tensor {3, 5}"] = { pl.zeros({ 5, 3 }, "float64"), a, b:t() },
      ["with memory of its own"] = { pl.zeros({ 5, 3 }, "float64"):t(), a, b:t() },
      ["'out': expected a matrix"] = { 1, a, b },
      ["'b': expected a matrix"] = { out, a, pl.ones(4, 5) },
      ["the columns of the first and the rows of the second"] = { out, a, b },
    } do
      raises(message == "'out': expected a matrix" and "'out'" or message, function()
        matmul(table.unpack(arguments))
      end)
    end
  end)
end)
