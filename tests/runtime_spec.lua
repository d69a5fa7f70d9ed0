-- The machine as scripts see it.
local core = require "perilune.core"
local pl = require "perilune"

describe("the machine", function()
  it("tells the time, what arithmetic it did, and how wide the terminal is", function()
    local start = pl.clock()
    assert.equal(0.0, core.peak(0))
    assert.is_true(core.peak(1000) >= 2 * 1000 * pl.threads())
    assert.is_true(pl.clock() >= start)
    local columns = core.stdout_columns()
    assert.is_true(columns == nil or columns > 0)
  end)
end)
