-- make bench: how fast, as ratios taken in this one run: against the machine's own peak of multiply-adds,
-- and, where PEER_PYTHON names a Python that has torch (and keras), against these: in turn, A B A B, the
-- median of five repetitions, the peer in its fastest way. Prints tables and writes them to
-- runs/bench.md. Words after the script's name pick sections.
local pl = require "perilune"
local kernels = require "tests.bench.kernels"
local nets = require "tests.bench.nets"
local peers = require "tests.bench.peers"
local timing = require "tests.bench.timing"

local function processor()
  for line in io.lines "/proc/cpuinfo" do
    local name = line:match "^model name%s*:%s*(.+)$"
    if name then return name end
  end
  return "an unknown processor"
end

local wanted, all = {}, #arg == 0
for _, name in ipairs(arg) do wanted[name] = true end

local isa = os.getenv "PERILUNE_ISA" or pl.isa()
assert(isa == pl.isa(), "PERILUNE_ISA=" .. isa .. ": this processor or perilune does not have it")

local peak = timing.peak() -- before there are peers, whose start takes its time
local torch, keras = peers.start()
timing.say "# Bench\n"
timing.say("%s, %d threads, %s; peak %.0f GFLOP/s in float32 multiply-adds, measured in this run.",
  processor(), pl.threads(), pl.isa(), peak / 1e9)
timing.say "Shares of the peak count the dense operations, also where zeros were passed over."
if not torch then
  timing.say "No peer was there: set PEER_PYTHON to a Python that has torch, and keras with a backend."
end

for _, section in ipairs {
  { "training", function() nets.training(peak, torch, keras) end },
  { "prediction", function() nets.prediction(peak, torch, keras) end },
  { "processes", function() nets.processes(torch) end },
  { "threads", nets.threads },
  { "convolutions", function() kernels.convolutions(peak, torch) end },
  { "operations", function() kernels.operations(peak) end },
} do
  if all or wanted[section[1]] then section[2]() end
end

timing.save "runs/bench.md"
print "\nWritten to runs/bench.md"
