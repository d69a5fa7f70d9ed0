-- The bench's rows of whole nets: training steps, predictions, threads, the start of a process, its memory.
package.path = "scripts/?.lua;" .. package.path
local pl = require "perilune"
local convnets = require "nets.convnets"
local TwoLayerNet = require "nets.two_layer_net"
local peers = require "tests.bench.peers"
local timing = require "tests.bench.timing"

local nets = {}

local NETS <const> = { { "a", "valid" }, { "b", "valid" }, { "c", "valid" }, { "c", "same" } }

local function model_of(name, padding)
  local model = convnets[name] { padding = padding }
  return model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy" }
end

-- One step of training on 32 images; and its multiply-adds, without the gradient by the images.
local function step_of(name, padding)
  local model, rng = model_of(name, padding), pl.rng(1)
  local x, y = rng:randn(32, 32, 32, 3), rng:randint(1, 11, { 32 })
  local first = model.layers[1]
  local macs = 3 * model:cost() - first:cost(first.input_shape, first.output_shape)
  return function() model:train_on_batch(x, y) end, 32 * macs
end

local function two_layer_step(hidden)
  local steps, rng = 20, pl.rng(1)
  local net = TwoLayerNet { input_size = 3072, hidden_size = hidden, num_classes = 10, rng = rng }
  local x, y = rng:randn(49000, 3072), rng:randint(1, 11, { 49000 })
  local options = { learning_rate = 1e-4, reg = 0.25, num_iters = steps, batch_size = 200 }
  local few, labels = x[{ { 1, 2 } }], y[{ { 1, 2 } }]
  local run = timing.repetition(function() net:train(x, y, few, labels, options) end)
  return function() return run() / steps end, 200 * hidden * (2 * 3072 + 3 * 10)
end

-- A row: our repetition against the peers', in turn.
local function row(title, images, ours, macs, peak, torch, keras, request)
  local list, ways, backend = { ours }, {}, peers.fastest(keras, request)
  if torch then list[#list + 1], ways[#ways + 1] = torch:repetition(request) end
  if backend then
    list[#list + 1] = backend:repetition(request)
    ways[#ways + 1] = function() return backend.name:match " (on .*)$" end
  end
  local taken, ratios = timing.interleaved(list)
  local cells = { title, timing.ms(taken[1]), ("%.0f"):format(images / taken[1]),
    ("%.0f %%"):format(200 * macs / taken[1] / peak) }
  for i, way in ipairs(ways) do
    cells[#cells + 1] = ("%s, %s"):format(timing.ms(taken[i + 1]), way())
    cells[#cells + 1] = ("%.2f×"):format(ratios[i + 1])
  end
  timing.row(table.unpack(cells))
end

-- Columns for the peers that are there.
local function head(title, torch, keras)
  local cells = { title, "ours", "images a second", "of peak" }
  if torch then table.move({ torch.name, "ratio" }, 1, 2, #cells + 1, cells) end
  if keras[1] then table.move({ keras[1].name:match "^%a+ %S+", "ratio" }, 1, 2, #cells + 1, cells) end
  timing.head(table.unpack(cells))
end

--- Training steps: batch 200 and SGD for the two-layer net, 32 and Adam for the others.
function nets.training(peak, torch, keras)
  head("training step", torch, keras)
  for _, hidden in ipairs { 50, 400 } do
    local step, macs = two_layer_step(hidden)
    row(("two-layer net, %d hidden"):format(hidden), 200, step, macs, peak, torch, keras,
      "two_layer " .. hidden)
  end
  for _, net in ipairs(NETS) do
    local step, macs = step_of(net[1], net[2])
    row(("net %s, %s"):format(net[1], net[2]), 32, timing.repetition(step), macs, peak, torch, keras,
      ("step %s %s"):format(net[1], net[2]))
  end
end

--- Predictions: 10,000 images, and one.
function nets.prediction(peak, torch, keras)
  local batch = 100
  for _, images in ipairs { 10000, 1 } do
    head(images == 1 and "prediction of one image" or "prediction of 10,000 images", torch, keras)
    for _, net in ipairs(NETS) do
      local model = model_of(net[1], net[2])
      local x = pl.rng(1):randn(images, 32, 32, 3)
      local options = { batch_size = math.min(batch, images) }
      row(("net %s, %s"):format(net[1], net[2]), images,
        timing.repetition(function() model:predict(x, options) end), images * model:cost(), peak, torch,
        keras, ("predict %s %s %d %d"):format(net[1], net[2], images, batch))
    end
  end
end

--- Every number of threads up to the pool's, in turn.
function nets.threads()
  local all, counts = pl.threads(), {}
  local n = 1
  while n < all do
    counts[#counts + 1], n = n, n * 2
  end
  counts[#counts + 1] = all
  timing.head("training step, threads", "time", "times as fast")
  for _, net in ipairs { { "c", "valid" }, { "c", "same" } } do
    local step, list = step_of(net[1], net[2]), {}
    for i, count in ipairs(counts) do
      list[i] = function()
        pl.set_threads(count)
        return timing.repetition(step)()
      end
    end
    local taken, ratios = timing.interleaved(list)
    pl.set_threads(all)
    for i, count in ipairs(counts) do
      timing.row(("net %s, %s, %d"):format(net[1], net[2], count), timing.ms(taken[i]),
        ("%.2f×"):format(1 / ratios[i]))
    end
  end
end

-- A process that trains some steps: how long it took, and its memory at its highest, in MB.
local function process(command)
  local start = pl.clock()
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local kilobytes = pipe:read "n"
  pipe:close()
  return pl.clock() - start, assert(kilobytes, command .. " failed") / 1024
end

-- A row of processes: ours, and the peer's when there is one.
local function process_row(title, values, text, ratio)
  local cells = { title, text:format(values[1]) }
  if values[2] then
    cells[3], cells[4] = text:format(values[2]), ratio:format(values[2] / values[1])
  end
  timing.row(table.unpack(cells))
end

--- From a process's start to its first step of net a; its memory while it trains net c.
---@param torch Peer?
function nets.processes(torch)
  local programs = { (os.getenv "PERILUNE" or "build/bin/perilune") .. " tests/bench/first_steps.lua",
    torch and torch.python .. " tests/bench/peer_torch.py" }
  local memory, list = {}, {}
  for i, program in ipairs(programs) do
    local function train(net, padding, steps)
      return process(("%s %s %s data/sample/data_batch_1.bin %d"):format(program, net, padding, steps))
    end
    list[i] = function() return (train("a", "valid", 1)) end
    list[i]()
    memory[i] = select(2, train("c", "same", 20))
  end
  if torch then
    timing.head("a process that trains", "ours", torch.name, "ratio")
  else
    timing.head("a process that trains", "ours")
  end
  local taken = timing.interleaved(list)
  for i in ipairs(taken) do taken[i] = taken[i] * 1e3 end
  process_row("start to first step of net a", taken, "%.1f ms", "%.0f×")
  process_row("memory, 20 steps of net c, same", memory, "%.0f MB", "%.1f×")
end

return nets
