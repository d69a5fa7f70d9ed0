-- What every tensor operation means, in plain Lua and as slowly as need be: the tests' second opinion.
-- An array is { shape = {…}, data = {…} }: numbers in row-major order, floats for float dtypes and
-- integers for integer ones. Everything is computed in float64 or exactly. An array that is compared
-- with a bound carries `magnitude`: for each element the size of what was added up to make it, to which
-- rounding errors are proportional (see layouts.compare). Nothing here uses the library.
local reference = {}

local inf <const>, nan <const> = math.huge, 0.0 / 0.0

-- Shapes and positions --------------------------------------------------------------------------------

function reference.count(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

function reference.strides(shape)
  local strides, stride = {}, 1
  for axis = #shape, 1, -1 do
    strides[axis] = stride
    stride = stride * shape[axis]
  end
  return strides
end

--- The 1-based flat positions that strides give to a shape's elements, in row-major order.
function reference.positions(shape, strides, start)
  local list = { start or 1 }
  for axis, size in ipairs(shape) do
    local longer, stride = {}, strides[axis]
    for _, position in ipairs(list) do
      for i = 0, size - 1 do longer[#longer + 1] = position + i * stride end
    end
    list = longer
  end
  return list
end

function reference.array(shape, data, magnitude)
  assert(#data == reference.count(shape), "reference: data and shape disagree")
  return { shape = shape, data = data, magnitude = magnitude }
end

--- The elements of an array seen through other strides.
function reference.view(a, shape, strides, start)
  local data = {}
  for i, position in ipairs(reference.positions(shape, strides, start)) do data[i] = a.data[position] end
  return reference.array(shape, data)
end

function reference.permute(a, axes)
  local shape, strides, old = {}, {}, reference.strides(a.shape)
  for i, axis in ipairs(axes) do shape[i], strides[i] = a.shape[axis], old[axis] end
  return reference.view(a, shape, strides)
end

--- NumPy's broadcast of several shapes, or nil.
function reference.broadcast(...)
  local rank, result = 0, {}
  for _, shape in ipairs { ... } do rank = math.max(rank, #shape) end
  for axis = 1, rank do result[axis] = 1 end
  for _, shape in ipairs { ... } do
    for axis, size in ipairs(shape) do
      local at = rank - #shape + axis
      if result[at] == 1 then
        result[at] = size
      elseif size ~= 1 and size ~= result[at] then
        return nil
      end
    end
  end
  return result
end

function reference.expand(a, shape)
  local strides, own = {}, reference.strides(a.shape)
  local lead = #shape - #a.shape
  for axis = 1, #shape do
    local mine = axis - lead
    strides[axis] = (mine < 1 or a.shape[mine] == 1) and 0 or own[mine]
  end
  return reference.view(a, shape, strides)
end

-- From a 1-based or negative axis to 1 .. rank.
local function positive(axis, rank) return axis < 0 and axis + rank + 1 or axis end

-- dtypes ----------------------------------------------------------------------------------------------

local round_to = {
  float64 = function(x) return x + 0.0 end,
  float32 = function(x) return (string.unpack("<f", string.pack("<f", x))) end,
  uint8 = function(x) return x & 0xff end,
  int32 = function(x) return ((x + 0x80000000) & 0xffffffff) - 0x80000000 end,
}

--- The function that brings a result into a dtype: floats are rounded, integers wrap.
function reference.rounder(dtype) return round_to[dtype] end

--- What casting does: towards zero, saturating; NaN gives 0.
function reference.cast(x, dtype)
  if dtype == "float32" or dtype == "float64" then return round_to[dtype](x) end
  local low, high = 0, 255
  if dtype == "int32" then low, high = -0x80000000, 0x7fffffff end
  if x ~= x then return 0 end
  if x <= low then return low end
  if x >= high then return high end
  return math.tointeger(x < 0 and math.ceil(x) or math.floor(x))
end

-- Elementwise -----------------------------------------------------------------------------------------

--- formula(x, y, …, round) on every element of the broadcast arrays.
function reference.map(formula, round, ...)
  local arrays, shapes, data = { ... }, {}, {}
  for i, a in ipairs(arrays) do shapes[i] = a.shape end
  local shape = assert(reference.broadcast(table.unpack(shapes)), "reference: shapes do not broadcast")
  for i, a in ipairs(arrays) do arrays[i] = reference.expand(a, shape).data end
  local a, b, c = arrays[1], arrays[2], arrays[3]
  for i = 1, reference.count(shape) do
    if c then
      data[i] = formula(a[i], b[i], c[i], round)
    elseif b then
      data[i] = formula(a[i], b[i], round)
    else
      data[i] = formula(a[i], round)
    end
  end
  return reference.array(shape, data)
end

local function truth(condition) return condition and 1 or 0 end

-- Halves to even.
local function round_half_even(x)
  if x ~= x or x - x ~= 0 then return x end
  local low = math.floor(x) + 0.0
  local part = x - low
  if part > 0.5 or (part == 0.5 and low % 2 == 1) then return low + 1 end
  return low
end

local function expm1(x)
  local u = math.exp(x)
  if u == 1 or x ~= x then return x end
  if u == inf then return inf end
  if u - 1 == -1 then return -1.0 end
  return (u - 1) * x / math.log(u)
end

local function log1p(x)
  local u = 1 + x
  if u == 1 or u == inf or x ~= x then return x end
  return math.log(u) * (x / (u - 1))
end

-- A series of positive terms, so that nothing cancels.
local function erf(x)
  if x ~= x then return x end
  if math.abs(x) > 6 then return x > 0 and 1.0 or -1.0 end
  local term, sum, n = x, x, 0
  while math.abs(term) > math.abs(sum) * 1e-18 do
    n = n + 1
    term = term * 2 * x * x / (2 * n + 1)
    sum = sum + term
  end
  return 2 / math.sqrt(math.pi) * math.exp(-x * x) * sum
end

local function floored(x) return x - x == 0 and math.floor(x) + 0.0 or x end

local function is_integer(x) return math.type(x) == "integer" end

--- One formula an operation: of the elements, then of `round` (see rounder).
reference.formulas = {
  neg = function(x, round) return round(-x) end,
  abs = function(x, round) return round(x > 0 and x or 0 - x) end,
  sign = function(x) return x > 0 and 1 or x < 0 and -1 or x end,
  square = function(x, round) return round(x * x) end,
  relu = function(x) return x < 0 and 0 or x end,
  floor = floored,
  ceil = function(x) return -floored(-x) end,
  round = round_half_even,
  trunc = function(x) return x < 0 and -floored(-x) or floored(x) end,
  sqrt = function(x, round) return round(math.sqrt(x)) end,
  rsqrt = function(x) return 1 / math.sqrt(x) end,
  reciprocal = function(x, round) return round(1 / x) end,
  exp = function(x) return math.exp(x) end,
  expm1 = expm1,
  log = function(x) return math.log(x) end,
  log1p = log1p,
  sin = function(x) return math.sin(x) end,
  cos = function(x) return math.cos(x) end,
  tanh = function(x)
    if math.abs(x) > 22 then return x > 0 and 1.0 or -1.0 end
    local t = expm1(2 * math.abs(x))
    local y = t / (t + 2)
    return x < 0 and -y or y
  end,
  erf = erf,
  sigmoid = function(x)
    local e = math.exp(-math.abs(x))
    return (x < 0 and e or 1) / (1 + e)
  end,
  softplus = function(x) return math.max(x, 0) + log1p(math.exp(-math.abs(x))) end,
  isnan = function(x) return truth(x ~= x) end,
  isinf = function(x) return truth(x == inf or x == -inf) end,
  isfinite = function(x) return truth(x - x == 0) end,
  logical_not = function(x) return truth(x == 0) end,
  add = function(a, b, round) return round(a + b) end,
  sub = function(a, b, round) return round(a - b) end,
  mul = function(a, b, round) return round(a * b) end,
  div = function(a, b, round) return round(a / b) end,
  pow = function(a, b) return a ^ b end,
  maximum = function(a, b) return (a ~= a or a >= b) and a or b end,
  minimum = function(a, b) return (a ~= a or a <= b) and a or b end,
  floor_divide = function(a, b, round)
    if is_integer(a) then return b == 0 and 0 or round(a // b) end
    return round(floored(round(a / b)))
  end,
  mod = function(a, b, round)
    if is_integer(a) then return b == 0 and 0 or round(a % b) end
    return round(a % b)
  end,
  eq = function(a, b) return truth(a == b) end,
  ne = function(a, b) return truth(a ~= b) end,
  lt = function(a, b) return truth(a < b) end,
  le = function(a, b) return truth(a <= b) end,
  gt = function(a, b) return truth(a > b) end,
  ge = function(a, b) return truth(a >= b) end,
  logical_and = function(a, b) return truth(a ~= 0 and b ~= 0) end,
  logical_or = function(a, b) return truth(a ~= 0 or b ~= 0) end,
  logical_xor = function(a, b) return truth((a ~= 0) ~= (b ~= 0)) end,
  where = function(condition, a, b) return condition ~= 0 and a or b end,
}

function reference.clamp(x, low, high)
  if low and x < low then return low end
  if high and x > high then return high end
  return x
end

-- Reductions ------------------------------------------------------------------------------------------

-- Rounding errors of n additions, taken as a random walk.
local function growth(n) return 1 + math.sqrt(n) end

--- fold(list) -> value, magnitude over the axes named (all when nil). With no axis left and no
--- keepdims the result is marked `number`.
function reference.reduce(a, axes, keepdims, fold)
  if type(axes) == "number" then axes = { axes } end
  local rank, reduced = #a.shape, {}
  for axis = 1, rank do reduced[axis] = axes == nil end
  for _, axis in ipairs(axes or {}) do reduced[positive(axis, rank)] = true end
  local strides = reference.strides(a.shape)
  local kept, kept_strides, gone, gone_strides, shape, all = {}, {}, {}, {}, {}, true
  for axis = 1, rank do
    if reduced[axis] then
      gone[#gone + 1], gone_strides[#gone + 1] = a.shape[axis], strides[axis]
      if keepdims then shape[#shape + 1] = 1 end
    else
      kept[#kept + 1], kept_strides[#kept + 1] = a.shape[axis], strides[axis]
      shape[#shape + 1] = a.shape[axis]
      all = false
    end
  end
  local within, data, magnitude = reference.positions(gone, gone_strides, 0), {}, {}
  for _, start in ipairs(reference.positions(kept, kept_strides)) do
    local list = {}
    for i, offset in ipairs(within) do list[i] = a.data[start + offset] end
    data[#data + 1], magnitude[#magnitude + 1] = fold(list)
  end
  local result = reference.array(shape, data, #magnitude > 0 and magnitude or nil)
  result.number = all and not keepdims
  return result
end

local function total(list, f)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + (f and f(x) or x) end
  return sum
end

local function size_of(list) return total(list, function(x) return math.abs(x) end) * growth(#list) end

local function mean(list)
  if #list == 0 then return nan, nan end
  return total(list) / #list, size_of(list) / #list
end

-- Errors of the mean enter squared: eps * mean^2 besides those of the sum of squares.
local function variance(list, correction)
  local n, centre = #list, mean(list)
  if n == 0 then return nan, nan end
  local squares = total(list, function(x) return (x - centre) ^ 2 end)
  local degrees = math.max(n - (correction or 0), 0)
  return squares / degrees, (squares * growth(n) + n * centre ^ 2 * 1e-6) / degrees
end

local function logsumexp(list)
  local top = -inf
  for _, x in ipairs(list) do
    if x ~= x then return nan, nan end
    top = math.max(top, x)
  end
  if top - top ~= 0 then return top, 0 end
  local sum = total(list, function(x) return math.exp(x - top) end)
  return top + math.log(sum), math.abs(top) + math.log(sum) + growth(#list)
end

-- The place of the first element that none beats; NaN beats all.
local function best(list, beats)
  local at
  for i, x in ipairs(list) do
    if x ~= x then return i end
    if not at or beats(x, list[at]) then at = i end
  end
  return at
end

local function less(a, b) return a < b end
local function greater(a, b) return a > b end

--- Folds: list -> value, magnitude (nil where the result is exact).
reference.folds = {
  sum = function(list)
    if is_integer(list[1]) then return total(list) end
    return total(list), size_of(list)
  end,
  mean = mean,
  prod = function(list)
    local product = list[1] and 1 or 1.0
    for _, x in ipairs(list) do product = product * x end
    return product, math.abs(product) * growth(#list)
  end,
  var = variance,
  std = function(list, correction)
    local v, size = variance(list, correction)
    local s = math.sqrt(v)
    return s, s + (s > 0 and size / (2 * s) or math.sqrt(size))
  end,
  norm = function(list)
    local s = math.sqrt(total(list, function(x) return (x + 0.0) ^ 2 end))
    return s, s * growth(#list)
  end,
  logsumexp = logsumexp,
  min = function(list) return list[best(list, less)] end,
  max = function(list) return list[best(list, greater)] end,
  argmin = function(list) return best(list, less) end,
  argmax = function(list) return best(list, greater) end,
  any = function(list) return truth(total(list, function(x) return truth(x ~= 0) end) > 0) end,
  all = function(list) return truth(total(list, function(x) return truth(x == 0) end) == 0) end,
}

-- Along an axis ---------------------------------------------------------------------------------------

--- f(list) -> list, magnitudes on every line along an axis; f may change the length.
function reference.along(a, axis, f)
  axis = positive(axis, #a.shape)
  local shape = table.move(a.shape, 1, #a.shape, 1, {})
  local strides, results = reference.strides(a.shape), {}
  shape[axis] = 1
  local starts, length = reference.positions(shape, strides), nil
  for n, start in ipairs(starts) do
    local line = {}
    for i = 1, a.shape[axis] do line[i] = a.data[start + (i - 1) * strides[axis]] end
    local values, magnitude = f(line)
    results[n], length = { values, magnitude }, #values
  end
  if not length then -- no line at all: ask what one of zeros would give
    local line = {}
    for i = 1, a.shape[axis] do line[i] = 0 end
    length = #(f(line))
  end
  shape[axis] = length
  local new_strides, data, magnitude = reference.strides(shape), {}, {}
  shape[axis] = 1
  for n, start in ipairs(reference.positions(shape, new_strides)) do
    for i = 1, length do
      data[start + (i - 1) * new_strides[axis]] = results[n][1][i]
      if results[n][2] then magnitude[start + (i - 1) * new_strides[axis]] = results[n][2][i] end
    end
  end
  shape[axis] = length
  return reference.array(shape, data, next(magnitude) and magnitude)
end

function reference.cumsum(line)
  local sums, sizes, sum, size = {}, {}, 0, 0
  for i, x in ipairs(line) do
    sum, size = sum + x, size + math.abs(x)
    sums[i], sizes[i] = sum, size * growth(i)
  end
  return sums, not is_integer(line[1]) and sizes or nil
end

-- An error of eps * |x - max| in the exponent is a relative error of the result.
function reference.softmax(line)
  local whole = logsumexp(line)
  local values, sizes = {}, {}
  for i, x in ipairs(line) do
    values[i] = math.exp(x - whole)
    sizes[i] = values[i] * (growth(#line) + math.abs(x) + math.abs(whole))
  end
  return values, sizes
end

function reference.log_softmax(line)
  local whole, size = logsumexp(line)
  local values, sizes = {}, {}
  for i, x in ipairs(line) do values[i], sizes[i] = x - whole, math.abs(x) + size end
  return values, sizes
end

--- The places of a line's elements in sorted order; equal ones keep theirs, NaN goes last.
function reference.order(line, descending)
  local places = {}
  for i = 1, #line do places[i] = i end
  table.sort(places, function(i, j)
    local x, y = line[i], line[j]
    if x ~= x or y ~= y then
      if (x ~= x) ~= (y ~= y) then return y ~= y end
      return i < j
    end
    if x == y then return i < j end
    if descending then return x > y end
    return x < y
  end)
  return places
end

-- Products --------------------------------------------------------------------------------------------

--- NumPy's matmul: vectors, matrices, broadcast stacks.
function reference.matmul(a, b)
  local left, right = a.shape, b.shape
  local m = #left > 1 and left[#left - 1] or 1
  local k, n = left[#left], #right > 1 and right[#right] or 1
  local lead_a = table.move(left, 1, #left - 2, 1, {})
  local lead_b = table.move(right, 1, #right - 2, 1, {})
  local lead = assert(reference.broadcast(lead_a, lead_b))
  local function stack(x, own, rows, columns)
    local full = table.move(lead, 1, #lead, 1, {})
    full[#full + 1], full[#full + 2] = rows, columns
    own[#own + 1], own[#own + 2] = rows, columns
    return reference.expand(reference.array(own, x.data), full).data
  end
  local x, y = stack(a, lead_a, m, k), stack(b, lead_b, k, n)
  local data, magnitude = {}, {}
  for batch = 0, reference.count(lead) - 1 do
    for i = 0, m - 1 do
      for j = 1, n do
        local sum, size, at = 0.0, 0.0, batch * m * k + i * k
        for l = 1, k do
          local product = x[at + l] * y[batch * k * n + (l - 1) * n + j]
          sum, size = sum + product, size + math.abs(product)
        end
        data[#data + 1], magnitude[#magnitude + 1] = sum, size * growth(k)
      end
    end
  end
  local shape = lead
  if #left > 1 then shape[#shape + 1] = m end
  if #right > 1 then shape[#shape + 1] = n end
  local result = reference.array(shape, data, magnitude)
  result.number = #shape == 0
  return result
end

--- beta * t + a·b, t being expanded to the product's shape.
function reference.addmm(beta, t, a, b)
  local product = reference.matmul(a, b)
  for i, x in ipairs(reference.expand(t, product.shape).data) do
    product.data[i] = product.data[i] + beta * x
    product.magnitude[i] = product.magnitude[i] + math.abs(beta * x)
  end
  return product
end

-- Indexing --------------------------------------------------------------------------------------------

--- result[i][j]… = a at index[i][j]… along the axis; index may be shorter on the other axes.
function reference.gather(a, axis, index)
  axis = positive(axis, #a.shape)
  local strides, data = reference.strides(a.shape), {}
  local others = table.move(strides, 1, #strides, 1, {})
  others[axis] = 0
  for i, position in ipairs(reference.positions(index.shape, others)) do
    data[i] = a.data[position + (index.data[i] - 1) * strides[axis]]
  end
  return reference.array(index.shape, data)
end

function reference.index_select(a, axis, index)
  return reference.along(a, axis, function(line)
    local chosen = {}
    for i, place in ipairs(index.data) do chosen[i] = line[place] or 0 end
    return chosen
  end)
end

function reference.index_add(a, axis, index, source, round)
  axis = positive(axis, #a.shape)
  local result = reference.array(a.shape, table.move(a.data, 1, #a.data, 1, {}))
  local strides, from = reference.strides(a.shape), reference.strides(source.shape)
  local rest = table.move(a.shape, 1, #a.shape, 1, {})
  rest[axis] = 1
  local starts, sources = reference.positions(rest, strides), reference.positions(rest, from)
  for i, place in ipairs(index.data) do
    for n, start in ipairs(starts) do
      local at = start + (place - 1) * strides[axis]
      result.data[at] = round(result.data[at] + source.data[sources[n] + (i - 1) * from[axis]])
    end
  end
  return result
end

function reference.masked_select(a, mask)
  local keep, data = reference.expand(mask, a.shape).data, {}
  for i, x in ipairs(a.data) do
    if keep[i] ~= 0 then data[#data + 1] = x end
  end
  return reference.array({ #data }, data)
end

--- One row of 1-based indices for each element that is not 0.
function reference.nonzero(a)
  local data, rows, strides = {}, 0, reference.strides(a.shape)
  for i, x in ipairs(a.data) do
    if x ~= 0 then
      rows = rows + 1
      for axis, size in ipairs(a.shape) do data[#data + 1] = (i - 1) // strides[axis] % size + 1 end
    end
  end
  return reference.array({ rows, #a.shape }, data)
end

function reference.concatenate(arrays, axis)
  axis = positive(axis, #arrays[1].shape)
  local shape = table.move(arrays[1].shape, 1, #arrays[1].shape, 1, {})
  shape[axis] = 0
  for _, a in ipairs(arrays) do shape[axis] = shape[axis] + a.shape[axis] end
  local strides, data, done = reference.strides(shape), {}, 0
  for _, a in ipairs(arrays) do
    for i, position in ipairs(reference.positions(a.shape, strides, 1 + done * strides[axis])) do
      data[position] = a.data[i]
    end
    done = done + a.shape[axis]
  end
  return reference.array(shape, data)
end

return reference
