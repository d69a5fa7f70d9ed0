-- Problem 1: the two-layer net against the course's numbers, pl.gradcheck, and the scripts from end to end on
-- the committed sample.
local shell = require "tests.shell"
package.path = "scripts/?.lua;" .. package.path
local pl = require "perilune"
local TwoLayerNet = require "nets.two_layer_net"
local diagnosis = require "two_layer.diagnosis"
local search = require "two_layer.search"
local task = require "two_layer.task"
local toy = require "two_layer.toy"

local NAMES <const> = { "W1", "b1", "W2", "b2" }

local function contains(text, ...)
  for _, part in ipairs { ... } do
    assert.is_truthy(text:find(part, 1, true), ("%q does not contain %q"):format(text, part))
  end
end

-- The message of the error that f(...) raises, with the parts it has to hold.
local function raises(f, ...)
  local ok, message = pcall(f)
  assert.is_false(ok, "no error was raised")
  assert.is_string(message)
  contains(message, ...)
end

local function bits(params)
  local parts = {}
  for i, name in ipairs(NAMES) do parts[i] = params[name]:tobytes() end
  return table.concat(parts)
end

describe("the toy oracle", function()
  for _, hidden_size in ipairs { 10, 5 } do
    local _, checks = toy.check(hidden_size)
    for _, check in ipairs(checks) do
      it(("with %d hidden units: %s"):format(hidden_size, check.what), function()
        assert.is_true(check.value < check.limit, ("%g is not below %g"):format(check.value, check.limit))
      end)
    end
  end

  it("draws W1 before W2 as NumPy does, and biases of zero", function()
    local net = toy.make(10)
    assert.equal(0.1 * 1.764052345967664, net.params.W1[1][1])
    local both = pl.numpy_rng(0):randn({ 70 }, "float64") * 0.1
    assert.is_true(net.params.W1:flatten():equal(both:narrow(1, 1, 40)))
    assert.is_true(net.params.W2:flatten():equal(both:narrow(1, 41, 30)))
    assert.is_true(net.params.b1:equal(pl.zeros({ 10 }, "float64")))
    assert.is_true(net.params.b2:equal(pl.zeros({ 3 }, "float64")))
  end)

  it("reaches NumPy's loss after 100 iterations", function()
    local net, X, y = toy.make(10)
    local histories = net:train(X, y, X, y, { learning_rate = 1e-1, reg = 5e-6, num_iters = 100 })
    assert.near(0.017149607938732, histories.loss_history[100], 1e-9)
    assert.equal(100, #histories.loss_history)
    assert.equal(100, #histories.val_acc_history) -- five rows: an epoch is one batch
    assert.equal(1, histories.val_acc_history[100])
    assert.equal(1, net:predict(X):eq(y):mean())
  end)
end)

describe("TwoLayerNet", function()
  local function make(options)
    local all = { input_size = 4, hidden_size = 6, num_classes = 3, std = 0.1, rng = pl.rng(1) }
    for name, value in pairs(options or {}) do all[name] = value end
    return TwoLayerNet(all)
  end
  local X = pl.rng(2):randn(5, 4)
  local y = pl.tensor({ 1, 2, 3, 3, 2 }, "int32")

  it("is float32 unless told otherwise, and computes the same in float64", function()
    local net = make()
    local exact = make{ dtype = "float64" }
    for _, name in ipairs(NAMES) do
      assert.equal("float32", net.params[name]:dtype())
      exact.params[name]:copy_(net.params[name])
    end
    local loss, gradients = net:loss(X, y, { reg = 0.1 })
    local exact_loss, exact_gradients = exact:loss(X:double(), y, { reg = 0.1 })
    assert.near(exact_loss, loss, 1e-6)
    for _, name in ipairs(NAMES) do
      assert.equal("float32", gradients[name]:dtype())
      assert.is_true(gradients[name]:double():allclose(exact_gradients[name], { rtol = 1e-4, atol = 1e-7 }))
    end
  end)

  it("leaves its parameters and the images as they were when it computes a loss", function()
    local net = make()
    local before, images = bits(net.params), X:tobytes()
    net:loss(X, y, { reg = 0.1 })
    assert.equal(before, bits(net.params))
    assert.equal(images, X:tobytes())
  end)

  it("predicts classes from 1", function()
    local classes = make():predict(X)
    assert.same({ 5 }, classes:shape())
    assert.equal("int32", classes:dtype())
    assert.is_true(classes:ge(1):all() and classes:le(3):all())
  end)

  it("says what is wrong with its options, at the caller's line", function()
    local place = ("two_layer_spec.lua:%d: TwoLayerNet: option"):format(debug.getinfo(1, "l").currentline + 1)
    raises(function() local _ = TwoLayerNet{ input_size = 4 } end, place, "is missing")
    raises(function() local _ = TwoLayerNet.new() end, "two_layer_spec.lua:", "expected a table of options")
    raises(function() return (make{ hidden_sise = 3 }) end,
      "TwoLayerNet: unknown option \"hidden_sise\"; did you mean 'hidden_size'?")
    raises(function() return (make{ [3] = 3 }) end, "unknown option 3; known are: dtype, hidden_size")
    raises(function() return (TwoLayerNet:new{ input_size = 4 }) end, "two_layer_spec.lua:",
      "expected a table of options, got a TwoLayerNet: call it with a dot")
    raises(function() return (make():new{ input_size = 4 }) end, "got a TwoLayerNet: call it with a dot")
    for _, bad in ipairs { 0, -1, 2.5, 0 / 0, "10" } do
      raises(function() return (make{ hidden_size = bad }) end, "'hidden_size': expected a positive integer")
    end
    raises(function() return (make{ hidden_size = "10" }) end, 'got "10"')
    raises(function() return (make{ std = X }) end, "got tensor {5, 4} float32")
    raises(function() return (make{ std = -1 }) end, "'std': expected a number from 0 up, got -1")
    raises(function() return (make{ rng = 3 }) end, "'rng': expected a generator")
    raises(function() return (make{ dtype = "float16" }) end, "float16")
    local net = make()
    raises(function() net:loss(X, y, { rag = 1 }) end, "two_layer_spec.lua:",
      "loss: unknown option \"rag\"; did you mean 'reg'?")
    raises(function() net:loss(X, y, { reg = 0 / 0 }) end, "'reg': expected a number from 0 up")
    raises(function() net:train(X, y, X, y, { num_iters = 1 }) end, "'learning_rate' is missing")
    raises(function() net:train(X, y, X, y, { learning_rate = 1, num_iters = 1, normalizer = 3 }) end,
      "two_layer_spec.lua:", "'normalizer': expected an object with apply(rows), got 3")
  end)

  it("refuses rows, classes and dtypes that do not fit", function()
    local net = make()
    raises(function() net:loss(X:narrow(2, 1, 3)) end, "addmm", "{5, 3}", "{4, 6}")
    raises(function() net:loss(X:double()) end, "float64", "float32")
    for _, class in ipairs { 0, 4, -1 } do
      raises(function() net:loss(X, pl.full({ 5 }, class, "int32")) end, "from 1 to 3", tostring(class))
    end
    raises(function() net:loss(X, y:narrow(1, 1, 4)) end, "{5} int32, got tensor {4} int32")
    raises(function() net:loss(X, y:narrow(1, 1, 1)) end, "{5} int32, got tensor {1} int32")
    raises(function() net:loss(X, y:float()) end, "{5} int32, got tensor {5} float32")
  end)

  it("stops training when asked, and draws batches from the generator given", function()
    local net, same = make(), make()
    local seen = {}
    local histories = net:train(X, y, X, y, {
      learning_rate = 0.1, num_iters = 10, batch_size = 2, rng = pl.rng(7),
      on_progress = function(iteration, loss, so_far)
        seen[#seen + 1] = iteration
        assert.equal(loss, so_far.loss_history[iteration])
        return iteration < 4
      end,
    })
    assert.same({ 1, 2, 3, 4 }, seen)
    assert.equal(4, #histories.loss_history)
    assert.equal(2, #histories.train_acc_history) -- an epoch is two batches of two
    same:train(X, y, X, y, { learning_rate = 0.1, num_iters = 4, batch_size = 2, rng = pl.rng(7) })
    assert.equal(bits(net.params), bits(same.params))
  end)

  it("takes bytes with a normalizer as it takes normalised rows", function()
    local rows = task.load{ sample = true }
    local ready = assert(pl.data.cifar10{ sample = true, center = "image", flatten = true })
    local params = {}
    for i, data in ipairs { rows, ready } do
      local net = TwoLayerNet{ input_size = 3072, hidden_size = 7, num_classes = 10, rng = pl.rng(3) }
      assert.equal(i == 1 and "uint8" or "float32", data.train.x:dtype())
      net:train(data.train.x, data.train.y, data.val.x, data.val.y, {
        learning_rate = 1e-3, num_iters = 3, normalizer = i == 1 and data.normalizer or nil,
      })
      params[i] = bits(net.params)
    end
    assert.equal(params[1], params[2])
  end)

  it("trains to the same bits at any number of threads", function()
    local data = task.load{ sample = true }
    local threads, first = pl.threads(), nil
    for _, count in ipairs { 1, 2, 3, 8, 1 } do
      pl.set_threads(count)
      local net, histories = task.train(data, {
        hidden_size = 50, learning_rate = 1e-3, learning_rate_decay = 0.9, reg = 0.1, num_iters = 12,
      }, pl.rng(1), function() end)
      local result = bits(net.params) .. string.pack(("d"):rep(12), table.unpack(histories.loss_history))
      first = first or result
      assert.is_true(result == first, ("other bits with %d threads"):format(count))
    end
    pl.set_threads(threads)
  end)

  it("comes back from its file with the same bits and accuracy", function()
    local data = task.load{ sample = true }
    local net = TwoLayerNet{ input_size = 3072, hidden_size = 20, num_classes = 10, rng = pl.rng(4) }
    net:train(data.train.x, data.train.y, data.val.x, data.val.y, {
      learning_rate = 1e-3, num_iters = 10, normalizer = data.normalizer,
    })
    shell.in_folder(function(folder)
      local path = folder .. "/net.safetensors"
      assert.is_true(net:save(path))
      local loaded = assert(TwoLayerNet.load(path))
      assert.equal(bits(net.params), bits(loaded.params))
      assert.equal(task.accuracy(net, data.test), task.accuracy(loaded, data.test))

      assert(pl.save(path, { W1 = net.params.W1 }))
      local nothing, message = TwoLayerNet.load(path)
      assert.is_nil(nothing)
      contains(message, path, "b1")
      nothing, message = TwoLayerNet.load(folder .. "/none.safetensors")
      assert.is_nil(nothing)
      contains(message, "none.safetensors")
    end)
  end)

  it("tells a loss that is no longer finite", function()
    local data = task.load{ sample = true }
    local _, histories = task.train(data, {
      hidden_size = 10, learning_rate = 1e6, learning_rate_decay = 1, reg = 1, num_iters = 50,
    }, pl.rng(1), function() end)
    assert.is_true(histories.diverged)
    assert.is_true(#histories.loss_history < 50)
  end)
end)

describe("gradcheck", function()
  -- sum of w³, whose gradient is 3w²
  local function cubes(w)
    return function() return (w * w * w):sum(), { w = w:square() * 3 } end
  end

  it("accepts a right gradient and prints a table", function()
    local w = pl.rng(1):randn({ 3, 4 }, "float64")
    local report = pl.gradcheck(cubes(w), { w = w })
    assert.is_true(report.error < 1e-8)
    assert.equal("w", report.worst)
    assert.same({ 3, 4 }, report.parameters.w.numeric_gradient:shape())
    assert.is_true(report.parameters.w.numeric_gradient:allclose(w:square() * 3))
    contains(tostring(report), "parameter", "relative error", "{3, 4}", "analytic", "numeric")
  end)

  it("finds a planted mistake and names its place, values and error", function()
    local w = pl.rng(1):randn({ 2, 3, 4 }, "float64")
    local b = pl.rng(2):randn({ 5 }, "float64")
    local report = pl.gradcheck(function()
      local gradient = w:square() * 3
      gradient[2][1][3] = gradient[2][1][3] * 1.5
      return (w * w * w):sum() + b:sum(), { w = gradient, b = pl.ones_like(b) }
    end, { w = w, b = b })
    local found = report.parameters.w
    assert.same({ 2, 1, 3 }, found.index)
    assert.equal("w", report.worst)
    assert.near(4.5 * w[2][1][3] ^ 2, found.analytic, 1e-12)
    assert.near(3 * w[2][1][3] ^ 2, found.numeric, 1e-8)
    assert.near(0.2, found.error, 1e-6) -- |1.5 - 1| / (1.5 + 1)
    assert.equal(found.error, report.error)
    assert.is_true(report.parameters.b.error < 1e-8)
    contains(tostring(report), "{2, 1, 3}", "2.000e-01")
  end)

  it("counts a gradient that is not a number as infinitely wrong", function()
    local w = pl.ones({ 3 }, "float64")
    local report = pl.gradcheck(function() return w:sum(), { w = pl.tensor({ 1, 0 / 0, 1 }, "float64") } end,
      { w = w })
    assert.equal(math.huge, report.error)
    assert.same({ 2 }, report.parameters.w.index)
  end)

  it("works on views, on numbers of rank 0 and on nothing at all", function()
    local base = pl.rng(3):randn({ 6, 8 }, "float64")
    local before = base:tobytes()
    local view = base[{ { 1, -1, 2 }, { 2, 5 } }]:t()
    assert.is_false(view:is_contiguous())
    assert.is_true(pl.gradcheck(cubes(view), { w = view }).error < 1e-8)
    assert.equal(before, base:tobytes())
    local one = pl.tensor(0.7, "float64")
    local report = pl.gradcheck(function() return one:item() ^ 2, { w = one * 2 } end, { w = one })
    assert.is_true(report.error < 1e-8)
    assert.same({}, report.parameters.w.index)
    local none = pl.zeros({ 0, 3 }, "float64")
    assert.equal(0, pl.gradcheck(function() return 0, { w = none } end, { w = none }).error)
  end)

  it("gives back the bits it came with, also when f raises", function()
    local w = pl.tensor({ -0.0, 0.1, 1e-300, 3, 1e16 }, "float64")
    local before = w:tobytes()
    pl.gradcheck(cubes(w), { w = w })
    assert.equal(before, w:tobytes())
    local calls = 0
    raises(function()
      pl.gradcheck(function()
        calls = calls + 1
        if calls == 4 then error("the fourth call") end
        return w:sum(), { w = pl.ones_like(w) }
      end, { w = w })
    end, "the fourth call")
    assert.equal(before, w:tobytes())
    -- Even when f itself writes into its parameters.
    pl.gradcheck(function()
      local loss, gradient = w:sum(), pl.ones_like(w)
      w:add_(1)
      return loss, { w = gradient }
    end, { w = w })
    assert.equal(before, w:tobytes())
  end)

  it("keeps the gradients of the first call, should f use their memory again", function()
    local w = pl.rng(1):randn({ 4 }, "float64")
    local buffer = pl.empty_like(w)
    local report = pl.gradcheck(function()
      buffer:copy_(w):square_():mul_(3)
      return (w * w * w):sum(), { w = buffer }
    end, { w = w })
    assert.is_true(report.error < 1e-8)
  end)

  it("checks gradients given apart, in float32 too", function()
    local w = pl.rng(1):randn(4)
    local function loss() return (w * w):sum() end
    assert.is_true(pl.gradcheck(loss, { w = w }, { analytic = { w = w * 2 } }).error < 1e-3)
    assert.is_true(pl.gradcheck(loss, { w = w }, { analytic = { w = w * 3 } }).error > 0.1)
  end)

  it("raises at the caller's line about what cannot be checked", function()
    local w = pl.ones({ 2 }, "float64")
    local f = cubes(w)
    raises(function() pl.gradcheck(nil, { w = w }) end, "two_layer_spec.lua:", "gradcheck: argument 'f'")
    raises(function() pl.gradcheck(f, w) end, "'params'")
    raises(function() pl.gradcheck(f, {}) end, "at least one named tensor")
    raises(function() pl.gradcheck(f, { w }) end, "names as keys")
    raises(function() pl.gradcheck(f, { w = w:int() }) end, "'params.w'", "floats", "int32")
    raises(function() pl.gradcheck(f, { w = w }, { step = 1 }) end, "unknown option", "step")
    for _, h in ipairs { 0, -1, 0 / 0, math.huge, "1" } do
      raises(function() pl.gradcheck(f, { w = w }, { h = h }) end, "'h'", "a positive number")
    end
    raises(function() pl.gradcheck(f, { v = w }) end, "a gradient 'v' shaped like its parameter", "nil")
    raises(function() pl.gradcheck(function() return 1, { w = w:unsqueeze(1) } end, { w = w }) end, "{1, 2}")
    raises(function() pl.gradcheck(function() return 1 end, { w = w }) end, "a table of gradients")
    local function text() return "1", { w = w } end
    raises(function() pl.gradcheck(text, { w = w }) end, "a number as the loss")
  end)
end)

describe("the diagnosis", function()
  local function losses(f)
    local list = {}
    for i = 1, 200 do list[i] = f(i / 200) end
    return { loss_history = list }
  end

  local many = { train = 49000, val = 1000 }

  it("tells a straight line from a curve that levels off", function()
    local line = diagnosis.of(losses(function(t) return 2.3 - t end), { train = 0.3, val = 0.3 }, many)
    assert.near(0.5, line.late_share, 0.02)
    contains(line.text, "learning rate is too low", "No gap", "too little capacity")
    local decay = losses(function(t) return 1 + math.exp(-8 * t) end)
    local curve = diagnosis.of(decay, { train = 0.6, val = 0.5 }, many)
    assert.is_true(curve.late_share < 0.1)
    contains(curve.text, "learning rate is high enough", "A wide gap: overfitting", "10.0 points")
    contains(diagnosis.of(decay, { train = 0.54, val = 0.5 }, many).text, "A small gap")
  end)

  it("takes nothing from the gap of a net that never learnt", function()
    local flat = diagnosis.of(losses(function() return 2.303 end), { train = 0.2, val = 0.06 }, many)
    contains(flat.text, "never fell: the learning rate is too low", "a gap says nothing")
    assert.is_nil(flat.text:find("overfitting", 1, true))
    local rising = diagnosis.of(losses(function(t) return 2.3 + t end), { train = 0.2, val = 0.06 }, many)
    contains(rising.text, "It rose: the learning rate is too high")
    assert.is_nil(rising.text:find("overfitting", 1, true))
  end)

  it("knows that a gap on few images is noise", function()
    local falling = losses(function(t) return 1 + math.exp(-8 * t) end)
    local few = diagnosis.of(falling, { train = 0.3, val = 0.2 }, { train = 250, val = 50 })
    assert.near(math.sqrt(0.3 * 0.7 / 250 + 0.2 * 0.8 / 50), few.error, 1e-12)
    contains(few.text, "On only 250 and 50 images its standard error is 6.4 points: the gap is within noise")
    assert.is_nil(few.text:find("overfitting", 1, true))
    local wide = diagnosis.of(falling, { train = 0.9, val = 0.2 }, { train = 250, val = 50 })
    contains(wide.text, "A wide gap: overfitting")
  end)
end)

describe("the search", function()
  it("draws a trial from its seed and number alone", function()
    assert.same(search.draw(1, 11), search.draw(1, 11))
    assert.not_same(search.draw(1, 11), search.draw(1, 12))
    assert.not_same(search.draw(1, 11), search.draw(2, 11))
  end)

  it("drew the options that two_layer_net.lua calls good", function()
    local source = shell.read("scripts/two_layer_net.lua"):match("local GOOD <const> = (%b{})")
    assert.same(load("return " .. source)(), search.draw(1, 11))
  end)
end)

describe("the scripts", function()
  local sh = shell.quote
  local function script(name, options)
    return shell.run(("%s scripts/%s %s"):format(shell.quote(shell.perilune), name, options))
  end

  it("run the main job on the sample", function()
    shell.in_folder(function(folder)
      local options = "--sample --quick --out " .. shell.quote(folder .. "/a/b")
      local out, err, code = script("two_layer_net.lua", options)
      assert.equal("", err)
      assert.equal(0, code)
      contains(out, "reached     loss, difference", "250 × 3072", "Diagnosis", "the same bits", "not judged",
        "Every target reached")
      assert.is_nil(out:find("NOT REACHED", 1, true))
      assert.is_nil(out:find("\27", 1, true)) -- nothing rewritten where no terminal is
      for _, name in ipairs {
        "default_history.png", "default_weights.png", "tuned_history.png", "tuned_weights.png",
        "net.safetensors",
      } do
        contains(out, folder .. "/a/b/" .. name)
        assert.is_true(#shell.read(folder .. "/a/b/" .. name) > 1000)
      end
    end)
  end)

  it("say loudly that the data is missing and go on with the sample", function()
    shell.in_folder(function(folder)
      local out, _, code = script("two_layer_net.lua",
        ("--quick --data %s/none --out %s"):format(sh(folder), sh(folder)))
      assert.equal(0, code)
      contains(out, "!!!!", "CIFAR-10 is not here", "/none", "sample")
    end)
  end)

  it("tune on the sample, the same table for the same seed", function()
    shell.in_folder(function(folder)
      local command = "--sample --trials 2 --seed 3 --out " .. shell.quote(folder)
      local out, err, code = script("tune_two_layer.lua", command)
      assert.equal("", err)
      assert.equal(0, code)
      contains(out, "Random search: 2 trials, seed 3", "| trial |", "Best on validation: trial", "× 4", "gap")
      local report = shell.read(folder .. "/report.md")
      contains(report, "| trial |", "a quarter of the images", "test accuracy")
      assert.is_truthy(TwoLayerNet.load(folder .. "/net.safetensors"))
      local net = shell.read(folder .. "/net.safetensors")
      script("tune_two_layer.lua", command)
      assert.equal(report, shell.read(folder .. "/report.md"))
      assert.equal(net, shell.read(folder .. "/net.safetensors"))
    end)
  end)

  it("end with a line about what cannot be done", function()
    local _, err, code = script("two_layer_net.lua", "--sample --quick --out /proc/none")
    assert.equal(1, code)
    contains(err, "/proc/none")
    assert.is_nil(err:find("traceback", 1, true))
    for _, options in ipairs { "--sed 1", "--seed", "--seed x", "--seed -1", "run" } do
      _, err, code = script("two_layer_net.lua", options)
      assert.equal(2, code)
      contains(err, "--help")
    end
    local out
    out, _, code = script("tune_two_layer.lua", "--help")
    assert.equal(0, code)
    contains(out, "--trials")
  end)
end)

describe("classes that do not fit", function()
  local rng = pl.rng(1)
  local net = TwoLayerNet { input_size = 4, hidden_size = 5, num_classes = 3, rng = rng }
  local X = rng:randn { 2, 4 }

  it("are an error at the caller's line", function()
    local function message_of(y)
      local _, message = pcall(function() return (net:loss(X, y)) end)
      return message
    end
    assert.matches("two_layer_spec.lua:%d+: loss: .*from 1 to 3, got 0 to 2; classes count from 1",
      message_of(pl.tensor({ 0, 2 }, "int32")))
    assert.matches("from 1 to 3, got 1 to 4", message_of(pl.tensor({ 1, 4 }, "int32")))
    assert.matches("tensor {2} int32, got tensor {2} float32", message_of(pl.tensor { 1, 2 }), 1, true)
    local longer = pl.tensor({ 1, 2, 3 }, "int32")
    assert.matches("tensor {2} int32, got tensor {3} int32", message_of(longer), 1, true)
  end)
end)
