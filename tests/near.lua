-- Tensors against tables of numbers in float64.
local assert = require "luassert"
local pl = require "perilune"

local near = {}

--- A float64 tensor.
function near.tensor(values) return pl.tensor(values, "float64") end

--- Raises, as busted's asserts do, unless got has the numbers, each within 1e-9 or what is given.
---@param expected table
---@param got Tensor
---@param within? number
function near.assert(expected, got, within)
  expected = near.tensor(expected)
  assert.same(expected:shape(), got:shape())
  assert.is_true((got - expected):abs():max() < (within or 1e-9), tostring(got))
end

return near
