-- Callbacks, told of trainings that did not happen: values are fed to them epoch by epoch.
local child = require "tests.child"
local pl = require "perilune"
local shell = require "tests.shell"
local world = require "tests.world"
local callbacks = pl.callbacks
local raises = world.raises

local temp

setup(function() temp = world.new() end)
teardown(function() world.remove(temp) end)

--- A model whose one weight is the number of the epoch.
local function stand_in(rate)
  local model = { weight = 0, stop_training = false, optimizer = { learning_rate = rate or 0.1 } }
  function model:get_weights() return { self.weight } end
  function model:set_weights(list) self.weight = list[1] end
  return model
end

--- Feeds a measure to callbacks until one stops the training; returns the last epoch.
local function replay(list, values, model, name)
  name = name or "val_accuracy"
  model = model or stand_in()
  local function tell(event, ...)
    for _, callback in ipairs(list) do
      if callback[event] then callback[event](callback, ...) end
    end
  end
  for _, callback in ipairs(list) do
    callback.model, callback.params = model, { metrics = { "loss", "accuracy", name }, steps = 3 }
  end
  model.stop_training = false
  tell("on_train_begin", {})
  local last = 0
  for epoch, value in ipairs(values) do
    tell("on_epoch_begin", epoch, {})
    model.weight, last = epoch, epoch
    tell("on_epoch_end", epoch, { [name] = value, loss = 1 / epoch })
    if model.stop_training then break end
  end
  tell("on_train_end", {})
  return last, model
end

describe("EarlyStopping", function()
  local nets = { -- the course's own trainings: values, last epoch, best epoch
    a = { { .5502, .5960, .6026, .6202, .6274, .6184, .6182, .6226, .6154, .99 }, 9, 5 },
    b = { { .6166, .6568, .6848, .6802, .7046, .7040, .7012, .7080, .7122, .7088, .99 }, 10, 9 },
    c = {
      { .6032, .6724, .7030, .7250, .7132, .7402, .7476, .7514, .7560, .7556, .7492, .7638, .7732, .7744,
        .7686,
        .7678, .7682, .7672, .7774, .99 }, 19, 19,
    },
  }
  local function stopper(options)
    local all = {
      monitor = "val_accuracy", mode = "max", min_delta = .01, patience = 5, verbose = 0,
    }
    for key, value in pairs(options or {}) do all[key] = value end
    return callbacks.EarlyStopping(all)
  end

  it("stops where Keras stopped, and returns to the truly best epoch", function()
    local same = stopper()
    for name, net in pairs(nets) do
      for _, each in ipairs { stopper(), same } do -- an object can be used again
        local last, model = replay({ each }, net[1])
        assert.equal(net[2], last, name)
        assert.equal(net[2], each.stopped_epoch)
        assert.equal(net[3], each.best_epoch)
        assert.equal(net[3], model.weight)
        assert.equal(net[1][net[3]], each.best)
      end
    end
  end)

  it("leaves the weights alone when asked to, and after Ctrl-C", function()
    local _, model = replay({ stopper { restore_best_weights = false } }, nets.a[1])
    assert.equal(9, model.weight)
    local each = stopper()
    local mine = { on_train_end = function() each:on_train_end { interrupted = { epoch = 10,
      step = 1 } } end }
    model = select(2, replay({ mine, each }, { .5, .4, .3 }))
    assert.equal(3, model.weight)
  end)

  it("restores the best weights when the epochs run out", function()
    local last, model = replay({ stopper() }, { .5, .6, .55 })
    assert.equal(3, last)
    assert.equal(2, model.weight)
  end)

  it("goes down for losses, and knows a direction by its name", function()
    local each = callbacks.EarlyStopping { patience = 2, verbose = 0 }
    assert.equal(4, (replay({ each }, { 1, .5, .6, .7, .4 }, nil, "val_loss")))
    assert.equal(2, each.best_epoch)
    each = callbacks.EarlyStopping { "accuracy", patience = 1, verbose = 0 }
    assert.equal("max", each.direction)
    raises(function() callbacks.EarlyStopping { monitor = "val_thing" } end, "'mode'", "val_thing")
  end)

  it("counts as Keras counts: baseline, start_from_epoch, patience 0, not-a-number", function()
    -- Beating the own best renews patience only above the baseline.
    assert.equal(4, (replay({ stopper { patience = 3, baseline = .9, min_delta = 0 } },
      { .1, .2, .3, .3, .4 })))
    -- The first two epochs do not count, nor can the second be the best.
    local late = stopper { patience = 2, start_from_epoch = 2, min_delta = 0 }
    assert.equal(5, (replay({ late }, { .1, .9, .3, .2, .2, .2, .2 })))
    assert.equal(3, late.best_epoch)
    assert.equal(3, (replay({ stopper { patience = 0, min_delta = 0 } }, { .1, .2, .2, .3 })))
    assert.equal(2, (replay({ stopper { patience = 0, min_delta = 0 } }, { .2, .1, .2 })))
    local nan = stopper { patience = 2 }
    assert.equal(3, (replay({ nan }, { .1, 0 / 0, 0 / 0, .5 })))
    assert.equal(1, nan.best_epoch)
  end)

  it("says which epoch it returns to", function()
    local out = child.run [[
      local pl = require "perilune"
      local model = { get_weights = function() return {} end, set_weights = function() end }
      local s = pl.callbacks.EarlyStopping{ "val_accuracy", patience = 1 }
      s.model, s.params = model, { metrics = { "val_accuracy" } }
      s:on_train_begin()
      s:on_epoch_end(1, { val_accuracy = .5 })
      s:on_epoch_end(2, { val_accuracy = .4 })
      s:on_train_end{}
    ]]
    assert.equal("EarlyStopping: stopped after epoch 2; "
      .. "the weights are those of epoch 1 (val_accuracy 0.5000)\n", out)
  end)

  it("refuses a measure that nobody takes", function()
    raises(function() replay({ stopper { monitor = "val_acuracy" } }, { 1 }) end,
      "did you mean 'val_accuracy'?")
    raises(function() replay({ stopper { monitor = "val_loss" } }, { 1 }, nil, "x") end, "validation_data")
    raises(function() callbacks.EarlyStopping { patiense = 3 } end, "did you mean 'patience'?")
    raises(function() callbacks.EarlyStopping { patience = -1 } end, "'patience'")
  end)
end)

describe("ReduceLROnPlateau", function()
  it("reduces, cools down, and stops at min_lr, as Keras does", function()
    local each = callbacks.ReduceLROnPlateau {
      "val_loss", factor = 0.5, patience = 2, cooldown = 1, min_lr = 0.03, verbose = 0,
    }
    local rates, model = {}, stand_in(0.1)
    local watch = { on_epoch_end = function() rates[#rates + 1] = model.optimizer.learning_rate end }
    replay({ each, watch }, { 1, .5, .5, .49995, .5, .5, .5, .5, .5, .5, .1, .2 }, model, "val_loss")
    -- Epochs 3 and 4 do not improve by more than 1e-4; after each cut one epoch does not count.
    assert.same({ .1, .1, .1, .05, .05, .03, .03, .03, .03, .03, .03, .03 }, rates)
    model.optimizer.learning_rate = function() end
    raises(function() replay({ each }, { 1 }, model, "val_loss") end, "learning_rate", "schedule")
  end)
end)

describe("LearningRateScheduler", function()
  it("sets the rate before each epoch, counted from 1", function()
    local model, seen = stand_in(1), {}
    local each = callbacks.LearningRateScheduler {
      function(epoch, rate)
        seen[epoch] = rate
        return rate / 2
      end,
    }
    replay({ each }, { 1, 1, 1 }, model)
    assert.same({ 1, .5, .25 }, seen)
    assert.equal(.125, model.optimizer.learning_rate)
    raises(function() replay({ callbacks.LearningRateScheduler { function() end } }, { 1 }) end, "'schedule'")
    raises(function() callbacks.LearningRateScheduler { 3 } end, "'schedule'", "a function")
  end)
end)

describe("CSVLogger", function()
  it("goes back to a state, whatever became of its file since", function()
    local path = temp .. "/back.csv"
    local function after(content)
      local file = assert(io.open(path, "w"))
      assert(file:write(content))
      file:close()
      local log = callbacks.CSVLogger { path }
      log.params = { metrics = { "loss" } }
      log:load_state { bytes = #"epoch,loss\n1,0.5\n" }
      log:on_epoch_end(2, { loss = 0.25 })
      log:on_train_end()
      return shell.read(path)
    end
    assert.equal("epoch,loss\n1,0.5\n2,0.25\n", after("epoch,loss\n1,0.5\n2,0.75\n3,0.5\n"))
    assert.equal("epoch,loss\n1,0.5\n2,0.25\n", after("epoch,loss\n1,0.5\n"))
    assert.equal("epoch,loss\n2,0.25\n", after(""))
  end)

  it("writes a line an epoch, anew or behind what is there", function()
    local path = temp .. "/log/a.csv"
    replay({ callbacks.CSVLogger { path } }, { .5, .25 })
    assert.equal("epoch,loss,accuracy,val_accuracy\n1,1,,0.5\n2,0.5,,0.25\n", shell.read(path))
    replay({ callbacks.CSVLogger { path, append = true } }, { .125 })
    assert.equal("epoch,loss,accuracy,val_accuracy\n1,1,,0.5\n2,0.5,,0.25\n1,1,,0.125\n", shell.read(path))
    replay({ callbacks.CSVLogger { path, separator = ";" } }, { .5 })
    assert.equal("epoch;loss;accuracy;val_accuracy\n1;1;;0.5\n", shell.read(path))
  end)

  it("goes on where its state was kept", function()
    local path, state = temp .. "/b.csv", nil
    local each = callbacks.CSVLogger { path }
    replay({ each, { on_epoch_end = function(_, epoch) if epoch == 1 then state = each:state() end end } },
      { .5, .4 })
    local later = callbacks.CSVLogger { path }
    later.params = { metrics = { "loss" } }
    later:load_state(state)
    later:on_epoch_end(2, { loss = .5, val_accuracy = .3 })
    later:on_train_end()
    assert.equal("epoch,loss,accuracy,val_accuracy\n1,1,,0.5\n2,0.5,,0.3\n", shell.read(path))
  end)
end)

describe("ModelCheckpoint", function()
  local saved
  local function saver()
    local model = stand_in()
    saved = {}
    function model.save(_, path) saved[#saved + 1] = path return true end
    function model.save_weights(_, path) saved[#saved + 1] = "weights " .. path return true end
    return model
  end

  it("fills in epoch and measures", function()
    replay({ callbacks.ModelCheckpoint { "m-{epoch}" } }, { .5, .25 }, saver())
    assert.same({ "m-1", "m-2" }, saved)
    replay({ callbacks.ModelCheckpoint { "{epoch:03d}-{val_accuracy:.2f}-{loss}",
      save_weights_only = true } },
      { .512 }, saver())
    assert.same({ "weights 001-0.51-1" }, saved)
    raises(function() replay({ callbacks.ModelCheckpoint { "{val_acuracy}" } }, { 1 }) end, "val_accuracy")
  end)

  it("keeps the best only, also against a threshold", function()
    local best = callbacks.ModelCheckpoint { "{epoch}", monitor = "val_accuracy", save_best_only = true }
    replay({ best }, { .5, .4, .6, .6, .7 }, saver())
    assert.same({ "1", "3", "5" }, saved)
    assert.equal(.7, best.best)
    replay({ callbacks.ModelCheckpoint {
      "{epoch}", monitor = "val_accuracy", save_best_only = true, initial_value_threshold = .55,
    } }, { .5, .4, .6 }, saver())
    assert.same({ "3" }, saved)
  end)
end)

describe("callbacks of one's own", function()
  it("are tables of functions, LambdaCallback, or classes", function()
    local heard = {}
    local lambda = callbacks.LambdaCallback {
      on_epoch_end = function(epoch, logs) heard[#heard + 1] = { epoch, logs.val_accuracy } end,
    }
    replay({ lambda }, { .5, .6 })
    assert.same({ { 1, .5 }, { 2, .6 } }, heard)
    raises(function() callbacks.LambdaCallback { on_epoch_ends = print } end, "did you mean 'on_epoch_end'?")
    raises(function() callbacks.LambdaCallback { on_epoch_end = 1 } end, "a function")
    local Mine = callbacks.Callback:extend("Mine", { "size", colour = "red" })
    local mine = Mine { 3 }
    assert.equal(3, mine.size)
    assert.equal("red", mine.colour)
    assert.equal("Mine", tostring(mine))
    assert.equal(4, Mine(4).size)
    raises(function() Mine { color = 1 } end, "did you mean 'colour'?")
  end)
end)
