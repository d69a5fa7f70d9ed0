-- The peers: processes of PEER_PYTHON that wait while we work. Each takes a request a line, "step c same 5",
-- and answers with a line, the seconds that one step took and how it was done; "none" when it cannot.
local core = require "perilune.core"

local peers = {}

---@class Peer
---@field name string with its version: "PyTorch 2.13.0", "Keras 3.15.1 on jax"
---@field python string
local Peer = {}
Peer.__index = Peer

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Starts one, or returns nil when it says that it cannot run.
local function start(python, script, environment)
  assert(core.mkdirs "runs")
  local fifo = os.tmpname()
  os.remove(fifo)
  assert(os.execute("mkfifo " .. quoted(fifo)))
  -- an OpenBLAS in the peer chooses for itself; should the peer not start, the shell answers in its place
  local input = assert(io.popen(("exec 3>%s; %s env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE %s %s >&3 "
    .. "2>>runs/bench_peer.log || echo none >&3"):format(quoted(fifo), environment, quoted(python), script),
    "w"))
  local output = assert(io.open(fifo, "r"))
  os.remove(fifo)
  local name = output:read "l"
  if not name or name == "none" then return nil end
  input:setvbuf "line"
  return setmetatable({
    name = name, python = python, input = input, output = output,
  }, Peer)
end

--- The seconds of one repetition, and what was the best way: "compiled, channels_last".
---@return number? seconds
---@return string? way
function Peer:ask(request)
  self.input:write(request, "\n")
  local answer = self.output:read "l"
  local seconds, way = (answer or ""):match "^([%d.e+-]+) ?(.*)$"
  return tonumber(seconds), way
end

--- What timing.interleaved takes: one repetition at a time. The first, which sets the peer up, is done.
---@return fun(): number? run
---@return fun(): string way what was the best way at the last one
function Peer:repetition(request)
  local way
  local function run()
    local seconds
    seconds, way = self:ask(request)
    return assert(seconds, self.name .. " could not do: " .. request)
  end
  run()
  return run, function() return way end
end

--- PyTorch, and Keras on each backend that is there; empty without PEER_PYTHON.
---@return Peer? torch
---@return Peer[] keras
function peers.start()
  local python, keras = os.getenv "PEER_PYTHON", {}
  if not python or python == "" then return nil, keras end
  for _, backend in ipairs { "jax", "tensorflow", "torch" } do
    keras[#keras + 1] = start(python, "tests/bench/peer_keras.py",
      ("KERAS_BACKEND=%s TF_CPP_MIN_LOG_LEVEL=3"):format(backend))
  end
  return start(python, "tests/bench/peer_torch.py", ""), keras
end

--- Of several peers the one that is fastest at something; asks each three times.
---@param list Peer[]
---@return Peer?
function peers.fastest(list, request)
  local best, least = nil, math.huge
  for _, peer in ipairs(list) do
    for _ = 1, 3 do
      local seconds = peer:ask(request)
      if seconds and seconds < least then best, least = peer, seconds end
    end
  end
  return best
end

return peers
