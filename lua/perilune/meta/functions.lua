---@meta
-- The functions of pl that are written in C, as meta/tensor.lua has the methods; never run.

---@class perilune
local pl = {}

--- A tensor of that shape from bytes in row-major order, little-endian.
---@param bytes string
---@param dtype string
---@param shape integer|integer[]
---@return Tensor
function pl.frombytes(bytes, dtype, shape) end

--- Tensors joined along an axis that they have.
---@param list Tensor[] equal dtypes, and sizes but along the axis
---@param axis? integer 1 by default
---@return Tensor
function pl.concatenate(list, axis) end

--- Tensors of one shape joined along a new axis.
---@param list Tensor[]
---@param axis? integer 1 by default: the new axis's place
---@return Tensor
function pl.stack(list, axis) end

--- Whether a value is a tensor.
---@param value any
---@return boolean
function pl.is_tensor(value) end

--- The number of threads at work: PERILUNE_THREADS, or else the processors there are.
---@return integer
function pl.threads() end

--- Sets it. Results do not depend on it.
---@param n integer 1 to 256
function pl.set_threads(n) end

--- The instruction set in use: "avx512", "avx2" or "baseline". PERILUNE_ISA lowers it.
---@return string
function pl.isa() end

--- Wall time since some fixed moment.
---@return number seconds
function pl.clock() end

return pl
