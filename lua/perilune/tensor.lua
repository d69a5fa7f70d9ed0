-- Tensors in Lua: constructors, the sugar that needs no kernel, and printing. The methods
-- themselves are C (core.methods); lua/perilune/meta/tensor.lua documents each of them.
local core = require "perilune.core"
local check = require "perilune.check"

local methods = core.methods
local constructors = {}

-- Splits `2, 3, "float64"` or `{2, 3}, "float64"` into a shape and a dtype.
local function shape_and_dtype(fn, first, ...)
  if type(first) ~= "number" then
    check.arg(select("#", ...) <= 1, fn, "dtype", "one dtype after the shape", (select(2, ...)))
    return first, (...)
  end
  local list = table.pack(first, ...)
  local dtype
  if type(list[list.n]) ~= "number" then dtype, list.n = list[list.n], list.n - 1 end
  return table.move(list, 1, list.n, 1, {}), dtype
end

--- A tensor from a number or a nested table: `pl.tensor{ {1, 2}, {3, 4} }` has shape {2, 2}.
---@param values number|table
---@param dtype? string "float32" (default), "float64", "uint8" or "int32"
---@return Tensor
function constructors.tensor(values, dtype)
  if core.is_tensor(values) then
    if dtype == nil then dtype = values:dtype() end
    return core.empty(values:shape(), dtype, "tensor"):copy_(values)
  end
  return core.from_table(values, dtype)
end

--- A tensor of that shape whose numbers are not set: fill it before reading it.
---@param ... integer|integer[]|string sizes, or one list of them, and a dtype
---@return Tensor
function constructors.empty(...)
  return core.empty(shape_and_dtype("empty", ...))
end

--- A tensor of zeros: `pl.zeros(2, 3)`, `pl.zeros({2, 3}, "float64")`.
---@param ... integer|integer[]|string sizes, or one list of them, and a dtype
---@return Tensor
function constructors.zeros(...)
  local shape, dtype = shape_and_dtype("zeros", ...)
  return core.full(shape, 0, dtype, "zeros")
end

--- A tensor of ones: `pl.ones(2, 3)`, `pl.ones({2, 3}, "uint8")`.
---@param ... integer|integer[]|string sizes, or one list of them, and a dtype
---@return Tensor
function constructors.ones(...)
  local shape, dtype = shape_and_dtype("ones", ...)
  return core.full(shape, 1, dtype, "ones")
end

--- A tensor with every element set to `value`.
---@param shape integer|integer[]
---@param value number
---@param dtype? string
---@return Tensor
function constructors.full(shape, value, dtype)
  return core.full(shape, value, dtype)
end

local function finite(value, fn, name)
  check.arg(type(value) == "number" and value - value == 0, fn, name, "a finite number", value)
  return value
end

--- The numbers of a Lua `for` loop, last one included (up to rounding): `pl.arange(1, 9, 2)` is
--- 1, 3, 5, 7, 9; `pl.arange(5)` is 1 … 5.
---@param first number
---@param last? number
---@param step? number 1 by default, not 0
---@param dtype? string
---@return Tensor rank 1
function constructors.arange(first, last, step, dtype)
  if last == nil then first, last = 1, first end
  first, last = finite(first, "arange", "first"), finite(last, "arange", "last")
  step = finite(step == nil and 1 or step, "arange", "step")
  check.arg(step ~= 0, "arange", "step", "a step other than 0", step)
  local n = math.max(0, math.floor((last - first) / step + 1e-9) + 1)
  check.arg(n < 2 ^ 53, "arange", "step", "fewer than 2^53 numbers from first to last", step)
  return core.ramp("arange", n, first, step, dtype)
end

--- `n` numbers at equal distances from `first` to `last`, both included.
---@param first number
---@param last number
---@param n integer
---@param dtype? string "float32" (default) or "float64"
---@return Tensor rank 1
function constructors.linspace(first, last, n, dtype)
  finite(first, "linspace", "first")
  finite(last, "linspace", "last")
  n = check.integer(n, "linspace", "n", 0)
  check.arg(dtype == nil or dtype == "float32" or dtype == "float64", "linspace", "dtype",
    '"float32" or "float64"', dtype)
  local t = core.ramp("linspace", n, first, n > 1 and (last - first) / (n - 1) or 0, dtype)
  if n > 1 then t[n] = last end
  return t
end

--- A matrix with ones on its diagonal: `pl.eye(3)`, `pl.eye(2, 3, "float64")`.
---@param n integer rows
---@param m? integer|string columns (n by default), or the dtype
---@param dtype? string
---@return Tensor
function constructors.eye(n, m, dtype)
  if type(m) == "string" then m, dtype = nil, m end
  n = check.integer(n, "eye", "n", 0)
  m = m == nil and n or check.integer(m, "eye", "m", 0)
  local t = core.full({ n, m }, 0, dtype, "eye")
  local diagonal = math.min(n, m)
  if diagonal > 0 then -- every (m + 1)th element
    t:view(-1):slice(1, 1, (diagonal - 1) * (m + 1) + 1, m + 1):fill_(1)
  end
  return t
end

local function like(fn, t, dtype)
  check.arg(core.is_tensor(t), fn, "t", "a tensor", t)
  if dtype == nil then dtype = t:dtype() end
  return t:shape(), dtype
end

--- An uninitialised tensor of t's shape, and dtype unless another is given.
---@param t Tensor
---@param dtype? string
---@return Tensor
function constructors.empty_like(t, dtype)
  local shape, kind = like("empty_like", t, dtype)
  return core.empty(shape, kind, "empty_like")
end

--- Zeros in t's shape, and dtype unless another is given.
---@param t Tensor
---@param dtype? string
---@return Tensor
function constructors.zeros_like(t, dtype)
  local shape, kind = like("zeros_like", t, dtype)
  return core.full(shape, 0, kind, "zeros_like")
end

--- Ones in t's shape, and dtype unless another is given.
---@param t Tensor
---@param dtype? string
---@return Tensor
function constructors.ones_like(t, dtype)
  local shape, kind = like("ones_like", t, dtype)
  return core.full(shape, 1, kind, "ones_like")
end

--- A value in t's shape, and dtype unless another is given.
---@param t Tensor
---@param value number
---@param dtype? string
---@return Tensor
function constructors.full_like(t, value, dtype)
  local shape, kind = like("full_like", t, dtype)
  return core.full(shape, value, kind, "full_like")
end

local function check_self(self, fn) check.arg(core.is_tensor(self), fn, "self", "a tensor", self) end

for short, dtype in pairs { float = "float32", double = "float64", byte = "uint8", int = "int32" } do
  methods[short] = function(self)
    check_self(self, short)
    return self:to(dtype)
  end
end

methods.where = core.where

function methods.zero_(self)
  check_self(self, "zero_")
  return self:fill_(0)
end

function methods.flatten(self)
  check_self(self, "flatten")
  return self:reshape(self:numel())
end

--- The product of two vectors, a number.
function methods.dot(self, other)
  check.arg(core.is_tensor(self) and self:rank() == 1, "dot", "self", "a tensor of rank 1", self)
  check.arg(core.is_tensor(other) and other:rank() == 1 and #other == #self and other:dtype() == self:dtype(),
    "dot", "other", ("a tensor {%d} %s like self"):format(#self, self:dtype()), other)
  check.arg(self:dtype():find("float", 1, true), "dot", "self", "a tensor of dtype float32 or float64", self)
  return self:matmul(other)
end

-- What NumPy and PyTorch call it.
local ELSEWHERE <const> = {
  T = "t", astype = "to", cast = "to", type = "dtype", copy = "clone", numpy = "totable", tolist = "totable",
  ndim = "rank", dim = "rank", nelement = "numel", len = "size", length = "size", long = "int",
  ravel = "flatten", swapaxes = "transpose", broadcast_to = "expand", mm = "matmul", bmm = "matmul",
  multiply = "mul", subtract = "sub", divide = "div", power = "pow", absolute = "abs", amax = "max",
  amin = "min", equals = "equal", less = "lt", greater = "gt", less_equal = "le", greater_equal = "ge",
  take = "index_select", fill = "fill_", zero = "zero_",
}

-- t.name or t:name() of a name that is no method.
function core.metatable.missing(_, name)
  if name:find "^[%d:,%s-]*$" then
    check.raise("index: a string is no index, got %s; a slice is written t[{ {first, last}, {} }]",
      core.describe(name))
  end
  local ours = ELSEWHERE[name]
  if ours then check.raise("tensor has no method '%s'; perilune's is t:%s()", name, ours) end
  check.no_field("tensor has no method", name, methods)
end

-- Printing: the shape and dtype, then the numbers, of a long axis only both ends.

local EDGE <const>, LONGEST <const>, CROWD <const> = 3, 10, 1000

-- The indices of the first axis to show; false stands for the gap. A crowd shows only the first and last of
-- its matrices, whatever the rank.
local function shown(t, crowded)
  local size, edge, longest, list = t:size(1), EDGE, LONGEST, {}
  if crowded and t:rank() > 2 then edge, longest = 1, 2 end
  if size <= longest then edge = size end
  for i = 1, math.min(edge, size) do list[#list + 1] = i end
  if size > longest then list[#list + 1] = false end
  for i = math.max(size - edge, edge) + 1, size do list[#list + 1] = i end
  return list
end

-- One format for all the numbers shown, so that columns line up.
local function number_format(numbers)
  local whole, largest, smallest = true, 0, math.huge
  for _, x in ipairs(numbers) do
    if x - x == 0 then
      local size = math.abs(x)
      whole = whole and x == math.floor(x)
      largest = math.max(largest, size)
      if size > 0 then smallest = math.min(smallest, size) end
    end
  end
  if whole and largest < 1e9 then return "%.0f" end
  if largest >= 1e6 or (largest > 0 and largest < 1e-3) or largest / smallest > 1e8 then return "%.4e" end
  return "%.4f"
end

-- The numbers of the rows and columns shown of every matrix shown, in order of printing.
local function collect(t, numbers, crowded)
  if t:rank() == 0 then
    numbers[#numbers + 1] = t:item()
    return numbers
  end
  for _, i in ipairs(shown(t, crowded)) do
    if i then
      if t:rank() == 1 then numbers[#numbers + 1] = t[i] else collect(t[i], numbers, crowded) end
    end
  end
  return numbers
end

local function row_text(t, cell)
  local cells = {}
  for k, i in ipairs(shown(t)) do cells[k] = i and cell(t[i]) or "…" end
  return table.concat(cells, "  ")
end

local function append(lines, t, cell, prefix, crowded)
  local rank = t:rank()
  if rank == 1 then
    lines[#lines + 1] = "  " .. row_text(t, cell)
    return
  end
  if rank == 2 and prefix ~= "" then lines[#lines + 1] = ("[%s:, :]"):format(prefix) end
  for _, i in ipairs(shown(t, crowded)) do
    if not i then
      lines[#lines + 1] = rank == 2 and "  …" or "…"
    elseif rank == 2 then
      lines[#lines + 1] = "  " .. row_text(t[i], cell)
    else
      append(lines, t[i], cell, prefix .. i .. ", ", crowded)
    end
  end
end

local function tostring_tensor(t)
  check_self(t, "tostring")
  local title = core.describe(t)
  if t:numel() == 0 then return title end
  local crowded = t:numel() > CROWD
  local numbers = collect(t, {}, crowded)
  local format = number_format(numbers)
  local width = 0
  local function plain(x)
    if x ~= x then return "nan" end
    if x - x ~= 0 then return x > 0 and "inf" or "-inf" end
    return (format:format(x):gsub("^%-(0%.?0*)$", "%1"))
  end
  for _, x in ipairs(numbers) do width = math.max(width, #plain(x)) end
  if t:rank() == 0 then return title .. "\n  " .. plain(t:item()) end
  local lines = { title }
  append(lines, t, function(x) return (" "):rep(width - #plain(x)) .. plain(x) end, "", crowded)
  return table.concat(lines, "\n")
end

core.metatable.__tostring = tostring_tensor

return constructors
