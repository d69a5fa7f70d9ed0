---@meta
-- The documentation of what is written in C, for editors and for help() at the prompt; never run.
-- Axes and indices are 1-based, -1 is the last; `axes` is one axis or a list of them. Elementwise
-- operations broadcast as NumPy's do, want equal dtypes (a Lua number takes the tensor's), and have
-- an in-place form with a trailing underscore (t:exp_()), which returns t.

---@class Tensor
local Tensor = {}

--- The sizes of all axes, a new list.
---@return integer[]
function Tensor:shape() end

--- The distance, in elements, between neighbours along each axis.
---@return integer[]
function Tensor:stride() end

--- The size of one axis.
---@param axis integer
---@return integer
function Tensor:size(axis) end

--- The number of axes, 0 to 6.
---@return integer
function Tensor:rank() end

--- The number of elements.
---@return integer
function Tensor:numel() end

--- "float32", "float64", "uint8" or "int32".
---@return string
function Tensor:dtype() end

--- Whether the elements lie in row-major order without gaps.
---@return boolean
function Tensor:is_contiguous() end

--- The number of a tensor that has one element; raises for any other.
---@return number
function Tensor:item() end

--- A nested table of the numbers (a number for rank 0).
---@return table|number
function Tensor:totable() end

--- The elements' bytes in row-major order, little-endian. pl.frombytes reads them.
---@return string
function Tensor:tobytes() end

--- The tensor in another dtype; itself when it has that one already. To uint8 and int32 numbers
--- are truncated towards 0 and saturate; NaN gives 0.
---@param dtype string
---@return Tensor
function Tensor:to(dtype) end

--- t:to("float32").
---@return Tensor
function Tensor:float() end

--- t:to("float64").
---@return Tensor
function Tensor:double() end

--- t:to("uint8").
---@return Tensor
function Tensor:byte() end

--- t:to("int32").
---@return Tensor
function Tensor:int() end

--- A contiguous copy.
---@return Tensor
function Tensor:clone() end

--- The tensor itself when it is contiguous, or else a contiguous copy.
---@return Tensor
function Tensor:contiguous() end

--- Overwrites the elements with source's, broadcast and cast. Returns self.
---@param source Tensor
---@return Tensor
function Tensor:copy_(source) end

--- Sets every element. Returns self.
---@param value number
---@return Tensor
function Tensor:fill_(value) end

--- Sets every element to 0. Returns self.
---@return Tensor
function Tensor:zero_() end

--- The view at one index of an axis, which is dropped. t[i] is t:select(1, i).
---@param axis integer
---@param index integer
---@return Tensor
function Tensor:select(axis, index) end

--- The view of indices first, first + step, … up to last, which is included, of one axis; nil stands for
--- an end. t[{ {}, {1, 5, 2} }] does the same for several axes.
---@param axis integer
---@param first? integer
---@param last? integer
---@param step? integer 1 by default; negative ones go backwards
---@return Tensor
function Tensor:slice(axis, first, last, step) end

--- The view of `length` indices of an axis from `first` on.
---@param axis integer
---@param first integer
---@param length integer
---@return Tensor
function Tensor:narrow(axis, first, length) end

--- The view with its axes in another order: t:permute(3, 1, 2).
---@param ... integer every axis once
---@return Tensor
function Tensor:permute(...) end

--- The view with two axes swapped.
---@param a integer
---@param b integer
---@return Tensor
function Tensor:transpose(a, b) end

--- The transpose of a matrix, a view.
---@return Tensor
function Tensor:t() end

--- The same elements in another shape: a view where the strides allow it, or else a copy. One size may
--- be -1 and is inferred.
---@param ... integer|integer[]
---@return Tensor
function Tensor:reshape(...) end

--- As reshape, but never a copy: raises where the strides do not allow the shape.
---@param ... integer|integer[]
---@return Tensor
function Tensor:view(...) end

--- All elements in one axis: t:reshape(-1).
---@return Tensor
function Tensor:flatten() end

--- The view without that axis, or without all axes, of size 1.
---@param axis? integer
---@return Tensor
function Tensor:squeeze(axis) end

--- The view with a new axis of size 1 at that place.
---@param axis integer
---@return Tensor
function Tensor:unsqueeze(axis) end

--- The view with axes of size 1 stretched (and new leading ones); -1 keeps a size. It cannot be written.
---@param ... integer|integer[]
---@return Tensor
function Tensor:expand(...) end

--- The view stretched to other's shape.
---@param other Tensor
---@return Tensor
function Tensor:expand_as(other) end

--- Consecutive views along an axis: of one size (the last may be shorter), or of the sizes listed.
---@param sizes integer|integer[]
---@param axis? integer 1 by default
---@return Tensor[]
function Tensor:split(sizes, axis) end

--- -x.
---@return Tensor
function Tensor:neg() end

--- |x|.
---@return Tensor
function Tensor:abs() end

--- -1, 0 or 1.
---@return Tensor
function Tensor:sign() end

--- x².
---@return Tensor
function Tensor:square() end

--- max(x, 0); NaN stays NaN.
---@return Tensor
function Tensor:relu() end

--- The largest integer not above x.
---@return Tensor
function Tensor:floor() end

--- The smallest integer not below x.
---@return Tensor
function Tensor:ceil() end

--- The nearest integer, halves to even.
---@return Tensor
function Tensor:round() end

--- x without its fraction.
---@return Tensor
function Tensor:trunc() end

--- √x.
---@return Tensor
function Tensor:sqrt() end

--- 1/√x.
---@return Tensor
function Tensor:rsqrt() end

--- 1/x.
---@return Tensor
function Tensor:reciprocal() end

--- e^x.
---@return Tensor
function Tensor:exp() end

--- e^x - 1, exact near 0.
---@return Tensor
function Tensor:expm1() end

--- The natural logarithm.
---@return Tensor
function Tensor:log() end

--- log(1 + x), exact near 0.
---@return Tensor
function Tensor:log1p() end

--- The sine, x in radians.
---@return Tensor
function Tensor:sin() end

--- The cosine, x in radians.
---@return Tensor
function Tensor:cos() end

--- The hyperbolic tangent.
---@return Tensor
function Tensor:tanh() end

--- The error function.
---@return Tensor
function Tensor:erf() end

--- 1 / (1 + e^-x).
---@return Tensor
function Tensor:sigmoid() end

--- log(1 + e^x).
---@return Tensor
function Tensor:softplus() end

--- Each element moved into low … high; nil leaves that side open.
---@param low? number
---@param high? number
---@return Tensor
function Tensor:clamp(low, high) end

--- 1 where x is NaN. A uint8 mask.
---@return Tensor
function Tensor:isnan() end

--- 1 where x is infinite. A uint8 mask.
---@return Tensor
function Tensor:isinf() end

--- 1 where x is neither NaN nor infinite. A uint8 mask.
---@return Tensor
function Tensor:isfinite() end

--- 1 where a uint8 mask is 0 (~m).
---@return Tensor
function Tensor:logical_not() end

--- self + scale · other (+).
---@param other Tensor|number
---@param scale? number 1 by default; floats only when given
---@return Tensor
function Tensor:add(other, scale) end

--- self - other (-).
---@param other Tensor|number
---@return Tensor
function Tensor:sub(other) end

--- self · other (*).
---@param other Tensor|number
---@return Tensor
function Tensor:mul(other) end

--- self / other (/), floats only.
---@param other Tensor|number
---@return Tensor
function Tensor:div(other) end

--- self to the power of other (^), floats only.
---@param other Tensor|number
---@return Tensor
function Tensor:pow(other) end

--- ⌊self / other⌋ (//); an integer by 0 gives 0.
---@param other Tensor|number
---@return Tensor
function Tensor:floor_divide(other) end

--- What floor_divide leaves, with other's sign as in Lua (%); an integer by 0 gives 0.
---@param other Tensor|number
---@return Tensor
function Tensor:mod(other) end

--- The larger of the two; NaN wins.
---@param other Tensor|number
---@return Tensor
function Tensor:maximum(other) end

--- The smaller of the two; NaN wins.
---@param other Tensor|number
---@return Tensor
function Tensor:minimum(other) end

--- 1 where self = other, else 0: a uint8 mask.
---@param other Tensor|number
---@return Tensor
function Tensor:eq(other) end

--- 1 where self ≠ other, else 0: a uint8 mask.
---@param other Tensor|number
---@return Tensor
function Tensor:ne(other) end

--- 1 where self < other, else 0: a uint8 mask.
---@param other Tensor|number
---@return Tensor
function Tensor:lt(other) end

--- 1 where self ≤ other, else 0: a uint8 mask.
---@param other Tensor|number
---@return Tensor
function Tensor:le(other) end

--- 1 where self > other, else 0: a uint8 mask.
---@param other Tensor|number
---@return Tensor
function Tensor:gt(other) end

--- 1 where self ≥ other, else 0: a uint8 mask.
---@param other Tensor|number
---@return Tensor
function Tensor:ge(other) end

--- 1 where both masks are (&) not 0. uint8 only.
---@param other Tensor
---@return Tensor
function Tensor:logical_and(other) end

--- 1 where either mask is (|) not 0. uint8 only.
---@param other Tensor
---@return Tensor
function Tensor:logical_or(other) end

--- 1 where just one mask is (~) not 0. uint8 only.
---@param other Tensor
---@return Tensor
function Tensor:logical_xor(other) end

--- a where the uint8 mask self is not 0, b elsewhere. Also pl.where(mask, a, b).
---@param a Tensor|number
---@param b Tensor|number
---@return Tensor
function Tensor:where(a, b) end

--- The sum. Integers give int32 (raises when a sum does not fit).
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:sum(axes, keepdims) end

--- The mean. Integers give float32.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:mean(axes, keepdims) end

--- The product.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:prod(axes, keepdims) end

--- The variance.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@param correction? number divides by n - correction; 0 by default
---@return Tensor|number
function Tensor:var(axes, keepdims, correction) end

--- The standard deviation.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@param correction? number divides by n - correction; 0 by default
---@return Tensor|number
function Tensor:std(axes, keepdims, correction) end

--- The smallest; NaN wins.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:min(axes, keepdims) end

--- The largest; NaN wins.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:max(axes, keepdims) end

--- The 1-based index of the first smallest: along one axis, or in the flattened tensor.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:argmin(axes, keepdims) end

--- The 1-based index of the first largest: along one axis, or in the flattened tensor.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:argmax(axes, keepdims) end

--- Whether some element is not 0.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|boolean
function Tensor:any(axes, keepdims) end

--- Whether no element is 0.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|boolean
function Tensor:all(axes, keepdims) end

--- The Euclidean norm, √Σx².
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:norm(axes, keepdims) end

--- log Σ e^x, without overflow.
--- Over all axes a Lua value, over some a tensor.
---@param axes? integer|integer[] all by default; also {1, 2, keepdims = true}
---@param keepdims? boolean reduced axes stay with size 1
---@return Tensor|number
function Tensor:logsumexp(axes, keepdims) end

--- Running sums along an axis.
---@param axis? integer -1 by default
---@return Tensor
function Tensor:cumsum(axis) end

--- e^x / Σ e^x along an axis, without overflow.
---@param axis? integer -1 by default
---@return Tensor
function Tensor:softmax(axis) end

--- x - log Σ e^x along an axis.
---@param axis? integer -1 by default
---@return Tensor
function Tensor:log_softmax(axis) end

--- The matrix product. Vectors count as a row on the left and a column on the right; leading axes are
--- a stack and broadcast; two vectors give a number. Floats only.
---@param other Tensor
---@return Tensor|number
function Tensor:matmul(other) end

--- beta·self + a·b in one go: `b1:addmm(X, W1)`. self expands to the product's shape; with beta 0 it is not
--- read. Floats only.
---@param a Tensor {m, k}
---@param b Tensor {k, n}
---@param beta? number 1 by default
---@return Tensor {m, n}
function Tensor:addmm(a, b, beta) end

--- The product of two vectors.
---@param other Tensor
---@return number
function Tensor:dot(other) end

--- result[i][j] = self[index[i][j]][j] for axis 1, and so on for others.
---@param axis integer
---@param index Tensor int32, self's shape but along the axis
---@return Tensor
function Tensor:gather(axis, index) end

--- Those indices of an axis, in that order. t[index] does it for axis 1.
---@param axis integer
---@param index Tensor|integer[] int32, rank 1
---@return Tensor
function Tensor:index_select(axis, index) end

--- Adds scale * source's slices to those at `index`; repeated indices accumulate in order. Returns self.
---@param axis integer
---@param index Tensor|integer[]
---@param source Tensor
---@param scale? number 1 by default
---@return Tensor
function Tensor:index_add_(axis, index, source, scale) end

--- The elements where the mask is not 0, in row-major order, rank 1. t[mask] does it.
---@param mask Tensor uint8, broadcasts to self
---@return Tensor
function Tensor:masked_select(mask) end

--- A copy with `value` where the mask is not 0.
---@param mask Tensor uint8, broadcasts to self
---@param value number
---@return Tensor
function Tensor:masked_fill(mask, value) end

--- The indices of the elements that are not 0, one a row.
---@return Tensor int32 {n, rank}
function Tensor:nonzero() end

--- Sorted values, and the indices they came from. Stable; NaN comes last in either direction.
---@param axis? integer -1 by default
---@param descending? boolean
---@return Tensor values
---@return Tensor indices int32
function Tensor:sort(axis, descending) end

--- The indices that sort.
---@param axis? integer -1 by default
---@param descending? boolean
---@return Tensor int32
function Tensor:argsort(axis, descending) end

--- The k largest (or smallest), sorted, and their indices.
---@param k integer
---@param axis? integer -1 by default
---@param largest? boolean true by default
---@return Tensor values
---@return Tensor indices int32
function Tensor:topk(k, axis, largest) end

--- Whether shape, dtype and every element agree.
---@param other Tensor
---@return boolean
function Tensor:equal(other) end

--- Whether |self - other| ≤ atol + rtol·|other| everywhere.
---@param other Tensor
---@param options? table {rtol = 1e-5, atol = 1e-8, equal_nan = false}
---@return boolean
function Tensor:allclose(other, options) end

return Tensor
