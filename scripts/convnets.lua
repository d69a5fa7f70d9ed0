-- Problem 2 of the course: convolutional nets in layers, trained on CIFAR-10 as the notebook trains them.
--
--   perilune scripts/convnets.lua [--net a,b,c] [--padding valid,same] [--seeds 1,2,3] [--epochs 100]
--
-- Each run leaves a folder in runs/convnets/ with its curves and its model; results.md there has a line for
-- every run that was ever finished.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local pl = require "perilune"
local console = require "console"
local convnets = require "nets.convnets"
local results = require "convnets.results"

local options = console.options("The course's convolutional nets on CIFAR-10.", {
  { "net", "a,b,c", "which nets" },
  { "padding", "valid", "of the convolutions: valid, same, or both with a comma" },
  { "seeds", "1", "one run for each" },
  { "epochs", 100, "at most; early stopping ends a run" },
  { "data", "", "folder of CIFAR-10's six binary files" },
  { "sample", false, "the committed sample instead of CIFAR-10" },
  { "out", "runs/convnets", "folder for curves, models and the table" },
})

local percent = console.percent

local function list_of(text, known, what)
  local list = {}
  for item in text:gmatch "[^,%s]+" do
    if known and not known[item] or not known and not math.tointeger(tonumber(item)) then
      io.stderr:write(("--%s: '%s' is not known; --help lists the options\n"):format(what, item))
      os.exit(2, true)
    end
    list[#list + 1] = known and item or math.tointeger(tonumber(item))
  end
  return list
end

local nets = list_of(options.net, convnets.notation, "net")
local paddings = list_of(options.padding, { valid = true, same = true }, "padding")
local seeds = list_of(options.seeds, nil, "seeds")

-- Bytes, centred on the mean image and divided by one deviation as they are batched.
local cifar, is_real = require("cifar").load({ dir = options.data, sample = options.sample }, {
  train = 45000, val = 5000, test = 10000, standardize = true, dtype = "uint8",
})
local epochs = is_real and options.epochs or math.min(options.epochs, 3)

-- ---- one run --------------------------------------------------------------------------------------------

local function train(net, padding, seed)
  console.heading(("Net %s, %s padding, seed %d: %s"):format(net, padding, seed, convnets.notation[net]))
  local model = convnets[net] { padding = padding, seed = seed }
  model:summary()
  model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
  local stopper = pl.callbacks.EarlyStopping {
    monitor = "val_accuracy", mode = "max", min_delta = 0.01, patience = 5,
  }
  local start = pl.clock()
  local history = model:fit(cifar.train, {
    epochs = epochs, batch_size = 32, validation_data = cifar.val, seed = seed, callbacks = { stopper },
  })
  local seconds = pl.clock() - start
  local ran = #history.history.loss
  local result = {
    net = net, padding = padding, seed = seed, parameters = (model:count_params()), epochs = ran,
    best_epoch = stopper.best_epoch or ran, seconds_per_epoch = seconds / ran,
  }
  for _, split in ipairs { "train", "val" } do
    result[split] = model:evaluate(cifar[split], { verbose = 0 }).accuracy
  end
  local predicted = model:predict(cifar.test, { verbose = 0 }):argmax(-1)
  result.test = predicted:eq(cifar.test.y):mean()
  local folder = ("%s/%s_%s_%d"):format(options.out, net, padding, seed)
  local title = ("Net %s, %s padding, seed %d: test accuracy %s"):format(net, padding, seed,
    percent(result.test))
  console.must(pl.plot.history(history, { title = title }):save(folder .. "/history.png"))
  console.must(pl.plot.confusion_matrix(cifar.test.y, predicted, cifar.names, { title = title })
    :save(folder .. "/confusion.png"))
  console.must(model:save(folder .. "/model.safetensors"))
  print(("Accuracy with the weights of epoch %d: training %s, validation %s, test %s"):format(
    result.best_epoch, percent(result.train), percent(result.val), percent(result.test)))
  print(("  %s/history.png, confusion.png, model.safetensors"):format(folder))
  return result
end

local done = results.load(options.out)
for _, net in ipairs(nets) do
  for _, padding in ipairs(paddings) do
    for _, seed in ipairs(seeds) do
      local result = train(net, padding, seed)
      if is_real then
        results.add(done, result)
        console.must(results.save(options.out, done))
      end
    end
  end
end

if #done > 0 then
  console.heading "All runs so far"
  print(results.table(done))
  print(("  %s/results.md"):format(options.out))
end
