-- Random generators: explicit objects, any number of them, each with a state of its own.
--   pl.rng(seed)        counter based (Philox4x32-10): the same bits at any number of threads and on
--                       any machine; each element depends on (seed, stream, its number) alone
--   pl.numpy_rng(seed)  numpy.random.RandomState(seed), bit for bit
-- Both answer the same methods, written in C (core/bind/bind_random.c) and documented here. What
-- they return as indices counts from 1: NumPy's value plus one. Everything else is NumPy's value.
local core = require "perilune.core"

local random = {}

--- A random generator, made by `pl.rng` or `pl.numpy_rng`.
--- `shape` below is a list of sizes `{2, 3}` or one size `5`; without it a draw is a Lua number.
--- `dtype` is "float32" or "float64"; left out, it is float32 for `pl.rng` and float64 for
--- `pl.numpy_rng` (whose float32 numbers are its doubles, rounded).
--- Every method raises on a wrong argument, before anything is drawn.
---@alias Shape integer|integer[]
---@alias ChoiceOptions {replace?: boolean, p?: number[]|Tensor}
---@class Generator
---@field rand fun(self, ...: integer|integer[]|string): number|Tensor
---  Uniform in [0, 1): `rng:rand()`, `rng:rand(2, 3)`, `rng:rand({2, 3}, "float64")`.
---@field randn fun(self, ...: integer|integer[]|string): number|Tensor
---  Standard normal: `rng:randn()`, `rng:randn(2, 3)`, `rng:randn({2, 3}, "float64")`.
---@field uniform fun(self, low?: number, high?: number, shape?: Shape, dtype?: string): number|Tensor
---  Uniform in [low, high), by default [0, 1); rounding may reach `high`. Needs low <= high.
---@field normal fun(self, loc?: number, scale?: number, shape?: Shape, dtype?: string): number|Tensor
---  Normal with mean `loc` (0) and standard deviation `scale` (1), which is not negative.
---@field randint fun(self, low: integer, high?: integer, shape?: Shape): integer|Tensor
---  Integers from `low` up to `high - 1`; `randint(high)` starts at 0. A tensor is int32; a single
---  integer may be any that Lua holds.
---@field permutation fun(self, n: integer|Tensor): Tensor
---  The integers 1 .. n in random order, as int32 {n}; of a tensor, a copy shuffled along axis 1.
---@field shuffle fun(self, what: Tensor|table): Tensor|table
---  Shuffles a tensor along its first axis, or a list, in place, and returns it.
---@field choice fun(self, n: integer, shape?: Shape, options?: ChoiceOptions): integer|Tensor
---  Draws from 1 .. n, as int32. `replace = false` draws none twice; `p` gives the n probabilities,
---  which sum to 1.
---@field state fun(self): string
---  All that determines the next draws, as printable text: also the normal that waits when an odd
---  number of them was drawn.
---@field set_state fun(self, state: string): Generator
---  Goes back to a state of a generator of the same kind. Raises, and changes nothing, on any other text.
---@field clone fun(self): Generator
---  An independent generator in the same state.

--- A counter-based generator for new code: `pl.rng(1):randn(2, 3)`.
--- Draws with different seeds or different streams have nothing to do with each other.
---@param seed integer from 0 up
---@param stream? integer from 0 up; 0 when left out
---@return Generator
function random.rng(seed, stream)
  return core.rng(seed, stream)
end

--- NumPy's legacy `RandomState`, for course material that states its expected numbers in it:
--- `pl.numpy_rng(0):randn()` is 1.764052345967664, as `np.random.RandomState(0).randn()`.
---@param seed integer|integer[] from 0 to 2^32 - 1, or a list of such
---@return Generator
function random.numpy_rng(seed)
  return core.numpy_rng(seed)
end

return random
