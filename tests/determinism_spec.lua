-- The same bits at any number of threads, set in the process or by PERILUNE_THREADS.
local bits = require "tests.bits"
local child = require "tests.child"
local pl = require "perilune"

describe("threads", function()
  local threads = pl.threads()
  teardown(function() pl.set_threads(threads) end)

  it("are counted, and set", function()
    assert.is_true(threads >= 1)
    for _, n in ipairs { 1, 3, 8, 2 } do
      pl.set_threads(n)
      assert.equal(n, pl.threads())
    end
    assert.is_truthy(({ avx512 = true, avx2 = true, baseline = true })[pl.isa()])
  end)

  it("come from PERILUNE_THREADS, when that is a sensible number", function()
    local script = [[
      local pl = require "perilune"
      print(pl.threads() .. (pl.ones(100, 1000):sum() == 1e5 and "" or "?"))
    ]]
    assert.equal("3\n", (child.run(script, "PERILUNE_THREADS=3")))
    assert.equal("1\n", (child.run(script, "PERILUNE_THREADS=1")))
    local default = child.run(script, "env -u PERILUNE_THREADS")
    for _, senseless in ipairs { "0", "-1", "x", "''", "1000000", "2.5", "99999999999999999999" } do
      assert.equal(default, (child.run(script, "PERILUNE_THREADS=" .. senseless)))
    end
  end)

  it("do not change a bit", function()
    pl.set_threads(1)
    local expected = bits.all()
    for _, n in ipairs { 2, 3, 4, 8 } do
      pl.set_threads(n)
      local got = bits.all()
      assert.equal(#expected, #got)
      for i, line in ipairs(expected) do assert.equal(line, got[i], n .. " threads") end
    end
    local script = 'print(table.concat(require("tests.bits").all(), "\\n"))'
    for _, n in ipairs { 1, 8 } do
      local output, success = child.run(script, "PERILUNE_THREADS=" .. n)
      assert.is_true(success, output)
      assert.equal(table.concat(expected, "\n") .. "\n", output)
    end
  end)

  it("do not change a bit from one run to the next", function()
    pl.set_threads(3)
    local a = pl.arange(1, 250000):sin():reshape(500, 500)
    local product, sums = a:matmul(a):tobytes(), a:sum(1):tobytes()
    for _ = 1, 20 do
      assert.equal(product, a:matmul(a):tobytes())
      assert.equal(sums, a:sum(1):tobytes())
    end
  end)
end)

-- Run by each instruction set in a process of its own; prints the layouts that give other bits.
local LAYOUTS <const> = [[
  local pl = require "perilune"
  for _, dtype in ipairs { "float32", "float64" } do
    local n = 1003
    local a, b = pl.rng(1):randn({ n }, dtype), pl.rng(2):randn({ n }, dtype)
    local function strided(t)
      local wide = pl.zeros({ n, 2 }, dtype)
      wide:select(2, 1):copy_(t)
      return wide:select(2, 1)
    end
    local function compare(name, expected, got)
      if expected:tobytes() ~= got:tobytes() then print(dtype, name) end
    end
    local sum = a:add(b, 0.1)
    compare("left strided", sum, strided(a):add(b, 0.1))
    compare("right strided", sum, a:add(strided(b), 0.1))
    compare("both strided", sum, strided(a):add(strided(b), 0.1))
    compare("in place", sum, strided(a):add_(b, 0.1))
    for _, x in ipairs { 0.3, 1.7, b[1] } do
      local full = pl.full({ n }, x, dtype)
      compare("right one number", a:add(full, 0.1), a:add(x, 0.1))
      compare("left one number", full:add(a, 0.1), full:narrow(1, 1, 1):expand(n):add(a, 0.1))
    end
    local places = pl.arange(1, n, 1, "int32")
    compare("index_add_", sum, a:clone():index_add_(1, places, b, 0.1))
    local column = strided(a):unsqueeze(2)
    compare("index_add_ strided", sum, column:index_add_(1, places, b:unsqueeze(2), 0.1):squeeze(2))
  end
]]

describe("a scaled sum", function()
  for _, isa in ipairs { "avx512", "avx2", "baseline" } do
    it("has the same bits in every layout, on " .. isa .. " or what is nearest to it", function()
      assert.equal("", (child.run(LAYOUTS, "PERILUNE_ISA=" .. isa)))
    end)
  end
end)

-- Likewise: prints the update rules that give a number other bits beside others than in a shorter parameter.
local PREFIXES <const> = [[
  local pl, core = require "perilune", require "perilune.core"
  local n = 133
  local rules = {
    sgd = { 0, 1 }, momentum = { 1, 2 }, nesterov = { 1, 2 }, adam = { 2, 4 }, amsgrad = { 3, 4 },
    nadam = { 2, 6 }, rmsprop = { 1, 3 }, rmsprop_momentum = { 2, 4 }, rmsprop_centered = { 2, 3 },
    rmsprop_centered_momentum = { 3, 4 }, adagrad = { 1, 2 }, adadelta = { 2, 3 }, lion = { 1, 3 },
    muon = { 2, 3 }, average = { 0, 2 },
  }
  local scalars = { 0.113, 0.126, 0.139, 0.152, 0.165, 0.178 }
  for _, dtype in ipairs { "float32", "float64" } do
    for seed = 1, 20 do
      local rng = pl.rng(seed)
      local w, g, drawn = rng:randn({ n }, dtype), rng:randn({ n }, dtype), {}
      for i = 1, 3 do drawn[i] = rng:randn({ n }, dtype):abs() end
      for rule, counts in pairs(rules) do
        local function step(count)
          local function first(t) return t:narrow(1, 1, count):clone() end
          local result, states = { first(w) }, {}
          for i = 1, counts[1] do
            states[i] = first(drawn[i])
            result[i + 1] = states[i]
          end
          core.nn.optimizer_step(rule, result[1], first(g), states, table.move(scalars, 1, counts[2], 1, {}),
            0.7, 2, 0.01)
          return result
        end
        local all = step(n)
        for _, count in ipairs { 1, 3, 7, 15, 17, 100 } do
          for i, part in ipairs(step(count)) do
            if part:tobytes() ~= all[i]:narrow(1, 1, count):tobytes() then
              print(rule, dtype, "seed", seed, "first", count, "result", i)
            end
          end
        end
      end
    end
  end
]]

describe("an update rule", function()
  for _, isa in ipairs { "avx512", "avx2", "baseline" } do
    it("gives a number the same bits wherever it stands, on " .. isa .. " or what is nearest", function()
      assert.equal("", (child.run(PREFIXES, "PERILUNE_ISA=" .. isa)))
    end)
  end
end)

describe("an unknown PERILUNE_ISA", function()
  it("is ignored", function()
    local script = 'print(require("perilune").isa())'
    local default = child.run(script, "env -u PERILUNE_ISA")
    assert.equal(default, (child.run(script, "PERILUNE_ISA=mmx")))
    assert.equal("baseline\n", (child.run(script, "PERILUNE_ISA=baseline")))
  end)
end)
