-- The one table of operations. A row says all that the tests need to know about an operation:
--   name       the tensor method (and pl.<name>), or with `call` whatever that calls
--   operands   for each tensor the domain of its numbers (layouts.domains)
--   dtypes     those it is defined for; every other one must raise
--   fixed      { [operand] = dtype } for operands that do not follow the row's dtype
--   instances  a list of { shape of operand 1, shape of operand 2, …, args = {…}, axis = … };
--              elementwise rows have those of layouts.shapes and layouts.pairs
--   call       function(pl, operands, args) -> results; by default operands[1]:name(operands[2] …, args …)
--   reference  function(arrays, args, round) -> arrays, from reference.lua
--   result     dtype of the results when not the row's: a name, a function of the dtype, or a list of these
--   eps        the bound on the error, in machine epsilons of the magnitude that the reference gives (by
--              default the result's own): 0 (the default) where IEEE arithmetic is exact or correctly
--              rounded, and for integers; 2 for a function that a good math library gets right but for
--              the last bit, 4 where a few roundings compose, 8 where the reference itself is a series;
--              sums carry their own growth
--   in_place   name_ exists, agrees in every layout, and gives the same bits where all is contiguous
--   mutates    the operation writes into its first operand
--   mixed      operands of different dtypes raise
--   number     the second operand may be a number; operator: the same by Lua's operator
--   special    false, or "mild", where infinities, NaN and extreme floats are tested less
-- Whoever adds an operation adds its row; tensor_spec.lua fails otherwise. Layers, losses and optimizers
-- have theirs in cases/layers.lua, losses.lua and optimizers.lua.
local layouts = require "tests.layouts"
local reference = require "tests.reference"

local formulas, folds = reference.formulas, reference.folds

local FLOATS <const> = { "float32", "float64" }
local ALL <const> = { "float32", "float64", "uint8", "int32" }
local MASKS <const> = { "uint8" }

local rows = {}

local function add(row)
  row.eps, row.result = row.eps or 0, row.result or "same"
  rows[#rows + 1] = row
end

-- Elementwise -----------------------------------------------------------------------------------------

local function map_instances(operands)
  local list = {}
  for _, shape in ipairs(layouts.shapes) do
    local instance = {}
    for i = 1, operands do instance[i] = shape end
    list[#list + 1] = instance
  end
  if operands > 1 then
    for _, pair in ipairs(layouts.pairs) do
      list[#list + 1] = { pair[1], pair[2], operands > 2 and pair[1] or nil }
    end
  end
  return list
end

local function map(row)
  local formula = row.formula or formulas[row.name]
  row.instances = row.instances or map_instances(#row.operands)
  row.long = true
  row.map = true
  row.mixed = row.mixed == nil and #row.operands > 1 or row.mixed
  row.reference = row.reference or function(arrays, _, round)
    return reference.map(formula, round, table.unpack(arrays))
  end
  add(row)
end

-- name, dtypes, domain, eps
for _, row in ipairs {
  { "neg", ALL, "any", 0, function(a) return -a end }, { "abs", ALL, "any", 0 }, { "sign", ALL, "any", 0 },
  { "square", ALL, "any", 0 }, { "relu", ALL, "any", 0 }, { "floor", FLOATS, "any", 0 },
  { "ceil", FLOATS, "any", 0 }, { "round", FLOATS, "any", 0 }, { "trunc", FLOATS, "any", 0 },
  { "sqrt", FLOATS, "positive", 0 }, { "rsqrt", FLOATS, "positive", 2 },
  { "reciprocal", FLOATS, "not_zero", 0 },
  { "exp", FLOATS, "any", 2 }, { "expm1", FLOATS, "any", 4 }, { "log", FLOATS, "positive", 2 },
  { "log1p", FLOATS, "above_minus_one", 4 }, { "sin", FLOATS, "any", 2 }, { "cos", FLOATS, "any", 2 },
  { "tanh", FLOATS, "any", 4 }, { "erf", FLOATS, "small", 8 }, { "sigmoid", FLOATS, "any", 4 },
  { "softplus", FLOATS, "any", 4 },
} do
  map {
    name = row[1], dtypes = row[2], operands = { row[3] }, eps = row[4], operator = row[5], in_place = true,
  }
end

for _, name in ipairs { "isnan", "isinf", "isfinite" } do
  map { name = name, dtypes = FLOATS, operands = { "any" }, result = "uint8" }
end

map {
  name = "logical_not", dtypes = MASKS, operands = { "mask" }, in_place = true,
  operator = function(a) return ~a end,
}

-- name, dtypes, domains, eps, operator
for _, row in ipairs {
  { "add", ALL, "any", "any", 0, function(a, b) return a + b end },
  { "sub", ALL, "any", "any", 0, function(a, b) return a - b end },
  { "mul", ALL, "any", "any", 0, function(a, b) return a * b end },
  { "div", FLOATS, "any", "not_zero", 0, function(a, b) return a / b end },
  { "pow", FLOATS, "positive", "small", 2, function(a, b) return a ^ b end },
  { "floor_divide", ALL, "any", "not_zero", 0, function(a, b) return a // b end, "mild" },
  { "mod", ALL, "any", "not_zero", 0, function(a, b) return a % b end, "mild" },
  { "maximum", ALL, "ties", "ties", 0 },
  { "minimum", ALL, "ties", "ties", 0 },
} do
  map {
    name = row[1], dtypes = row[2], operands = { row[3], row[4] }, eps = row[5], operator = row[6],
    special = row[7], number = true, in_place = true,
  }
end

for _, name in ipairs { "eq", "ne", "lt", "le", "gt", "ge" } do
  map { name = name, dtypes = ALL, operands = { "ties", "ties" }, result = "uint8", number = true }
end

for _, row in ipairs {
  { "logical_and", function(a, b) return a & b end },
  { "logical_or", function(a, b) return a | b end },
  { "logical_xor", function(a, b) return a ~ b end },
} do
  map { name = row[1], dtypes = MASKS, operands = { "mask", "mask" }, in_place = true, operator = row[2] }
end

-- t:add(other, scale): fused or not, within an epsilon of the larger term
map {
  name = "add", label = "add scaled", dtypes = FLOATS, operands = { "any", "any" }, eps = 2, special = false,
  in_place = true, args = { -0.75 },
  reference = function(arrays, args)
    local sum = reference.map(function(a, b) return a + args[1] * b end, nil, table.unpack(arrays))
    sum.magnitude = reference.map(function(a, b) return math.abs(a) + math.abs(args[1] * b) end, nil,
      table.unpack(arrays)).data
    return sum
  end,
}

for _, bounds in ipairs { { -1, 2 }, { 1 }, { nil, 2 }, {} } do
  map {
    name = "clamp", label = ("clamp(%s, %s)"):format(bounds[1], bounds[2]), dtypes = ALL,
    operands = { "any" },
    in_place = true, args = table.pack(bounds[1], bounds[2]),
    reference = function(arrays, args, round)
      local low = args[1]
      if arrays.dtype == "uint8" and low == -1 then low = nil end
      return reference.map(function(x) return round(reference.clamp(x, low, args[2])) end, round, arrays[1])
    end,
  }
end

map {
  name = "where", dtypes = ALL, operands = { "mask", "any", "any" }, fixed = { "uint8" },
  call = function(pl, operands) return pl.where(table.unpack(operands)) end,
}

map {
  name = "masked_fill", dtypes = ALL, operands = { "any", "mask" }, fixed = { [2] = "uint8" },
  in_place = true,
  args = { 3 }, mixed = false, special = false,
  instances = {
    { {}, {} }, { { 0 }, { 0 } }, { { 17 }, { 17 } }, { { 3, 5 }, { 3, 5 } }, { { 2, 0, 3 }, { 2, 0, 3 } },
    { { 3, 5 }, { 5 } }, { { 2, 3, 4 }, { 3, 1 } }, { { 1031 }, { 1031 } },
  },
  reference = function(arrays, args, round)
    local value = round(args[1])
    return reference.map(function(x, mask) return mask ~= 0 and value or x end, nil, table.unpack(arrays))
  end,
}

-- Casts: one row for each dtype to go to; large values saturate
for _, dtype in ipairs(ALL) do
  local short = { float32 = "float", float64 = "double", uint8 = "byte", int32 = "int" }
  local function cast(arrays)
    return reference.map(function(x) return reference.cast(x, dtype) end, nil, arrays[1])
  end
  map {
    name = "to", label = "to " .. dtype, dtypes = ALL, operands = { "any" }, args = { dtype }, result = dtype,
    reference = cast,
  }
  map { name = short[dtype], dtypes = ALL, operands = { "any" }, result = dtype, reference = cast }
end

for _, name in ipairs { "clone", "contiguous" } do
  map { name = name, dtypes = ALL, operands = { "any" }, reference = function(arrays) return arrays[1] end }
end

local function constant(array, value) return reference.map(function() return value end, nil, array) end

map {
  name = "fill_", dtypes = ALL, operands = { "any" }, args = { 3 }, mutates = true,
  reference = function(arrays, args, round) return constant(arrays[1], round(args[1])) end,
}
map {
  name = "zero_", dtypes = ALL, operands = { "any" }, mutates = true,
  reference = function(arrays, _, round) return constant(arrays[1], round(0)) end,
}

-- copy_ casts: from each dtype
for _, from in ipairs(ALL) do
  map {
    name = "copy_", label = "copy_ from " .. from, dtypes = ALL, operands = { "any", "any" },
    fixed = { [2] = from },
    mutates = true, mixed = false, special = false,
    instances = {
      { {}, {} }, { { 0 }, { 0 } }, { { 17 }, { 17 } }, { { 3, 5 }, { 5 } }, { { 2, 3, 4 }, { 3, 1 } },
      { { 4, 2, 3 }, {} }, { { 1031 }, { 1 } },
    },
    reference = function(arrays)
      local function cast(_, x) return reference.cast(x, arrays.dtype) end
      return reference.map(cast, nil, table.unpack(arrays))
    end,
  }
end

-- Reductions ------------------------------------------------------------------------------------------

local REDUCED <const> = {
  { { 7 }, 1 }, { { 65 }, -1 }, { { 3, 5 } }, { { 3, 5 }, 1 }, { { 3, 5 }, -1 }, { { 3, 5 }, { 2, 1 } },
  { { 17, 65 }, 1 }, { { 17, 65 }, 2 }, { { 66, 9 }, 1 }, { { 2, 3, 4, 5 }, { 1, 3 } },
  { { 2, 3, 4, 5 }, { -1, 2 } },
  { { 2, 3, 4, 5 }, { 1, 2, 3 } }, { { 2, 3, 4, 5 }, 3 }, { { 1, 2, 1, 3, 1, 2 }, { 2, 4, 6 } }, { {} },
  { { 1 } },
  { { 1031 } }, { { 5, 1, 7 } }, { { 2, 0, 3 }, 1 }, { { 2, 0, 3 }, { 1, 3 } }, { { 3, 300 }, 2 },
  { { 300, 3 }, 1 },
  { { 40000 } }, { { 130, 131 }, 1 }, { { 130, 131 }, 2 }, { { 9, 4100 }, 2 },
}
local REDUCED_EMPTY <const> = {
  { { 0 } }, { { 0 }, 1 }, { { 2, 0, 3 } }, { { 2, 0, 3 }, 2 }, { { 2, 0, 3 }, { 1, 2 } },
}

local function reduction_instances(row)
  local list = {}
  for _, source in ipairs { REDUCED, row.empty and REDUCED_EMPTY or {} } do
    for _, case in ipairs(source) do
      local shape, axes = case[1], case[2]
      if not (row.few and reference.count(shape) > 300) then
        list[#list + 1] = { shape, args = { axes, n = 1 } }
        if reference.count(shape) < 100 then list[#list + 1] = { shape, args = { axes, true, n = 2 } } end
      end
    end
  end
  return list
end

local function reduction(row)
  row.instances = reduction_instances(row)
  row.reference = function(arrays, args)
    local result = reference.reduce(arrays[1], args[1], args[2], row.fold or folds[row.name])
    result.boolean = row.boolean
    return result
  end
  row.eps = row.eps or 4
  add(row)
end

local function sums(dtype) return dtype == "uint8" and "int32" or dtype end
local function means(dtype) return dtype == "float64" and dtype or "float32" end

reduction { name = "sum", dtypes = ALL, operands = { "small" }, result = sums, empty = true }
reduction { name = "prod", dtypes = ALL, operands = { "near_one" }, result = sums, empty = true, few = true }
for _, name in ipairs { "mean", "var", "std" } do
  reduction { name = name, dtypes = ALL, operands = { "small" }, result = means, empty = true }
end
reduction { name = "norm", dtypes = ALL, operands = { "small" }, result = means, empty = true }
reduction { name = "logsumexp", dtypes = ALL, operands = { "small" }, result = means, empty = true }
for _, name in ipairs { "min", "max" } do
  reduction { name = name, dtypes = ALL, operands = { "any" }, eps = 0 }
end
for _, name in ipairs { "argmin", "argmax" } do
  reduction { name = name, dtypes = ALL, operands = { "ties" }, result = "int32", eps = 0 }
end
reduction {
  name = "any", dtypes = ALL, operands = { "mask_like" }, result = "uint8", boolean = true, empty = true,
  eps = 0,
}
reduction {
  name = "all", dtypes = ALL, operands = { "mostly_true" }, result = "uint8", boolean = true, empty = true,
  eps = 0,
}

-- Options in a table, after the axes
for _, name in ipairs { "var", "std" } do
  add {
    name = name, label = name .. " with correction", dtypes = ALL, operands = { "small" }, eps = 4,
    result = means,
    instances = {
      { { 5 }, args = { { 1, correction = 1 } } },
      { { 3, 5 }, args = { { 1, correction = 1, keepdims = true } } },
      { { 4, 3, 5 }, args = { { -1, 1, correction = 2 } } }, { { 4, 3 }, args = { { correction = 1 } } },
    },
    reference = function(arrays, args)
      local options, axes = args[1], nil
      if options[1] then axes = table.move(options, 1, #options, 1, {}) end
      return reference.reduce(arrays[1], axes, options.keepdims, function(list)
        return folds[name](list, options.correction)
      end)
    end,
  }
end

-- Along an axis ---------------------------------------------------------------------------------------

local LINES <const> = {
  { { 1 }, 1 }, { { 0 }, 1 }, { { 17 }, 1 }, { { 3, 5 }, 1 }, { { 3, 5 }, -1 }, { { 17, 65 }, 1 },
  { { 17, 65 }, 2 },
  { { 2, 3, 4, 5 }, 2 }, { { 2, 3, 4, 5 }, -2 }, { { 2, 0, 3 }, 3 }, { { 2, 0, 3 }, 2 }, { { 1031 }, 1 },
  { { 1, 2, 1, 3, 1, 2 }, 4 }, { { 3, 300 }, 2 }, { { 300, 3 }, 1 }, { { 1500, 3 }, -1 },
}

local function lines(...)
  local list = {}
  for _, case in ipairs(LINES) do list[#list + 1] = { case[1], axis = case[2], args = { case[2], ... } } end
  return list
end

local function along(row)
  row.instances = row.instances or lines()
  row.reference = row.reference or function(arrays, args)
    return reference.along(arrays[1], args[1], reference[row.name])
  end
  row.eps = row.eps or 4
  add(row)
end

along { name = "cumsum", dtypes = ALL, operands = { "small" }, result = sums }
along { name = "softmax", dtypes = FLOATS, operands = { "any" } }
along { name = "log_softmax", dtypes = FLOATS, operands = { "any" } }

-- Sorting: stable, so that indices are exact ones
local function places(line, descending, k)
  local order = reference.order(line, descending)
  return k and table.move(order, 1, k, 1, {}) or order
end

local function sorting(name, instances, order_of)
  along {
    name = name, dtypes = ALL, operands = { "ties" }, instances = instances, eps = 0,
    result = name == "argsort" and "int32" or { "same", "int32" },
    reference = function(arrays, args)
      local order = order_of(args)
      local indices = reference.along(arrays[1], order.axis, function(line)
        return places(line, order.descending, order.k)
      end)
      if name == "argsort" then return indices end
      return reference.gather(arrays[1], order.axis, indices), indices
    end,
  }
end

for _, name in ipairs { "sort", "argsort" } do
  local instances = lines(true)
  table.move(lines(), 1, #LINES, #instances + 1, instances)
  instances[#instances + 1] = { { 3, 5 }, args = {} }
  sorting(name, instances, function(args) return { axis = args[1] or -1, descending = args[2] } end)
end
sorting("topk", {
  { { 17 }, args = { 3 } }, { { 17 }, args = { 17, 1, false } }, { { 5, 3 }, args = { 2, 1 } },
  { { 5, 30 }, args = { 4, -1, false } }, { { 2, 40, 3 }, args = { 7, 2, true } }, { { 4 }, args = { 0 } },
  { { 1031 }, args = { 5 } }, { { 2, 0, 3 }, args = { 2, 3 } },
}, function(args)
  return { axis = args[2] or -1, descending = args[3] == nil or args[3], k = args[1] }
end)

-- Products --------------------------------------------------------------------------------------------

add {
  name = "matmul", dtypes = FLOATS, operands = { "small", "small" }, eps = 4, mixed = true,
  instances = {
    { { 1, 1 }, { 1, 1 } }, { { 3, 5 }, { 5, 17 } }, { { 17, 65 }, { 65, 3 } }, { { 5 }, { 5 } },
    { { 5 }, { 5, 3 } },
    { { 3, 5 }, { 5 } }, { { 4, 3, 5 }, { 5, 2 } }, { { 4, 3, 5 }, { 4, 5, 2 } },
    { { 2, 1, 3, 4 }, { 5, 4, 2 } },
    { { 3, 4 }, { 2, 3, 4, 5 } }, { { 5 }, { 2, 5, 3 } }, { { 2, 3, 5 }, { 5 } }, { { 3, 0 }, { 0, 4 } },
    { { 0, 3 }, { 3, 2 } }, { { 3, 2 }, { 2, 0 } }, { { 0, 2, 3 }, { 3, 2 } }, { { 2, 3, 0 }, { 0, 2 } },
    { { 0 }, { 0 } }, { { 33, 129 }, { 129, 35 } }, { { 1, 257 }, { 257, 5 } }, { { 100, 3 }, { 3, 140 } },
    -- more rows, steps and columns than our own kernel takes at a time
    { { 260, 2 }, { 2, 19 } }, { { 18, 259 }, { 259, 67 } }, { { 67, 3 }, { 3, 261 } },
    { { 9, 2 }, { 2, 530 } },
    { { 1, 2, 1, 1, 2, 3 }, { 2, 1, 2, 1, 3, 2 } }, { { 1, 33 }, { 33, 1 } }, { { 70, 1 }, { 1, 70 } },
  },
  reference = function(arrays) return reference.matmul(table.unpack(arrays)) end,
}
add {
  name = "addmm", dtypes = FLOATS, operands = { "small", "small", "small" }, eps = 4, mixed = true,
  instances = {
    { { 1, 1 }, { 1, 1 }, { 1, 1 } }, { { 3, 17 }, { 3, 5 }, { 5, 17 }, args = { 0.5 } },
    { { 17 }, { 3, 5 }, { 5, 17 } }, { { 3, 1 }, { 3, 5 }, { 5, 17 }, args = { -2 } },
    { {}, { 3, 2 }, { 2, 4 } }, { { 3, 4 }, { 3, 0 }, { 0, 4 }, args = { 3 } },
    { { 0, 4 }, { 0, 3 }, { 3, 4 } },
    { { 4 }, { 2, 0 }, { 0, 4 } }, { { 1 }, { 5, 7 }, { 7, 1 } }, { { 67 }, { 260, 19 }, { 19, 67 } },
    { { 67, 261 }, { 67, 300 }, { 300, 261 }, args = { 0.25 } }, { { 9, 530 }, { 9, 2 }, { 2, 530 } },
  },
  reference = function(arrays, args) return reference.addmm(args[1] or 1, table.unpack(arrays)) end,
}
add {
  name = "dot", dtypes = FLOATS, operands = { "small", "small" }, eps = 4, mixed = true,
  instances = {
    { { 0 }, { 0 } }, { { 1 }, { 1 } }, { { 17 }, { 17 } }, { { 1031 }, { 1031 } }, { { 40000 }, { 40000 } },
  },
  reference = function(arrays) return reference.matmul(table.unpack(arrays)) end,
}

-- Indexing --------------------------------------------------------------------------------------------

local function index_call(name)
  return function(_, operands, args)
    local self, index, source = table.unpack(operands)
    return self[name](self, args[1], index, source)
  end
end

add {
  name = "gather", dtypes = ALL, operands = { "any", "indices" }, fixed = { [2] = "int32" },
  call = index_call("gather"),
  instances = {
    { { 5 }, { 3 }, axis = 1, args = { 1 } }, { { 3, 5 }, { 3, 2 }, axis = 2, args = { 2 } },
    { { 3, 5 }, { 7, 5 }, axis = 1, args = { 1 } }, { { 2, 3, 4 }, { 2, 3, 6 }, axis = -1, args = { -1 } },
    { { 2, 3, 4 }, { 2, 1, 4 }, axis = 2, args = { 2 } }, { { 4, 3 }, { 0, 3 }, axis = 1, args = { 1 } },
    { { 65, 10 }, { 65, 1 }, axis = 2, args = { 2 } }, { { 1031 }, { 2000 }, axis = 1, args = { 1 } },
  },
  reference = function(arrays, args) return reference.gather(arrays[1], args[1], arrays[2]) end,
}
add {
  name = "index_select", dtypes = ALL, operands = { "any", "indices" }, fixed = { [2] = "int32" },
  call = index_call("index_select"),
  instances = {
    { { 5 }, { 3 }, axis = 1, args = { 1 } }, { { 3, 5 }, { 7 }, axis = 2, args = { 2 } },
    { { 3, 5 }, { 2 }, axis = 1, args = { 1 } }, { { 2, 3, 4 }, { 5 }, axis = -2, args = { -2 } },
    { { 2, 3, 4 }, { 0 }, axis = 3, args = { 3 } }, { { 65, 10 }, { 100 }, axis = 1, args = { 1 } },
    { { 4, 0 }, { 3 }, axis = 1, args = { 1 } }, { { 200, 300 }, { 250 }, axis = 1, args = { 1 } },
  },
  reference = function(arrays, args) return reference.index_select(arrays[1], args[1], arrays[2]) end,
}
-- floats: each sum is rounded at every step, in the order of the indices
add {
  name = "index_add_", dtypes = ALL, operands = { "small", "indices", "small" }, fixed = { [2] = "int32" },
  call = index_call("index_add_"), mutates = true, mixed_operand = 3, mixed = true,
  instances = {
    { { 5 }, { 3 }, { 3 }, axis = 1, args = { 1 } }, { { 3, 5 }, { 7 }, { 3, 7 }, axis = 2, args = { 2 } },
    { { 3, 5 }, { 20 }, { 20, 5 }, axis = 1, args = { 1 } },
    { { 2, 3, 4 }, { 5 }, { 2, 5, 4 }, axis = -2, args = { -2 } },
    { { 2, 3, 4 }, { 0 }, { 2, 3, 0 }, axis = 3, args = { 3 } },
    { { 65, 10 }, { 100 }, { 100, 10 }, axis = 1, args = { 1 } },
    { { 4, 0 }, { 3 }, { 3, 0 }, axis = 1, args = { 1 } },
  },
  reference = function(arrays, args, round)
    return reference.index_add(arrays[1], args[1], arrays[2], arrays[3], round)
  end,
}
add {
  name = "masked_select", dtypes = ALL, operands = { "any", "mask" }, fixed = { [2] = "uint8" },
  instances = {
    { {}, {} }, { { 0 }, { 0 } }, { { 17 }, { 17 } }, { { 3, 5 }, { 3, 5 } }, { { 2, 0, 3 }, { 2, 0, 3 } },
    { { 2, 3, 4 }, { 2, 3, 4 } }, { { 1031 }, { 1031 } }, { { 130, 131 }, { 130, 131 } },
  },
  reference = function(arrays) return reference.masked_select(table.unpack(arrays)) end,
}
add {
  name = "nonzero", dtypes = ALL, operands = { "ties" }, result = "int32",
  instances = { { { 0 } }, { { 17 } }, { { 3, 5 } }, { { 2, 3, 4 } }, { { 2, 0, 3 } }, { { 1031 } } },
  reference = function(arrays) return reference.nonzero(arrays[1]) end,
}

-- Joining and cutting ---------------------------------------------------------------------------------

add {
  name = "concatenate", dtypes = ALL, operands = { "any", "any", "any" }, mixed = true,
  call = function(pl, operands, args) return pl.concatenate(operands, args[1]) end,
  instances = {
    { { 3 }, { 5 }, { 1 }, args = { 1 } }, { { 3, 5 }, { 2, 5 }, { 4, 5 }, args = { 1 } },
    { { 3, 5 }, { 3, 1 }, { 3, 7 }, args = { -1 } }, { { 2, 3, 4 }, { 2, 0, 4 }, { 2, 2, 4 }, args = { 2 } },
    { { 0 }, { 3 }, { 0 }, args = { 1 } }, { { 700, 3 }, { 1, 3 }, { 17, 3 }, args = { 1 } },
  },
  reference = function(arrays, args) return reference.concatenate(arrays, args[1]) end,
}
add {
  name = "stack", dtypes = ALL, operands = { "any", "any" }, mixed = true,
  call = function(pl, operands, args) return pl.stack(operands, args[1]) end,
  instances = {
    { {}, {}, args = { 1 } }, { { 3 }, { 3 }, args = { 1 } }, { { 3 }, { 3 }, args = { 2 } },
    { { 2, 3 }, { 2, 3 }, args = { 2 } }, { { 2, 3, 4 }, { 2, 3, 4 }, args = { -1 } },
    { { 0 }, { 0 }, args = { 1 } },
    { { 1, 2, 3, 1, 2 }, { 1, 2, 3, 1, 2 }, args = { 3 } },
  },
  reference = function(arrays, args)
    local axis, raised = args[1], {}
    if axis < 0 then axis = axis + #arrays[1].shape + 2 end
    for i, a in ipairs(arrays) do
      local shape = table.move(a.shape, 1, #a.shape, 1, {})
      table.insert(shape, axis, 1)
      raised[i] = reference.array(shape, a.data)
    end
    return reference.concatenate(raised, axis)
  end,
}
add {
  name = "split", dtypes = ALL, operands = { "any" },
  call = function(_, operands, args) return table.unpack(operands[1]:split(args[1], args[2])) end,
  result = { "same", "same", "same" },
  instances = {
    { { 7 }, args = { 3, 1 } }, { { 6, 5 }, args = { 2, 1 } }, { { 4, 8 }, args = { { 1, 5, 2 }, -1 } },
    { { 4, 5 }, args = { { 0, 5, 0 }, 2 } },
  },
  reference = function(arrays, args)
    local a, axis = arrays[1], args[2] < 0 and args[2] + #arrays[1].shape + 1 or args[2]
    local sizes, results, done, strides = args[1], {}, 0, reference.strides(a.shape)
    if type(sizes) == "number" then
      local left
      sizes, left = {}, a.shape[axis]
      while left > 0 do
        sizes[#sizes + 1] = math.min(args[1], left)
        left = left - args[1]
      end
    end
    for i, size in ipairs(sizes) do
      local shape = table.move(a.shape, 1, #a.shape, 1, {})
      shape[axis] = size
      results[i], done = reference.view(a, shape, strides, 1 + done * strides[axis]), done + size
    end
    return table.unpack(results)
  end,
}

-- Equality --------------------------------------------------------------------------------------------

local function verdict(truth)
  local result = reference.array({}, { truth and 1 or 0 })
  result.number, result.boolean = true, true
  return result
end

local function agree(a, b, same)
  if table.concat(a.shape, ",") ~= table.concat(b.shape, ",") then return false end
  for i, x in ipairs(a.data) do
    if not same(x, b.data[i]) then return false end
  end
  return true
end

for _, name in ipairs { "equal", "allclose" } do
  add {
    name = name, dtypes = ALL, operands = { "mask_like", "mask_like" }, result = { "uint8", "uint8" },
    instances = {
      { {}, {} }, { { 1 }, { 1 } }, { { 2 }, { 2 } }, { { 17 }, { 17 } }, { { 3, 5 }, { 3, 5 } },
      { { 0 }, { 0 } },
      { { 2, 0, 3 }, { 2, 0, 3 } }, { { 1031 }, { 1031 } }, { { 130, 131 }, { 130, 131 } },
    },
    call = function(_, operands)
      local a, b = table.unpack(operands)
      return a[name](a, b), a[name](a, a:clone())
    end,
    reference = function(arrays)
      return verdict(agree(arrays[1], arrays[2], function(x, y) return x == y end)), verdict(true)
    end,
  }
end

-- What layers are made of -----------------------------------------------------------------------------

for _, part in ipairs {
  "conv",
  "pool",
  "dense",
  "norm",
} do
  for _, row in ipairs(require("tests.cases." .. part)) do add(row) end
end

return rows
