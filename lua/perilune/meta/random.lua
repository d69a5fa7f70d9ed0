---@meta
-- The documentation of a random generator's methods, which are written in C, for editors and for help()
-- at the prompt; never run. `shape` is a list of sizes {2, 3} or one size 5; without it a draw is a Lua
-- number. `dtype` is "float32" or "float64": left out, float32 for pl.rng and float64 for pl.numpy_rng,
-- whose float32 numbers are its doubles, rounded. A wrong argument raises before anything is drawn.

---@class Generator
local Generator = {}

--- Uniform numbers in [0, 1): `r:rand()`, `r:rand(2, 3)`, `r:rand({2, 3}, "float64")`.
---@param ... integer|integer[]|string sizes, or one list of them, and a dtype
---@return number|Tensor
function Generator:rand(...) end

--- Numbers of the standard normal distribution: `r:randn()`, `r:randn(2, 3)`, `r:randn({2, 3}, "float64")`.
---@param ... integer|integer[]|string sizes, or one list of them, and a dtype
---@return number|Tensor
function Generator:randn(...) end

--- Uniform numbers in [low, high); rounding may reach `high`.
---@param low? number 0 by default
---@param high? number 1 by default, not below low
---@param shape? integer|integer[]
---@param dtype? string
---@return number|Tensor
function Generator:uniform(low, high, shape, dtype) end

--- Numbers of a normal distribution.
---@param loc? number the mean, 0 by default
---@param scale? number the standard deviation, 1 by default, not negative
---@param shape? integer|integer[]
---@param dtype? string
---@return number|Tensor
function Generator:normal(loc, scale, shape, dtype) end

--- Integers from `low` up to `high - 1`. `r:randint(high)` starts at 0.
---@param low integer
---@param high integer above low; what a tensor holds lies in -2^31 to 2^31 - 1
---@param shape? integer|integer[]
---@return integer|Tensor int32
---@overload fun(high: integer): integer
function Generator:randint(low, high, shape) end

--- The integers 1 to n in random order; of a tensor, a copy shuffled along its first axis.
---@param n integer|Tensor
---@return Tensor int32 {n}, or as the tensor given
function Generator:permutation(n) end

--- Shuffles a tensor along its first axis, or a list, in place, and returns it.
---@param what Tensor|table
---@return Tensor|table
function Generator:shuffle(what) end

--- Draws from the integers 1 to n. `replace = false` draws none twice; `p` gives a probability for each
--- of them, and these sum to 1.
---@param n integer
---@param shape? integer|integer[]
---@param options? {replace?: boolean, p?: number[]|Tensor}
---@return integer|Tensor int32
function Generator:choice(n, shape, options) end

--- All that determines the next draws, as printable text: also the normal that waits after an odd number
--- of them was drawn.
---@return string
function Generator:state() end

--- Goes back to a state. Raises, and changes nothing, unless a generator of the same kind made it.
---@param state string from state()
---@return Generator self
function Generator:set_state(state) end

--- An independent generator in the same state.
---@return Generator
function Generator:clone() end

return Generator
