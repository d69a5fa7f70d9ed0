-- Training: what fit, evaluate and predict compute, against the same computed by hand; determinism, memory,
-- Ctrl-C, and the mistakes that a beginner makes.
local child = require "tests.child"
local evaluation = require "perilune.train.evaluation"
local pl = require "perilune"
local shell = require "tests.shell"
local world = require "tests.world"
package.path = "scripts/?.lua;" .. package.path
local convnets = require "nets.convnets"
local TwoLayerNet = require "nets.two_layer_net"
local nn, raises = pl.nn, world.raises

local sample = assert(pl.data.cifar10 { sample = true, flatten = true, standardize = true })
local images = assert(pl.data.cifar10 { sample = true, standardize = true, dtype = "uint8" })

local function small(options)
  options = options or {}
  local model = nn.Sequential {
    nn.Input { 3072 }, nn.Dense { 12, activation = "relu" }, nn.Dropout { 0.25 },
    nn.Dense { 10, activation = "softmax" }, seed = options.seed or 0, dtype = options.dtype,
  }
  return model:compile {
    optimizer = options.optimizer or "adam", loss = "sparse_categorical_crossentropy",
    metrics = { "accuracy" },
  }
end

local function conv(seed)
  local model = nn.Sequential {
    nn.Input { 32, 32, 3 }, nn.Conv2D { 4, 3, activation = "relu" }, nn.MaxPooling2D {},
      nn.BatchNormalization {},
    nn.Flatten {}, nn.Dropout { 0.5 }, nn.Dense { 10, activation = "softmax" }, seed = seed,
  }
  return model:compile {
    optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" },
  }
end

local function fit(model, options)
  options.verbose = options.verbose or 0
  return model:fit(sample.train.x, sample.train.y, options)
end

local function bits(model)
  local list = {}
  for i, tensor in ipairs(model:get_weights()) do list[i] = tensor:tobytes() end
  return table.concat(list)
end

local function close(expected, got, tolerance)
  assert.is_true(math.abs(expected - got) <= (tolerance or 1e-12), ("%.17g, not %.17g"):format(got, expected))
end

describe("a net of layers", function()
  it("has the loss, gradients and steps of the same net written by hand", function()
    local rng = pl.numpy_rng(0)
    local net = TwoLayerNet {
      input_size = 4, hidden_size = 10, num_classes = 3, std = 1e-1, rng = rng, dtype = "float64",
    }
    local X = pl.numpy_rng(1):randn { 5, 4 } * 10
    local y = pl.tensor({ 1, 2, 3, 3, 2 }, "int32")
    local reg, rate, P = 0.05, 0.1, net.params
    local model = nn.Sequential {
      nn.Input { 4 },
      nn.Dense { 10, activation = "relu", kernel_regularizer = nn.regularizers.L2 { reg } },
      nn.Dense { 3, activation = "softmax", kernel_regularizer = nn.regularizers.L2 { reg } },
      dtype = "float64",
    }
    model:compile {
      optimizer = pl.optim.SGD { learning_rate = rate }, loss = "sparse_categorical_crossentropy",
    }
    model:set_weights { P.W1, P.b1, P.W2, P.b2 }
    for _ = 1, 3 do
      local loss, gradients = net:loss(X, y, { reg = reg })
      close(loss, model:test_on_batch(X, y).loss)
      close(loss, model:evaluate(X, y).loss)
      close(loss, model:train_on_batch(X, y).loss)
      local before = { P.W1:clone(), P.b1:clone(), P.W2:clone(), P.b2:clone() }
      for i, weight in ipairs(model:get_weights()) do
        local name = ({ "W1", "b1", "W2", "b2" })[i]
        local gradient = (before[i] - weight) / rate
        assert.is_true((gradient - gradients[name]):abs():max() < 1e-12, name)
        P[name]:copy_(weight)
      end
    end
  end)
end)

describe("fit", function()
  it("reports the mean over the samples, the short last batch for what it is", function()
    local model = small { optimizer = pl.optim.SGD { learning_rate = 0 } }
    model.layers[2].rate = 0
    local history = fit(model, { batch_size = 64, epochs = 2, shuffle = true })
    local whole = model:evaluate(sample.train.x, sample.train.y, { batch_size = 250 })
    close(whole.loss, history.history.loss[1], 1e-6)
    close(whole.accuracy, history.history.accuracy[2])
    local probabilities = model:predict(sample.train.x)
    close(-probabilities:gather(2, sample.train.y:unsqueeze(2)):log():mean(), whole.loss, 1e-5)
    close(probabilities:argmax(-1):eq(sample.train.y):mean(), whole.accuracy)
    assert.same({ 250, 10 }, probabilities:shape())
    assert.same({ 1, 2 }, history.epochs)
    assert.same({ 0.0, 0.0 }, history.history.learning_rate)
    assert.equal(2, #history.history.seconds)
  end)

  it("draws the same bits from the same seed, others from another", function()
    local a, b, c, d = small(), small(), small(), small { seed = 1 }
    fit(a, { epochs = 2, seed = 3 })
    fit(b, { epochs = 2, seed = 3 })
    fit(c, { epochs = 2, seed = 4 })
    fit(d, { epochs = 2, seed = 3 })
    assert.is_true(bits(a) == bits(b))
    assert.is_false(bits(a) == bits(c))
    assert.is_false(bits(a) == bits(d))
  end)

  it("goes on where it stopped, and starts anew after reset", function()
    local once, twice = small(), small()
    fit(once, { epochs = 4, seed = 1 })
    fit(twice, { epochs = 2, seed = 1 })
    local history = fit(twice, { epochs = 4, initial_epoch = 2, seed = 1 })
    assert.same({ 3, 4 }, history.epochs)
    assert.is_true(bits(once) == bits(twice))
    fit(twice:reset(), { epochs = 4, seed = 1 })
    assert.is_true(bits(once) == bits(twice))
    assert.equal(32, twice.optimizer.iterations)
  end)

  it("does not shuffle when told so", function()
    local model, seen = small { optimizer = pl.optim.SGD {} }, {}
    local data = {
      x = sample.train.x, y = sample.train.y,
      batch = function(_, indices)
        seen[#seen + 1] = indices:totable()
        return sample.train:batch(indices)
      end,
    }
    model:fit(data, { batch_size = 100, shuffle = false, verbose = 0 })
    assert.equal(1, seen[1][1])
    assert.equal(250, seen[3][50])
    seen = {}
    model:fit(data, { batch_size = 100, verbose = 0 })
    local all = {}
    for _, indices in ipairs(seen) do table.move(indices, 1, #indices, #all + 1, all) end
    assert.not_same({ 1, 2, 3 }, { all[1], all[2], all[3] })
    table.sort(all)
    for i = 1, 250 do assert.equal(i, all[i]) end
  end)

  it("refuses a batch of other samples than were asked for", function()
    local data = { x = sample.train.x, y = sample.train.y, batch = function(_, indices)
      return sample.train:batch(indices:narrow(1, 2, indices:size(1) - 1))
    end }
    raises(function() small():fit(data, { batch_size = 100, verbose = 0 }) end,
      "was to give 100 samples, one for each index, and gave tensor {99, 3072} float32")
    raises(function() small():predict({ x = sample.train.x:narrow(1, 1, 3), batch = data.batch }) end,
      "was to give 3 samples")
  end)

  it("takes bytes that are normalised batch by batch for what they are", function()
    local a, b = conv(2), conv(2)
    a:fit(images.train, { verbose = 0, seed = 1, validation_data = images.val })
    local floats = assert(pl.data.cifar10 { sample = true, standardize = true })
    b:fit(floats.train.x, floats.train.y, {
      verbose = 0, seed = 1, validation_data = { floats.val.x, floats.val.y },
    })
    assert.is_true(bits(a) == bits(b))
    assert.equal(a.history.history.val_loss[1], b.history.history.val_loss[1])
    close(a:evaluate(images.test).loss, b:evaluate(floats.test.x, floats.test.y).loss)
    assert.is_true(a:predict(images.test):equal(b:predict(floats.test.x)))
  end)

  it("validates on the last samples with validation_split", function()
    local a, b = small(), small()
    local x, y = sample.train.x, sample.train.y
    a:fit(x, y, { verbose = 0, seed = 1, validation_split = 0.2 })
    b:fit(x:narrow(1, 1, 200), y:narrow(1, 1, 200), {
      verbose = 0, seed = 1, validation_data = { x:narrow(1, 201, 50), y:narrow(1, 201, 50) },
    })
    assert.is_true(bits(a) == bits(b))
    assert.equal(a.history.history.val_loss[1], b.history.history.val_loss[1])
    a, b = small(), small()
    local one = { verbose = 0, seed = 1, shuffle = false, batch_size = 200 } -- batch of all of them
    b:fit(x:narrow(1, 1, 200), y:narrow(1, 1, 200), one)
    one.validation_split = 0.2
    a:fit(x, y, one)
    assert.is_true(bits(a) == bits(b))
    local c = conv(1)
    c:fit(images.train, { verbose = 0, seed = 1, validation_split = 0.2, validation_batch_size = 7 })
    close(c:evaluate { x = images.train:batch():narrow(1, 201, 50), y = y:narrow(1, 201, 50) }.loss,
      c.history.history.val_loss[1], 1e-5)
  end)

  it("weighs samples and classes", function()
    local model = small { dtype = "float64" }
    model.layers[2].rate = 0
    local x, y = sample.train.x:narrow(1, 1, 20):double(), sample.train.y:narrow(1, 1, 20)
    local weights = pl.rng(1):rand({ 20 }, "float64")
    local l = -model:predict(x):gather(2, y:unsqueeze(2)):squeeze(2):log()
    close((l * weights):sum() / 20, model:test_on_batch(x, y, { sample_weight = weights }).loss)
    close((l * weights):sum() / 20, model:evaluate(x, y, { sample_weight = weights, batch_size = 20 }).loss)
    local by_class = y:eq(3):double() * 3 + y:ne(3):double() * y:ne(7):double()
    local both = (l * weights * by_class):sum() / 20
    local options = { sample_weight = weights:totable(), class_weight = { [3] = 3, [7] = 0 } }
    close(both, model:test_on_batch(x, y, options).loss)
    options.verbose, options.batch_size, options.shuffle = 0, 20, true
    local history = model:fit(x, y, options)
    close(both, history.history.loss[1])
  end)

  it("lets frozen layers be, at no cost, and thaws them", function()
    local model = small()
    model.layers[1].trainable = false
    local before = model:get_weights()
    fit(model, { epochs = 1 })
    local after = model:get_weights()
    assert.is_true(before[1]:equal(after[1]) and before[2]:equal(after[2]))
    assert.is_false(before[3]:equal(after[3]))
    local stepper = model:current_stepper()
    assert.equal(false, stepper.gradients[1])
    model.layers[1].trainable = true
    fit(model, { epochs = 1 })
    assert.is_false(before[1]:equal(model:get_weights()[1]))
  end)

  it("stops when a callback says so, and tells callbacks of everything", function()
    local model, events = small(), {}
    local watch = {}
    for _, name in ipairs {
      "on_train_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end", "on_train_end",
    } do
      watch[name] = function(self, n)
        events[#events + 1] = name:sub(4) .. (math.type(n) == "integer" and n or "")
        assert.equal(model, self.model)
        if name == "on_batch_end" and n == 2 then model.stop_training = true end
      end
    end
    local history = fit(model, { epochs = 5, callbacks = { watch } })
    assert.same({
      "train_begin", "epoch_begin1", "batch_begin1", "batch_end1", "batch_begin2", "batch_end2", "epoch_end1",
      "train_end",
    }, events)
    assert.same({ 1 }, history.epochs)
    assert.is_nil(watch.wrong)
  end)

  it("obeys steps_per_epoch, epochs and a schedule of the rate", function()
    local rate = pl.optim.schedules.ExponentialDecay { 0.1, 3, 0.5 }
    local model = small { optimizer = pl.optim.SGD { learning_rate = rate } }
    local history = fit(model, { epochs = 3, steps_per_epoch = 3 })
    assert.equal(9, model.optimizer.iterations)
    close(0.1, history.history.learning_rate[1])
    close(0.05, history.history.learning_rate[2])
    assert.same({}, fit(model, { epochs = 0 }).epochs)
    assert.same({}, fit(model, { epochs = 3, initial_epoch = 3 }).epochs)
  end)

  it("ends with the averages of the weights when the optimizer keeps them", function()
    local model = small { optimizer = pl.optim.Adam { use_ema = true } }
    fit(model, { epochs = 1 })
    assert.is_true(model:get_weights()[1]:equal(model.optimizer:averages()["dense/kernel"]))
  end)

  it("keeps the layers' tensors in place when a step fails", function()
    local Broken = nn.Layer:extend("Broken")
    function Broken.forward(_, x, training)
      if training then error("no luck") end
      return x
    end
    local model = nn.Sequential { nn.Input { 3072 }, nn.Dense { 10 }, Broken {}, nn.Activation { "softmax" } }
    model:compile { optimizer = "sgd", loss = "sparse_categorical_crossentropy" }
    local kernel = model.layers[1].kernel
    local ok, message = pcall(fit, model, {})
    assert.is_false(ok)
    assert.truthy(message:find("train_spec.lua:%d+: no luck"))
    assert.is_true(rawequal(kernel, model.layers[1].kernel))
    model:evaluate(sample.test.x, sample.test.y)
    model.layers[1].kernel:mul_(1)
  end)

  it("works with metrics that are tensors, and prints its history", function()
    local model = small()
    model:compile {
      optimizer = "sgd", loss = "sparse_categorical_crossentropy",
      metrics = { "accuracy", nn.metrics.ConfusionMatrix { 10 },
        nn.metrics.SparseTopKCategoricalAccuracy { 3 } },
    }
    local history = fit(model, { epochs = 20, batch_size = 250 })
    assert.same({ 10, 10 }, history.history.confusion_matrix[1]:shape())
    local text = tostring(history)
    assert.truthy(text:find("… 8 epochs …", 1, true))
    assert.equal(14, select(2, text:gsub("\n", "\n")) + 1)
    assert.truthy(tostring(model:evaluate(sample.test.x, sample.test.y)):find "^{loss = %d")
    pl.plot.history(history)
  end)
end)

describe("predict and evaluate", function()
  local x, y = pl.rng(1):randn(6, 5), pl.rng(2):randn(6, 1)

  local function model_of(loss, ...)
    return nn.Sequential { nn.Input { 5 }, ... }:compile { optimizer = "sgd", loss = loss }
  end

  -- A layer with one weight of a number for each input.
  local function layer_of(forward)
    local Layer = nn.Layer:extend("Own", {})
    function Layer:build(shape) self.w = self:weight("w", { shape[#shape] }, "ones") end
    Layer.forward = forward
    return Layer {}
  end

  it("compute what training computes, wherever the weight stands", function()
    for _, forward in ipairs {
      function(self, v) return v * self.w:lt(v):float() + self.w end,
      function(self, v) return v + self.w:expand_as(v) end,
      function(self, v) return self.w:index_select(1, v:argmax(2)):reshape(-1, 1) end,
    } do
      local model = model_of("mse", layer_of(forward), nn.Dense { 1 })
      assert.equal(model:evaluate(x, y).loss, model:train_on_batch(x, y).loss)
      assert.same({ 6, 1 }, model:predict(x):shape())
    end
    local function penalty(w) return w:square():sum():sqrt() * 0.1 end
    local model = model_of("mse", nn.Dense { 3, kernel_regularizer = penalty }, nn.Dense { 1 })
    assert.equal(model:evaluate(x, y).loss, model:train_on_batch(x, y).loss)
  end)

  it("leave the weights as they were, whatever a layer writes", function()
    local model = model_of("mse", layer_of(function(self, v)
      self.w = self.w * 0.5
      return (v * self.w):sum(2, true)
    end))
    local first = model:predict(x)
    model:evaluate(x, y)
    assert.equal(first:tobytes(), model:predict(x):tobytes())
  end)

  -- Few samples go without a tape where all layers are the library's own.
  it("give few samples the bits that they have on a tape", function()
    local few = pl.rng(3):randn(3, 9, 9, 2)
    for _, layers in ipairs {
      { nn.Conv2D { 9, 3, activation = "relu" }, nn.MaxPooling2D {}, nn.Flatten {}, nn.Dropout { 0.5 },
        nn.Dense { 4, activation = "softmax" } },
      { nn.Conv2D { 3, 2, padding = "same", activation = "tanh" }, nn.BatchNormalization {}, nn.ReLU {},
        nn.MaxPooling2D { padding = "same" }, nn.GlobalAveragePooling2D {}, nn.Dense { 2 }, nn.ReLU {} },
      { nn.DepthwiseConv2D { 3 }, nn.GELU {}, nn.Flatten {}, nn.LayerNormalization {}, nn.Dense { 1 } },
      { nn.Conv2D { 4, 3 }, nn.Sequential { nn.Flatten {}, nn.Dense { 2 } } },
    } do
      local model = nn.Sequential { nn.Input { 9, 9, 2 }, table.unpack(layers) }
      local expected = evaluation.infer(model, few):tobytes()
      for _ = 1, 2 do assert.equal(expected, model:predict(few):tobytes()) end
      assert.equal(1, model:predict(few:narrow(1, 2, 1)):size(1))
    end
  end)

  it("let no layer write into what it is given, and give memory of their own", function()
    local function doubled(v) return v:mul_(2) end
    for _, layer in ipairs {
      nn.Activation { doubled }, nn.Dense { 5, activation = doubled },
      layer_of(function(_, v) return v:mul_(2) end),
      layer_of(function(self, v) return v + self.w:mul_(2) end),
    } do
      local model = nn.Sequential { nn.Input { 5 }, layer }
      assert.is_false(pcall(model.predict, model, x))
    end
    local before = x:tobytes()
    nn.Sequential { nn.Input { 5 }, nn.Dropout { 0.5 } }:predict(x):zero_()
    nn.Sequential { nn.Input { 5 }, nn.Flatten {} }:predict(x):zero_()
    assert.equal(before, x:tobytes())
  end)

  it("follow what is changed later, and whatever a class of one's own calls its methods", function()
    local model = nn.Sequential { nn.Input { 5 }, nn.Dense { 3, activation = "tanh" }, nn.Dense { 2 } }
    local Net = nn.Sequential:extend "Net"
    function Net:infer(v) return self:predict(v):argmax(-1) end
    assert.same({ 6 }, Net { nn.Input { 5 }, nn.Dense { 3 } }:infer(x):shape())
    local before = model:predict(x)
    model.layers[1].activate = nn.activations.sigmoid
    assert.is_false(before:equal(model:predict(x)))
    assert.equal(evaluation.infer(model, x):tobytes(), model:predict(x):tobytes())
    local forward, calls = nn.Dense.forward, 0
    nn.Dense.forward = function(...)
      calls = calls + 1
      return forward(...)
    end
    local ok = pcall(model.predict, model, x)
    nn.Dense.forward = forward
    assert.is_true(ok and calls == 2)
  end)

  it("go within a training step, and within each other", function()
    local body = nn.Dense { 4 }
    local features, model = nn.Sequential { nn.Input { 5 }, body }, nil
    local function loss(target, v)
      features:predict(x)
      model:predict(x)
      return (target - v):square():mean()
    end
    model = model_of(loss, body, nn.Dense { 1 })
    local measured = model:evaluate(x, y).loss
    assert.equal(measured, model:train_on_batch(x, y).loss)
    assert.is_true(model:evaluate(x, y).loss < measured)
  end)
end)

describe("LivePlot", function()
  it("draws the measures after every epoch", function()
    local folder, sizes = world.new(), {}
    local path = folder .. "/live/history.png"
    fit(small(), { epochs = 2, callbacks = { pl.callbacks.LivePlot { path }, {
      on_epoch_end = function() sizes[#sizes + 1] = #shell.read(path) end,
    } } })
    assert.equal(2, #sizes)
    assert.is_true(sizes[1] > 5000 and sizes[1] ~= sizes[2])
    world.remove(folder)
  end)
end)

describe("threads", function()
  local threads = pl.threads()
  teardown(function() pl.set_threads(threads) end)

  it("do not change a bit of a training", function()
    local expected, losses
    for _, n in ipairs { 1, 2, 3 } do
      pl.set_threads(n)
      local model = conv(5)
      local history = model:fit(images.train, {
        epochs = 2, verbose = 0, seed = 9, validation_data = images.val, batch_size = 32,
      })
      expected, losses = expected or bits(model), losses or history.history.val_loss
      assert.is_true(expected == bits(model), n .. " threads")
      assert.same(losses, history.history.val_loss)
    end
  end)
end)

describe("a step", function()
  it("leaves nothing behind", function()
    local model, sizes = conv(1), {}
    local count = { on_epoch_end = function()
      collectgarbage()
      collectgarbage()
      sizes[#sizes + 1] = collectgarbage "count"
    end }
    model:fit(images.train, {
      epochs = 40, verbose = 0, batch_size = 24, validation_data = images.val, callbacks = { count },
    })
    assert.is_true(sizes[40] - sizes[2] < 40, ("%.1f kB more after 400 steps"):format(sizes[40] - sizes[2]))
  end)

  it("takes no memory for what it computes but what it took at the first", function()
    local model = convnets.c { padding = "same" }
    model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy" }
    local x, y = pl.rng(1):randn(8, 32, 32, 3), pl.rng(2):randint(1, 11, { 8 })
    for _ = 1, 2 do model:train_on_batch(x, y) end
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    model:train_on_batch(x, y)
    local kilobytes = collectgarbage "count" - before
    collectgarbage "restart"
    assert.is_true(kilobytes < 64, ("%.0f kB"):format(kilobytes)) -- the smallest activation has 128
  end)
end)

-- ---- what is shown, Ctrl-C, not-a-number -----------------------------------------------------------

local HEAD = [[
  local pl = require "perilune"
  local nn, callbacks = pl.nn, pl.callbacks
  local data = pl.data.cifar10{ sample = true, flatten = true, standardize = true }
  local model = nn.Sequential{ nn.Input{3072}, nn.Dense{10, activation = "softmax"} }
  model:compile{ optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"} }
]]

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]*\n" do list[#list + 1] = line end
  return list
end

describe("progress", function()
  it("is a line an epoch in a file, and nothing with verbose = 0", function()
    local out = child.run(HEAD .. [[
      model:fit(data.train.x, data.train.y, { epochs = 2, validation_data = {data.val.x, data.val.y} })
      model:fit(data.train.x, data.train.y, { verbose = 0 })
      model:fit(data.train.x, data.train.y, { verbose = 2 })
    ]])
    local list = lines(out)
    assert.equal(3, #list, out)
    assert.truthy(list[2]:match("^Epoch 2/2  8/8  [%d.]+ m?s  %d+ [mµ]*s/step  loss: %d%.%d%d%d%d  "
      .. "accuracy: 0%.%d%d%d%d  val_loss: %d%.%d%d%d%d  val_accuracy: 0%.%d%d%d%d\n$"), list[2])
  end)

  it("is one line rewritten on a terminal", function()
    local script = HEAD .. [[
      model:fit(data.train.x, data.train.y, { callbacks = { {
        on_batch_end = function() local t = pl.clock() + .06 while pl.clock() < t do end end } } })
    ]]
    shell.in_folder(function(folder)
      shell.write(folder .. "/s.lua", script)
      local command = shell.quote(shell.perilune) .. " " .. shell.quote(folder .. "/s.lua")
      local out = shell.run(("script -qec %s /dev/null"):format(shell.quote(command)))
      if out == "" then return pending "no script(1)" end
      assert.truthy(out:find("\r\27[K" .. "Epoch 1/1  ", 1, true), out)
      assert.truthy(out:find("━", 1, true))
      assert.equal(1, select(2, out:gsub("\n", "")))
    end)
  end)
end)

describe("Ctrl-C", function()
  local script = HEAD .. [[
    local pid = io.open("/proc/self/stat"):read("n")
    local ended
    local history = model:fit(data.train.x, data.train.y, { epochs = 3, verbose = 0, callbacks = { {
      on_batch_end = function(self, step)
        self.n = (self.n or 0) + 1
        if self.n == 11 then io.popen("kill -INT " .. pid):close() end
        if self.n > 11 then print("went on") end
      end,
      on_train_end = function(_, logs) ended = logs.interrupted end,
    } } })
    print(#history.epochs, history.interrupted.epoch, history.interrupted.step, ended.step)
    print(model.optimizer.iterations, model:get_weights()[1]:isfinite():all())
    print((tostring(history):match "interrupted.*"))
    model:fit(data.train.x, data.train.y, { verbose = 0 })
    print(model.optimizer.iterations)
  ]]
  local expected = "1\t2\t3\t3\n11\t1\ninterrupted in epoch 2, step 3\n19\n"

  it("ends fit at the next batch, under the interpreter that runs this", function()
    local out = child.run(script)
    assert.equal(expected, (out:gsub("true", "1")))
  end)

  it("does so in perilune and in lua5.4, in scripts and at the prompt", function()
    shell.in_folder(function(folder)
      shell.write(folder .. "/s.lua", script)
      local path = shell.quote(folder .. "/s.lua")
      assert.equal(expected, ((shell.run(shell.quote(shell.perilune) .. " " .. path)):gsub("true", "1")))
      if not child.asan then
        assert.equal(expected, ((shell.run("lua5.4 " .. path)):gsub("true", "1")))
      end
      local out = shell.run(shell.quote(shell.perilune) .. " -i",
        ("dofile %q\nprint 'the prompt goes on'\n"):format(folder .. "/s.lua"))
      assert.truthy(out:find("the prompt goes on", 1, true), out)
      assert.truthy(out:find("interrupted in epoch 2, step 3\n19\n", 1, true), out)
    end)
  end)

  it("leaves the yields of callbacks to the coroutine that fit runs in", function()
    local model = small()
    local thread = coroutine.wrap(function()
      fit(model, { callbacks = { { on_batch_end = function(_, step) coroutine.yield(step) end } } })
      return "done"
    end)
    for step = 1, 8 do assert.equal(step, thread()) end
    assert.equal("done", thread())
  end)
end)

describe("a loss that is not a number", function()
  local function exploding()
    local Log = nn.Layer:extend("NegativeLog")
    function Log.forward(_, x) return x:log() end -- of negative numbers too
    local model = nn.Sequential {
      nn.Input { 3072 }, nn.Dense { 4 }, Log {}, nn.Dense { 10, activation = "softmax" },
    }
    return model:compile { optimizer = "sgd", loss = "sparse_categorical_crossentropy" }
  end

  it("is traced by TerminateOnNaN to its layer and its batch", function()
    local folder = world.new()
    local path = folder .. "/nan.safetensors"
    local model = exploding()
    local before = bits(model)
    local stop = pl.callbacks.TerminateOnNaN { path, verbose = 0 }
    local history = fit(model, { epochs = 5, callbacks = { stop } })
    assert.same({ epoch = 1, step = 1, where = "layer 2 (negative_log)" }, stop.found)
    assert.equal(1, #history.epochs)
    assert.is_true(before == bits(model)) -- not a step was taken
    local batch, about = assert(pl.load(path))
    assert.same({ 32, 3072 }, batch.x:shape())
    assert.same({ 32 }, batch.y:shape())
    assert.equal("layer 2 (negative_log)", about.where)
    world.remove(folder)
  end)

  it("is also traced to weights that are spoiled", function()
    local model = small()
    model.layers[3].kernel:fill_(0 / 0)
    local stop = pl.callbacks.TerminateOnNaN { false, verbose = 0 }
    fit(model, { callbacks = { stop } })
    assert.equal("layer 3 (dense_1): its weight 'kernel'", stop.found.where)
  end)
end)

describe("mistakes", function()
  local model, x, y = small(), sample.train.x, sample.train.y

  it("are found before training, at the user's line, with a way to mend them", function()
    local fresh = nn.Sequential { nn.Input { 3072 }, nn.Dense { 10, activation = "softmax" } }
    raises(function() fresh:fit(x, y) end, "fit: the model is not compiled; first model:compile{")
    raises(function() fresh:evaluate(x, y) end, "not compiled")
    raises(function() fresh.fit(x, y) end, "fit: expected a model before the arguments, got tensor")
    raises(function() fresh.predict(x) end, "write model:predict(…), with a colon")
    raises(function() fresh.save("x") end, "save: expected a model before the arguments")
    raises(function() fresh:compile { optimizer = "adam" } end, "'loss' is missing")
    raises(function() fresh:compile { loss = "mse", metrics = "accuracy" } end, "'metrics'", "a list")
    raises(function() fresh:compile { loss = "sparse_categorical_crossentrpy" } end, "did you mean")
    raises(function() fresh:compile { loss = "mse", optimiser = "adam" } end, "did you mean 'optimizer'?")
    raises(function() fresh:compile { loss = "mse", optimizer = "adm" } end, "did you mean")

    raises(function() model:fit(x, y, { epoch = 3 }) end, "unknown option", "did you mean 'epochs'?")
    raises(function() model:fit(x, y:narrow(1, 1, 9)) end, "250 and 9")
    raises(function() model:fit(x, y - 1) end, "classes from 1 to 10, got 0 in row",
      "count from 1: give y + 1")
    raises(function() model:fit(x, y + 5) end, "classes from 1 to 10", "10 outputs")
    raises(function() model:fit(x, y:float()) end, "int32", "got tensor {250} float32; y:int()")
    raises(function() model:fit(x, y:reshape(250, 1)) end, "y:reshape(250)")
    raises(function() model:fit(x, pl.zeros(250, 10)) end, "categorical_crossentropy")
    raises(function() model:fit(x) end, "'y'", "got nil")
    raises(function() model:fit(nil, y) end, "'x'", "got nil")
    raises(function() model:fit({ { 1, 2 } }, y) end, "pl.tensor(list)")
    raises(function() model:fit(pl.zeros(0, 3072), pl.zeros({ 0 }, "int32")) end, "at least one sample")
    raises(function() model:fit(x:double(), y) end, "expected float32", "float64; x:float()")
    raises(function() model:fit(x:narrow(2, 1, 3000), y) end, "expected {n, 3072}", "got tensor {250, 3000}")
    raises(function() model:fit(x:reshape(250, 32, 32, 3), y) end, "x:reshape(250, 3072)")
    raises(function() model:predict(x[1]) end, "got tensor {3072} float32", "x:unsqueeze(1)")
  end)

  it("of images name the axes", function()
    local net = conv(1)
    raises(function() net:predict(pl.zeros(32, 32, 3)) end, "x:unsqueeze(1)")
    raises(function() net:predict(pl.zeros(5, 3, 32, 32)) end, "x:permute(1, 3, 4, 2)")
  end)

  it("in the data name the row", function()
    local bad = x:clone()
    bad[{ 7, 5 }] = 0 / 0
    raises(function() model:fit(bad, y) end, "finite numbers, got nan or inf in row 7")
    raises(function() model:evaluate(bad, y) end, "row 7")
    raises(function() model:fit(x, y, { validation_data = { bad, y }, verbose = 0 }) end, "row 7")
  end)

  it("in options are told", function()
    raises(function() model:fit(x, y, { batch_size = 251 }) end,
      "at most the 250 samples that there are, got 251")
    raises(function() model:fit(x, y, { batch_size = 0 }) end, "'batch_size'")
    raises(function() model:fit(x, y, { epochs = -1 }) end, "'epochs'")
    raises(function() model:fit(x, y, { steps_per_epoch = 9 }) end, "'steps_per_epoch'", "1 to 8")
    raises(function() model:fit(x, y, { validation_split = 1 }) end, "'validation_split'")
    raises(function() model:fit(x, y, { validation_split = 0.999 }) end, "none to train on")
    raises(function() model:fit(x, y, { callbacks = { pl.callbacks.EarlyStopping } }) end,
      "write EarlyStopping{")
    raises(function() model:fit(x, y, { callbacks = 3 }) end, "'callbacks'")
    raises(function() model:fit(x, y, { class_weight = { [11] = 1 } }) end, "'class_weight'", "1 to 10")
    raises(function() model:fit(x, y, { sample_weight = { 1, 2 } }) end, "'sample_weight'", "250")
    raises(function() model:fit(x, y, { verbose = 3 }) end, "'verbose'")
    raises(function()
      model:fit(x, y, { callbacks = { pl.callbacks.EarlyStopping { "val_loss" } }, verbose = 0 })
    end, "validation_data")
    raises(function()
      model:fit(x, y, { callbacks = { pl.callbacks.EarlyStopping { "acuracy", mode = "max" } }, verbose = 0 })
    end, "did you mean 'accuracy'?")
    local frozen = small()
    for _, layer in ipairs(frozen.layers) do layer.trainable = false end
    raises(function() frozen:fit(x, y, { verbose = 0 }) end, "every layer is frozen")
    raises(function() model:set_weights {} end, "'list'", "4 tensors")
  end)

  it("in a loss of probabilities after a layer without activation are said", function()
    local numbers, labels = pl.rng(1):randn(6, 3), pl.tensor({ 1, 2, 1, 2, 2, 1 }, "int32")
    local function train(loss, targets, ...)
      local net = nn.Sequential { nn.Input { 3 }, ... }
      return net:compile { loss = loss }:fit(numbers, targets, { verbose = 0 })
    end
    local shares = pl.ones(6, 2) / 2
    for name, case in pairs {
      sparse_categorical_crossentropy = { labels, "softmax", "SparseCategoricalCrossentropy" },
      categorical_crossentropy = { shares, "softmax", "CategoricalCrossentropy" },
      binary_crossentropy = { shares, "sigmoid", "BinaryCrossentropy" },
    } do
      raises(function() train(name, case[1], nn.Dense { 2 }) end, name, "the last layer, dense,",
        ('activation = "%s"'):format(case[2]), ("pl.nn.losses.%s{from_logits = true}"):format(case[3]))
    end
    train("sparse_categorical_crossentropy", labels, nn.Dense { 2, activation = "softmax" })
    train("sparse_categorical_crossentropy", labels, nn.Dense { 2 }, nn.Activation { "softmax" })
    train(nn.losses.SparseCategoricalCrossentropy { from_logits = true }, labels, nn.Dense { 2 })
    train("mse", shares, nn.Dense { 2 })
  end)

  it("in shapes of numbers do not broadcast", function()
    local line = nn.Sequential { nn.Input { 3 }, nn.Dense { 1 } }
    line:compile { loss = "mse" }
    raises(function() line:fit(pl.zeros(8, 3), pl.zeros(8)) end, "{8, 1}", "y:reshape(8, 1)")
    local several = nn.Sequential { nn.Input { 3 }, nn.Dense { 4 } }
    several:compile { loss = "mse" }
    raises(function() several:fit(pl.zeros(8, 3), pl.ones({ 8 }, "int32")) end,
      "sparse_categorical_crossentropy")
  end)
end)
