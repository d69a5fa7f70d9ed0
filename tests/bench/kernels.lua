-- The bench's rows of single operations: products and passes over memory, and the convolutions of the
-- course's nets in every direction.
local core = require "perilune.core"
local pl = require "perilune"
local timing = require "tests.bench.timing"

local kernels = {}

--- Products of matrices and passes over memory, against the peak.
function kernels.operations(peak)
  timing.head("operation", "time", "rate", "of peak")
  for _, shape in ipairs { { 200, 3072, 50 }, { 200, 3072, 400 }, { 32, 4096, 512 }, { 1000, 1000, 1000 } } do
    local m, k, n = table.unpack(shape)
    local a, b, g = pl.ones(m, k), pl.ones(k, n), pl.ones(m, n)
    for _, product in ipairs {
      { "(%d×%d)·(%d×%d)", function() return a:matmul(b) end, m, k, k, n },
      { "(%d×%d)ᵀ·(%d×%d)", function() return a:t():matmul(g) end, m, k, m, n },
    } do
      local taken = timing.interleaved { timing.repetition(product[2]) }[1]
      local rate = 2 * m * k * n / taken
      timing.row(product[1]:format(table.unpack(product, 3)), timing.ms(taken),
        ("%.0f GFLOP/s"):format(rate / 1e9), ("%.0f %%"):format(100 * rate / peak))
    end
  end
  local a, b = pl.rng(1):randn(1000, 1000), pl.rng(2):randn(1000, 1000)
  local rng, labels = pl.rng(1), pl.rng(3):randint(1, 1001, { 1000 })
  for _, row in ipairs {
    { "a + b", 12, function() return a + b end }, { "a:add_(b)", 12, function() return a:add_(b, 1e-9) end },
    { "a:exp()", 8, function() return a:exp() end }, { "a:tanh()", 8, function() return a:tanh() end },
    { "a:sum(1)", 4, function() return a:sum(1) end }, { "a:sum(2)", 4, function() return a:sum(2) end },
    { "a:softmax()", 8, function() return a:softmax() end },
    { "a:dropout(0.5, rng)", 8, function() return a:dropout(0.5, rng) end },
    { "a:gelu()", 8, function() return a:gelu() end },
    { "a:layer_norm()", 8, function() return a:layer_norm() end },
    { "a:batch_norm()", 8, function() return a:batch_norm() end },
    { "a:softmax_cross_entropy(labels)", 4, function() return a:softmax_cross_entropy(labels) end },
  } do
    local name, bytes, f = table.unpack(row)
    local taken = timing.interleaved { timing.repetition(f) }[1]
    timing.row(name .. ", 1000×1000", timing.ms(taken), ("%.1f GB/s"):format(bytes * 1e6 / taken / 1e9), "")
  end
end

-- One direction of a convolution of the course's nets, as a function, and its multiply-adds.
local function convolution(batch, size, channels, filters, kernel, padding)
  local rng, pad = pl.rng(1), padding == "same" and kernel // 2 or 0
  local out = size + 2 * pad - kernel + 1
  local x, k = rng:randn(batch, size, size, channels), rng:randn(kernel, kernel, channels, filters)
  local bias, y = rng:randn(filters), pl.zeros(batch, out, out, filters)
  local dy, dx, dk = rng:randn(batch, out, out, filters), pl.zeros(x:shape()), pl.zeros(k:shape())
  local nn = core.nn
  local function back(to_x, to_kernel)
    return function()
      nn.conv2d_backward(to_x, to_kernel, nil, dy, x, k, nil, 1, 1, pad, pad, pad, pad, 1, 1, 1)
    end
  end
  return {
    forward = function() nn.conv2d(y, x, k, bias, 1, 1, pad, pad, pad, pad, 1, 1, 1) end,
    data = back(dx, nil), kernel = back(nil, dk),
  }, batch * out * out * filters * kernel * kernel * channels
end

--- Forward, by data and by kernel, against the peak and the peer.
---@param torch Peer?
function kernels.convolutions(peak, torch)
  local columns = { "convolution, batch 32", "direction", "time", "of peak" }
  if torch then columns[5], columns[6] = torch.name, "ratio" end
  timing.head(table.unpack(columns))
  for _, c in ipairs {
    { 32, 3, 32, 3, "same" }, { 32, 32, 32, 3, "same" }, { 16, 32, 64, 3, "same" }, { 16, 64, 64, 3, "same" },
    { 15, 64, 256, 3, "same" }, { 7, 256, 256, 3, "same" }, { 32, 3, 12, 5, "valid" },
    { 32, 32, 64, 1, "same" },
  } do
    local size, channels, filters, kernel, padding = table.unpack(c)
    local runs, macs = convolution(32, size, channels, filters, kernel, padding)
    for _, way in ipairs { "forward", "data", "kernel" } do
      local request = ("conv 32 %d %d %d %d %s %s"):format(size, channels, filters, kernel, padding, way)
      local list, how = { timing.repetition(runs[way]) }, nil
      if torch then list[2], how = torch:repetition(request) end
      local taken, ratios = timing.interleaved(list)
      local cells = { ("%d→%d@%d, %d×%d"):format(channels, filters, size, kernel, kernel), way,
        timing.ms(taken[1]), ("%.0f %%"):format(200 * macs / taken[1] / peak) }
      if torch then
        cells[5], cells[6] = ("%s, %s"):format(timing.ms(taken[2]), how()), ("%.2f×"):format(ratios[2])
      end
      timing.row(table.unpack(cells))
    end
  end
end

return kernels
