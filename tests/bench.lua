-- make bench: how fast, as ratios taken in this one run. Against the machine's own peak of multiply-adds,
-- and, where PEER_PYTHON names a Python that has torch, against PyTorch: the two in turn, A B A B, the median
-- of the repetitions. Prints a table and writes it to runs/bench.md.
local core = require "perilune.core"
local pl = require "perilune"
package.path = "scripts/?.lua;" .. package.path
local TwoLayerNet = require "nets.two_layer_net"

local REPETITIONS <const>, STEPS <const> = 5, 50

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Seconds of one call: the median of runs that last at least 20 ms each.
local function seconds(f)
  local calls = 1
  while true do
    local start = pl.clock()
    for _ = 1, calls do f() end
    local taken = pl.clock() - start
    if taken > 0.02 then break end
    calls = math.max(calls + 1, math.floor(calls * 0.025 / math.max(taken, 1e-6)))
  end
  local runs = {}
  for i = 1, REPETITIONS do
    local start = pl.clock()
    for _ = 1, calls do f() end
    runs[i] = (pl.clock() - start) / calls
  end
  return median(runs)
end

local function processor()
  for line in io.lines "/proc/cpuinfo" do
    local name = line:match "^model name%s*:%s*(.+)$"
    if name then return name end
  end
  return "an unknown processor"
end

local function measure_peak()
  local rounds = 2000000
  return core.peak(rounds) / seconds(function() core.peak(rounds) end)
end

local report = {}
local function say(format, ...)
  local line = format:format(...)
  report[#report + 1] = line
  print(line)
end

local peak = measure_peak()
say("# Bench\n")
say("%s, %d threads, %s; peak %.0f GFLOP/s in float32 multiply-adds, measured in this run.\n",
  processor(), pl.threads(), pl.isa(), peak / 1e9)

say("| operation | time | rate | of peak |\n|---|---:|---:|---:|")
for _, shape in ipairs { { 200, 3072, 50 }, { 200, 3072, 400 }, { 1000, 1000, 1000 } } do
  local m, k, n = table.unpack(shape)
  local a, b, g = pl.ones(m, k), pl.ones(k, n), pl.ones(m, n)
  local products = {
    [("(%d×%d)·(%d×%d)"):format(m, k, k, n)] = function() return a:matmul(b) end,
    [("(%d×%d)ᵀ·(%d×%d)"):format(m, k, m, n)] = function() return a:t():matmul(g) end,
  }
  for name, product in pairs(products) do
    local taken = seconds(product)
    local rate = 2 * m * k * n / taken
    say("| %s | %.3f ms | %.0f GFLOP/s | %.0f %% |", name, taken * 1e3, rate / 1e9, 100 * rate / peak)
  end
end
local a, b = pl.ones(1000, 1000), pl.ones(1000, 1000)
local passes = {
  { "a + b", 12, function() return a + b end }, { "a:add_(b)", 12, function() return a:add_(b) end },
  { "a:exp()", 8, function() return a:exp() end }, { "a:sum(1)", 4, function() return a:sum(1) end },
  { "a:sum(2)", 4, function() return a:sum(2) end }, { "a:softmax()", 8, function() return a:softmax() end },
}
for _, row in ipairs(passes) do
  local name, bytes, f = table.unpack(row)
  local taken = seconds(f)
  say("| %s, 1000×1000 | %.3f ms | %.1f GB/s | |", name, taken * 1e3, bytes * 1e6 / taken / 1e9)
end

-- ---- the two-layer net's training step -----------------------------------------------------------

local function our_step(hidden)
  local rng = pl.rng(1)
  local net = TwoLayerNet { input_size = 3072, hidden_size = hidden, num_classes = 10, rng = rng }
  local x, y = rng:randn(49000, 3072), rng:randint(1, 11, { 49000 })
  local options = { learning_rate = 1e-4, reg = 0.25, num_iters = STEPS, batch_size = 200 }
  local few = x[{ { 1, 2 } }]
  net:train(x, y, few, y[{ { 1, 2 } }], options)
  return function()
    local start = pl.clock()
    net:train(x, y, few, y[{ { 1, 2 } }], options)
    return (pl.clock() - start) / STEPS
  end
end

local function peer_step(python, hidden)
  local pipe = assert(io.popen(("%s tests/bench_peer.py %d %d"):format(python, hidden, STEPS)))
  local name, taken = pipe:read("l", "n")
  assert(pipe:close() and taken, "PEER_PYTHON could not run tests/bench_peer.py")
  return taken, name
end

local python = os.getenv "PEER_PYTHON"
say "\n| training step, batch 200 | ours | images a second | of peak | peer | ratio |"
say "|---|---:|---:|---:|---:|---:|"
for _, hidden in ipairs { 50, 400 } do
  local step, ours, peers, ratios, peer_name = our_step(hidden), {}, {}, {}, "none"
  for i = 1, REPETITIONS do
    ours[i] = step()
    if python then
      peers[i], peer_name = peer_step(python, hidden)
      ratios[i] = peers[i] / ours[i]
    end
  end
  local flops = 200 * 2 * hidden * (2 * 3072 + 3 * 10)
  say("| two-layer net, %d hidden | %.3f ms | %.0f | %.0f %% | %s | %s |", hidden, median(ours) * 1e3,
    200 / median(ours), 100 * flops / median(ours) / peak,
    python and ("%s %.3f ms"):format(peer_name, median(peers) * 1e3) or "none",
    python and ("%.2f×"):format(median(ratios)) or "")
end
if not python then say("\nNo peer was there: set PEER_PYTHON to a Python that has torch.") end

assert(core.mkdirs "runs")
assert(core.write_file("runs/bench.md", table.concat(report, "\n") .. "\n"))
print "\nWritten to runs/bench.md"
