-- Dropout: what is kept, how much, with which gradient, and that its bits depend on the seed alone.
local core = require "perilune.core"
local pl = require "perilune"

describe("the kernels of core.nn", function()
  it("refuse what they cannot take, and crash at nothing", function()
    for name, kernel in pairs(core.nn) do
      for _, argument in ipairs { 1, "x", {}, pl.ones(2), pl.rng(1), false } do
        local list = {}
        for i = 1, 20 do list[i] = argument end
        assert.is_false(pcall(kernel), name)
        pcall(kernel, argument)
        pcall(kernel, table.unpack(list))
      end
    end
  end)
end)

describe("dropout", function()
  it("keeps 1 - rate of the elements, scaled so that the mean stays", function()
    for _, rate in ipairs { 0.1, 0.5, 0.9 } do
      local y = pl.ones(100000):dropout(rate, pl.rng(3))
      local kept = y:ne(0):mean()
      local deviation = math.sqrt(rate * (1 - rate) / 100000)
      assert.is_true(math.abs(kept - (1 - rate)) < 4 * deviation, rate)
      assert.is_true(math.abs(y:max() - 1 / (1 - rate)) < 1e-5 / (1 - rate))
      assert.is_true(math.abs(y:mean() - 1) < 4 * deviation / (1 - rate), rate)
    end
  end)

  it("keeps everything at rate 0", function()
    local x = pl.rng(1):randn(7, 5)
    assert.is_true(x:dropout(0, pl.rng(1)):equal(x))
  end)

  it("draws from the generator: another mask each time, the same from the same seed", function()
    local rng, x = pl.rng(5), pl.ones(1000)
    local first, second = x:dropout(0.5, rng), x:dropout(0.5, rng)
    assert.is_false(first:equal(second))
    rng = pl.rng(5)
    assert.is_true(x:dropout(0.5, rng):equal(first))
    assert.is_true(x:dropout(0.5, rng):equal(second))
  end)

  it("gives the same bits with any number of threads", function()
    local threads, x, seen = pl.threads(), pl.rng(2):randn(300, 400), nil
    for n = 1, 3 do
      pl.set_threads(n)
      local bytes = x:dropout(0.3, pl.rng(9)):tobytes()
      seen = seen or bytes
      assert.equal(seen, bytes)
    end
    pl.set_threads(threads)
  end)

  for _, name in ipairs { "dropout", "spatial_dropout2d" } do
    it("has the mask as its gradient: " .. name, function()
      for _, dtype in ipairs { "float32", "float64" } do
        local x = pl.ones({ 3, 5, 4, 17 }, dtype)
        local y
        local _, dx = pl.value_and_grad(function(v)
          y = v[name](v, 0.4, pl.rng(7))
          local sum = (y * 2):sum()
          y = y:detach():clone()
          return sum
        end, x)
        assert.is_true(dx:equal(y * 2))
      end
    end)
  end

  it("of images drops whole channels", function()
    local y = pl.ones(20, 3, 4, 5):spatial_dropout2d(0.5, pl.rng(1))
    local sums = y:ne(0):sum { 2, 3 }
    assert.is_true((sums:eq(0) | sums:eq(12)):all())
    local kept = sums:eq(12):mean()
    assert.is_true(kept > 0.3 and kept < 0.7)
  end)

  it("takes views and empty tensors", function()
    local x = pl.rng(1):randn(6, 8)
    assert.is_true(x:t():dropout(0.5, pl.rng(1)):equal(x:t():contiguous():dropout(0.5, pl.rng(1))))
    assert.same({ 0, 3 }, pl.zeros(0, 3):dropout(0.5, pl.rng(1)):shape())
  end)
end)
