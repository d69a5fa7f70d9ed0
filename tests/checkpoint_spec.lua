-- Models and trainings in files: what is saved comes back, damage is found, and a training that is killed
-- goes on to the same bits.
local child = require "tests.child"
local core = require "perilune.core"
local pl = require "perilune"
local shell = require "tests.shell"
local world = require "tests.world"
local nn, raises, refused = pl.nn, world.raises, world.refused

local temp
setup(function() temp = world.new() end)
teardown(function() world.remove(temp) end)

local sample = assert(pl.data.cifar10 { sample = true, flatten = true, standardize = true })
local x, y = sample.train.x, sample.train.y

local Swing = nn.Layer:extend("Swing", { "width", gain = 1 })
function Swing:build(shape) self.scale = self:weight("scale", { shape[#shape] }, "ones") end
function Swing:forward(input) return (input * self.scale):sin() * (self.gain * self.width) end

local function make(options)
  local model = nn.Sequential {
    nn.Input { 3072 }, nn.Dense { 16, activation = "relu", kernel_regularizer = nn.regularizers.L2 { 1e-4 } },
    nn.Residual { nn.Dense { 16, kernel_initializer = "he_normal" }, nn.Dropout { 0.25 } }, Swing { 2,
      gain = 0.5 },
    nn.Dense { 10, activation = "softmax" }, seed = 4,
  }
  model:layer(1).trainable = not (options and options.frozen)
  return model:compile {
    optimizer = pl.optim.Adam { learning_rate = 2e-3, clipnorm = 1 },
    loss = nn.losses.SparseCategoricalCrossentropy { label_smoothing = 0.1 },
    metrics = { "accuracy", nn.metrics.SparseTopKCategoricalAccuracy { 3 } },
  }
end

local function bits(model)
  local list = {}
  for i, tensor in ipairs(model:get_weights()) do list[i] = tensor:tobytes() end
  return core.md5(table.concat(list))
end

local function fit(model, options)
  options.verbose = 0
  return model:fit(x, y, options)
end

describe("a saved model", function()
  it("comes back whole, and trains on to the same bits", function()
    local model, path = make(), temp .. "/folder/model.safetensors"
    fit(model, { epochs = 2, seed = 3 })
    assert.is_true(model:save(path))
    assert.equal("model.safetensors\n", world.list(temp .. "/folder"))
    local loaded = assert(pl.load(path))
    assert.equal(bits(model), bits(loaded))
    assert.is_true(model:predict(x):equal(loaded:predict(x)))
    assert.same(model:evaluate(x, y), loaded:evaluate(x, y))
    assert.equal(2e-3, loaded.optimizer.learning_rate)
    assert.equal(1, loaded.optimizer.clipnorm)
    assert.equal(0.1, loaded.loss.label_smoothing)
    assert.equal("sparse_top_k_categorical_accuracy", loaded.metrics[2].name)
    fit(model, { epochs = 2 })
    fit(loaded, { epochs = 2 })
    assert.equal(bits(model), bits(loaded))
    assert.equal(model:summary { print = false }, loaded:summary { print = false })
  end)

  it("keeps what is frozen frozen", function()
    local model, path = make { frozen = true }, temp .. "/frozen.safetensors"
    assert.is_true(model:save(path))
    assert.is_false(assert(pl.load(path)):layer(1).trainable)
  end)

  it("can leave the training's state out", function()
    local model, path = make(), temp .. "/lean.safetensors"
    fit(model, {})
    assert.is_true(model:save(path))
    local large = core.file_size(path)
    assert.is_true(model:save(path, { optimizer = false }))
    assert.is_true(core.file_size(path) < large / 2)
    local loaded = assert(pl.load(path))
    assert.equal(bits(model), bits(loaded))
    assert.equal(0, loaded.optimizer.iterations)
  end)

  it("is weights by their paths, to any reader of safetensors", function()
    local model, path = make(), temp .. "/names.safetensors"
    assert.is_true(model:save(path))
    local tensors, metadata = require("perilune.data.safetensors").load(path)
    assert.is_true(tensors["dense/kernel"]:equal(model:layer(1).kernel))
    assert.is_truthy(tensors["residual/dense/bias"])
    assert.truthy(metadata["perilune.model"]:find '"class_name":"Sequential"')
  end)

  it("saves though its loss is a function, which is then to be compiled anew", function()
    local model, path = make(), temp .. "/function.safetensors"
    model:compile { loss = function(_, y_pred) return y_pred:square():mean() end }
    fit(model, {})
    assert.is_true(model:save(path))
    local loaded = assert(pl.load(path))
    assert.equal(bits(model), bits(loaded))
    raises(function() loaded:fit(x, y) end, "not compiled")
  end)

  it("is not saved where it cannot be", function()
    local model = make()
    refused((model:save(world.put(temp, "plain", "x") .. "/a")), select(2, model:save(temp .. "/plain/a")),
      "plain")
    raises(function() model:save() end, "'path'")
    raises(function() model:save("a", { optimiser = true }) end, "did you mean 'optimizer'?")
    raises(function() nn.Sequential { nn.Dense { 2 } }:save("a") end, "no weights yet")
  end)
end)

describe("weights", function()
  it("are saved and loaded by name", function()
    local a, b, path = make(), make():reset(9), temp .. "/w.safetensors"
    assert.is_false(bits(a) == bits(b))
    assert.is_true(a:save_weights(path))
    assert.is_true(b:load_weights(path))
    assert.equal(bits(a), bits(b))
    assert.same({ 3072, 16 }, assert(pl.load(path))["dense/kernel"]:shape())
    assert.is_true(a:save(path))
    assert.is_true(b:reset(9):load_weights(path))
    assert.equal(bits(a), bits(b))
  end)

  it("that do not fit are refused by name, and change nothing", function()
    local path = temp .. "/other.safetensors"
    local other = nn.Sequential { nn.Input { 3072 }, nn.Dense { 17 } }
    assert.is_true(other:save_weights(path))
    local model = make()
    local before = bits(model)
    local ok, message = model:load_weights(path)
    refused(ok, message, path .. ": ", "'dense/kernel'", "{3072, 16}", "{3072, 17}")
    ok, message = other:load_weights(temp .. "/nowhere")
    refused(ok, message, temp .. "/nowhere: ")
    assert.is_true(pl.save(path, { ["dense/kernle"] = pl.zeros(3072, 16) }))
    ok, message = model:load_weights(path)
    refused(ok, message, path .. ": ", "'dense/kernel' is not in it", "'dense/kernle'")
    assert.equal(before, bits(model))
  end)
end)

describe("a file of a model", function()
  local path, content

  setup(function()
    local model = nn.Sequential { nn.Input { 6 }, nn.Dense { 5, activation = "relu" }, nn.Dense { 3 } }
    model:compile { loss = "mse", optimizer = "adam" }
    model:fit(pl.ones(4, 6), pl.ones(4, 3), { verbose = 0 })
    path = temp .. "/tiny.safetensors"
    assert(model:save(path))
    content = shell.read(path)
  end)

  it("is refused when cut anywhere", function()
    for i = 0, 199 do
      local cut = world.put(temp, "cut.safetensors", content:sub(1, #content * i // 200))
      local got, message = pl.load(cut)
      refused(got, message, cut .. ": ")
    end
  end)

  it("is refused when any bit of it is flipped", function()
    for _, bit in ipairs(pl.rng(2):randint(0, 8 * #content, 1000):totable()) do
      local at = bit // 8 + 1
      local byte = string.char(content:byte(at) ~ (1 << bit % 8))
      local bad = world.put(temp, "flip.safetensors", content:sub(1, at - 1) .. byte .. content:sub(at + 1))
      local got, message = pl.load(bad)
      refused(got, message, bad .. ": ")
    end
  end)

  it("is refused when it holds something else than it says", function()
    local tensors, metadata = require("perilune.data.safetensors").load(path)
    local function with(changes, key, text)
      local t, m = {}, {}
      for name, tensor in pairs(tensors) do t[name] = tensor end
      for name, tensor in pairs(changes) do t[name] = tensor or nil end
      for name, value in pairs(metadata) do m[name] = value end
      if key then m[key] = text end
      assert(pl.save(temp .. "/odd.safetensors", t, m))
      return pl.load(temp .. "/odd.safetensors")
    end
    assert.is_truthy(with {})
    for _, case in ipairs {
      { { { ["dense/bias"] = false } }, "'dense/bias' is not in it" },
      { { { ["dense/bias"] = pl.zeros(6) } }, "'dense/bias'", "{5}", "{6}" },
      { { {}, "perilune.model", "{" }, "model cannot be read" },
      { { {}, "perilune.model", "[]" }, "" },
      { { {}, "perilune.model", '{"class_name":"Sequential","config":{"layers":3}}' }, "" },
      { { {}, "perilune.model", '{"class_name":"os.exit","config":{}}' }, "os.exit" },
      { { {}, "perilune.training", "7" }, "training cannot be read" },
      { { {}, "perilune.training", "{}" }, "" },
      { { {}, "perilune.training", '{"generators":{"layers":{},"shuffler":"x"}}' }, "" },
      { { {}, "perilune.training", '{"generators":{"$tensor":"none"}}' }, "tensor 'none' is missing" },
      { { {}, "perilune.compile", '{"optimizer":{"class":"Adam"},"metrics":[],"loss":{"class_name":"x"}}' },
        "x" },
      { { {}, "perilune.compile", '{"optimizer":{"class":"Adm"},"metrics":[]}' }, "Adm" },
    } do
      local got, message = with(table.unpack(case[1]))
      refused(got, message, temp .. "/odd.safetensors: ", table.unpack(case, 2))
    end
  end)

  it("names the class of a layer that is not defined, and what to do", function()
    local model, own = make(), temp .. "/own.safetensors"
    assert.is_true(model:save(own))
    local out = child.run(([[
      local pl = require "perilune"
      print(select(2, pl.load %q))
    ]]):format(own))
    assert.truthy(out:find(own .. ": ", 1, true), out)
    assert.truthy(out:find('"Swing"', 1, true), out)
    assert.truthy(out:find("require the script", 1, true), out)
  end)
end)

describe("a training that is killed", function()
  local SCRIPT = [[
    local folder = %q
    local pl = require "perilune"
    local nn, callbacks = pl.nn, pl.callbacks
    local data = pl.data.cifar10{ sample = true, standardize = true, dtype = "uint8" }
    local model = nn.Sequential{
      nn.Input{32, 32, 3}, nn.AveragePooling2D{4}, nn.Conv2D{6, 3, activation = "relu"}, nn.Flatten{},
      nn.Dropout{0.3}, nn.Dense{10, activation = "softmax"},
    }
    model:compile{ optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"} }
    local history = model:fit(data.train, {
      epochs = 40, batch_size = 16, seed = 5, verbose = 0, validation_data = data.val, callbacks = {
        callbacks.BackupAndRestore{ folder .. "/backup.safetensors", save_freq = 5, verbose = 0 },
        callbacks.EarlyStopping{ "val_loss", patience = 30, verbose = 0 },
        callbacks.ReduceLROnPlateau{ "loss", patience = 1, min_delta = .02, factor = .9, verbose = 0 },
        callbacks.CSVLogger{ folder .. "/log.csv" },
      },
    })
    local parts = {}
    for i, tensor in ipairs(model:get_weights()) do parts[i] = tensor:tobytes() end
    for _, name in ipairs{ "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate" } do
      for i, value in ipairs(history.history[name]) do parts[#parts + 1] = ("%%d %%a"):format(i, value) end
    end
    for line in io.lines(folder .. "/log.csv") do parts[#parts + 1] = line:match "^(.*)," end
    print(#history.epochs, require("perilune.core").md5(table.concat(parts)))
  ]]

  it("goes on to the same bits, each of 20 times", function()
    local whole, ok = child.run(SCRIPT:format(temp .. "/whole" ))
    if not ok then -- the folder is made by the backup
      error(whole)
    end
    local folder, random = temp .. "/killed", pl.rng(20)
    local kills, ends = 0, 0
    while kills < 20 or ends == 0 do
      local limit = kills < 20 and ("timeout -s KILL %.3f"):format(random:uniform(0.06, 0.5)) or ""
      local out, finished = child.run(SCRIPT:format(folder), limit)
      if finished then
        assert.equal(whole, out)
        assert.is_nil((core.file_size(folder .. "/backup.safetensors")))
        ends = ends + 1
      else
        out = out:gsub("Killed\n", "")
        if out ~= "" then assert.equal(whole, out) end -- killed as it left
        kills = kills + 1
      end
    end
  end)

  it("does not go on from a backup that is damaged, or another training's", function()
    local path = temp .. "/backup.safetensors"
    local function train(model, options)
      options.callbacks = { pl.callbacks.BackupAndRestore { path, delete_checkpoint = false, verbose = 0 } }
      return fit(model, options)
    end
    train(make(), { epochs = 1 })
    raises(function() train(make(), { epochs = 2, batch_size = 10 }) end, "batches of 32", "batches of 10",
      "remove it")
    local other = nn.Sequential { nn.Input { 3072 }, nn.Dense { 10, activation = "softmax" } }
    other:compile { loss = "sparse_categorical_crossentropy" }
    raises(function() train(other, { epochs = 2 }) end, path, "'dense/kernel'")
    shell.write(path, shell.read(path):sub(1, -2))
    raises(function() train(make(), { epochs = 2 }) end, path, "remove it to start anew")
    assert(make():save(path))
    raises(function() train(make(), { epochs = 2 }) end, "no backup of a training")
  end)

  it("goes on from one that was made in the middle of an epoch", function()
    local path = temp .. "/middle.safetensors"
    local function train(stop_at)
      local model, steps = make(), 0
      local stop = { on_batch_end = function()
        steps = steps + 1
        if steps == stop_at then error "killed" end
      end }
      local backup = pl.callbacks.BackupAndRestore { path, save_freq = 3, verbose = 0 }
      local ok = pcall(fit, model, { epochs = 3, seed = 1, callbacks = { backup, stop } })
      return model, backup, ok
    end
    local whole = train(nil)
    local _, _, ok = train(14) -- in epoch 2, after the backup of its step 3
    assert.is_false(ok)
    local model, backup = train(nil)
    assert.same({ epoch = 1, step = 3 }, backup.resumed)
    assert.equal(bits(whole), bits(model))
    assert.equal(3, #model.history.epochs)
    for i = 1, 3 do assert.equal(whole.history.history.loss[i], model.history.history.loss[i]) end
  end)
end)

describe("ModelCheckpoint", function()
  it("keeps the earlier file until the new one is complete", function()
    local path = temp .. "/best/model.safetensors"
    local model = make()
    fit(model, { epochs = 3, callbacks = {
      pl.callbacks.ModelCheckpoint { path },
    } })
    local loaded = assert(pl.load(path))
    assert.equal(8 * 3, loaded.optimizer.iterations)
    assert.equal(bits(model), bits(loaded))
    assert.equal("model.safetensors\n", world.list(temp .. "/best"))
  end)
end)
