-- Random generators: explicit objects, any number of them, each with a state of its own.
--   pl.rng(seed)        counter based (Philox4x32-10): the same bits at any number of threads and on
--                       any machine; an element depends on (seed, stream, its number) alone
--   pl.numpy_rng(seed)  numpy.random.RandomState(seed), bit for bit
-- Both answer the same methods, written in C and documented in lua/perilune/meta/random.lua. What they
-- return as indices counts from 1: NumPy's value plus one. Everything else is NumPy's value.
local check = require "perilune.check"
local core = require "perilune.core"

local random = {}

-- A misspelt method is named, with the nearest there is.
setmetatable(core.generator, { __index = function(methods, name)
  check.no_field("random generator has no method", name, methods)
end })

--- A counter-based random generator for new code: `pl.rng(1):randn(2, 3)`. Draws with different seeds
--- or different streams have nothing to do with each other.
---@param seed integer from 0 up
---@param stream? integer from 0 up, 0 by default
---@return Generator
function random.rng(seed, stream)
  return core.rng(seed, stream)
end

--- NumPy's legacy RandomState, for course material that states its expected numbers in it:
--- `pl.numpy_rng(0):randn()` is `np.random.RandomState(0).randn()`.
---@param seed integer|integer[] from 0 to 2^32 - 1, or a list of such
---@return Generator
function random.numpy_rng(seed)
  return core.numpy_rng(seed)
end

return random
