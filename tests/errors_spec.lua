-- Mistakes of the caller: every argument of every function gets every kind of wrong value, and each must
-- raise at the caller's line with the function's name. Then thousands of random calls, which may raise
-- or not, but not crash, and never with an error from inside the library.
local cases = require "tests.cases"
local check = require "perilune.check"
local core = require "perilune.core"
local layouts = require "tests.layouts"
local pl = require "perilune"

local inf <const>, nan <const> = math.huge, 0.0 / 0.0
local NIL <const> = {} -- stands for nil in a list of values

local function tensor(...) return pl.ones(...) end

-- Wrong values --------------------------------------------------------------------------------------

-- What is neither a tensor nor a table nor a number nor a string
local ODD <const> = { true, print, io.stdout, coroutine.create(print) }
local NOT_INTEGERS <const> = { "1", {}, 1.5, nan, inf, -inf, 2 ^ 63 }
local HUGE <const> = { 2 ^ 31, 2 ^ 53, math.maxinteger, math.mininteger }

local function join(...)
  local list = {}
  for _, values in ipairs { ... } do table.move(values, 1, #values, #list + 1, list) end
  return list
end

local BAD_SHAPES <const> = join(ODD, {
  NIL, "3", nan, 1.5, -1, inf, { -1 }, { 1.5 }, { nan }, { "2" }, { {} }, { 2, "float32" }, { 1, 1, 1, 1, 1,
    1, 1 },
  2 ^ 62, 2 ^ 63, { 2 ^ 31, 2 ^ 31, 2 }, { 2 ^ 53, 2 ^ 53 }, { 2 ^ 62, 2 }, { math.maxinteger,
    math.maxinteger },
  { 2 ^ 32, 2 ^ 32 }, { 0, 2 ^ 62, 2 ^ 62 }, { 2 ^ 40, 0, 2 ^ 40 }, { math.mininteger },
})

--- For each kind of argument the values that must raise. Kinds with a question mark may be left out.
local BAD <const> = {
  tensor = join(ODD, { NIL, 1, "t", {}, nan }),
  operand = join(ODD, { NIL, "1", {} }),
  number = join(ODD, { NIL, "1", {}, tensor(1) }),
  ["number?"] = join(ODD, { "1", {}, tensor(1) }),
  finite = join(ODD, { NIL, "1", {}, tensor(1), nan, inf }),
  ["finite?"] = join(ODD, { "1", {}, tensor(1), nan, inf }),
  index = join(ODD, NOT_INTEGERS, HUGE, { NIL, 0, 4, -4, tensor(1) }),
  axis = join(ODD, NOT_INTEGERS, HUGE, { NIL, 0, 3, -3, tensor(1) }), -- of a matrix
  ["axis?"] = join(ODD, NOT_INTEGERS, HUGE, { 0, 3, -3, tensor(1) }),
  ["axes?"] = join(ODD, HUGE, { "1", 1.5, nan, 0, 3, -3, tensor(1), { 3 }, { 0 }, { 1, 1 }, { 2, -1 },
    { "1" }, { 1.5 },
    { 1, 2, 1 }, { no_such_option = true }, { keepdims = 1 }, { { 1 } } }),
  new_axis = join(ODD, NOT_INTEGERS, HUGE, { NIL, 0, 4, -4, tensor(1) }),
  ["new_axis?"] = join(ODD, NOT_INTEGERS, HUGE, { 0, 4, -4, tensor(1) }),
  step = join(ODD, NOT_INTEGERS, { 0, math.mininteger, tensor(1) }),
  ["range?"] = join(ODD, NOT_INTEGERS, HUGE, { 5, -5, tensor(1) }), -- of 3
  count = join(ODD, NOT_INTEGERS, { NIL, -1, 2 ^ 62, math.maxinteger, math.mininteger, tensor(1) }),
  ["count?"] = join(ODD, NOT_INTEGERS, { -1, 2 ^ 62, math.maxinteger, math.mininteger, tensor(1) }),
  length = join(ODD, NOT_INTEGERS, HUGE, { NIL, -1, 4, tensor(1) }), -- of 3
  ["boolean?"] = { 1, "true", {}, print, io.stdout, tensor(1) },
  dtype = join(ODD, { NIL, 1, "", "float", "float16", "FLOAT32", "float32\0", {}, tensor(1) }),
  ["dtype?"] = join(ODD, { 1, "", "float", "float16", "FLOAT32", "float32\0", {}, tensor(1) }),
  shape = join(BAD_SHAPES, { tensor(1) }),
  reshape = join(ODD, { "3", 1.5, nan, inf, -2, 5, 0, { 4 }, { -1, -1 }, { -1, 4 }, { -2, -3 }, { "2" },
    { {} },
    { 1, 1, 1, 1, 1, 1, 6 }, { 2 ^ 62, 4 }, { 2 ^ 32, 2 ^ 32 }, 2 ^ 53, math.mininteger, tensor(1), NIL }),
    -- of 6
  expand = join(ODD, { "3", 1.5, nan, -2, 5, { 3 }, { 3, 3 }, { -1, 2, 3 }, { 2 }, { 1, 1, 1, 1, 1, 2, 3 },
    { 2 ^ 31, 2 ^ 31, 2, 3 }, { 2 ^ 62, 2, 3 }, tensor(1) }), -- of {2, 3}
  permutation = join(ODD, { "1", { 1 }, { 1, 1 }, { 0, 1 }, { 1, 3 }, { 1, 2, 3 }, { 1.5, 2 }, { "1", 2 },
    1, nan,
    tensor(1) }), -- of 2
  mask = join(ODD, { NIL, 1, "m", {}, tensor(2, 3), tensor({ 2, 2 }, "uint8"), tensor({ 2, 3 }, "int32"),
    tensor({ 3, 2, 3 }, "float64") }), -- of {2, 3}
  indices = join(ODD, { NIL, 1, "1", { 0 }, { 3 }, { 1.5 }, { nan }, { "1" }, { 2 ^ 31 }, { 2 ^ 53 },
    tensor(2),
    tensor({ 1, 1 }, "int32"), tensor({ 1 }, "uint8"), pl.tensor({ 0 }, "int32"), pl.tensor({ 3 }, "int32"),
    pl.tensor({ -2147483648 }, "int32") }), -- of 2
  gather_index = join(ODD, { NIL, 1, "1", { { 1, 1, 1 } }, tensor(2, 3), tensor({ 2 }, "int32"),
    tensor({ 2, 2 }, "int32"), pl.tensor({ { 1, 1, 3 } }, "int32"), pl.tensor({ { 0, 1, 1 } }, "int32") }),
  value = join(ODD, { NIL, "1", {}, tensor(1) }),
  values = join(ODD, { NIL, "1", { "1" }, { 1, { 2 } }, { { 1 }, 2 }, { { 1, 2 }, { 3 } }, { 1, nil, 3 },
    { true },
    { { { { { { { 1 } } } } } } }, { print }, { tensor(1) } }),
  tensors = join(ODD, { NIL, 1, "t", {}, { 1 }, { tensor(2), 1 }, { tensor(2), tensor(2, 2) },
    { tensor(2), tensor({ 2 }, "int32") }, tensor(2) }),
  sizes = join(ODD, { NIL, 0, -1, 1.5, "1", nan, {}, { 1 }, { 3 }, { -1, 3 }, { 1.5, 0.5 }, { "2" },
    { math.maxinteger, math.maxinteger }, { 2, 2 ^ 62 }, tensor(1) }), -- of 2
  bytes = join(ODD, { NIL, 1, {}, "", "12345", "123456789", tensor(1) }), -- of 8
  k = join(ODD, NOT_INTEGERS, HUGE, { NIL, -1, 4, tensor(1) }), -- of 3
  options = { 1, "x", print, io.stdout, tensor(1), { 1 }, { tol = 1 }, { rtol = "1" }, { rtol = -1 },
    { atol = nan },
    { equal_nan = 1 } },
  like = join(ODD, { NIL, 1, "t", { 2, 3 } }),
  matrix = join(ODD, { NIL, 1, "t", {}, tensor(2), tensor({}), tensor(2, 2), tensor({ 3, 2 }, "float64"),
    tensor({ 3, 2 }, "int32"), tensor(2, 2, 2) }), -- to the right of {2, 3}
  vector = join(ODD, { NIL, 1, "t", {}, tensor(2), tensor({}), tensor(3, 1), tensor({ 3 }, "float64") }),
    -- of 3
  names = join(ODD, { NIL, 1, "t", { 1 }, { "t", {} }, tensor(1) }),
  threads = join(ODD, NOT_INTEGERS, HUGE, { NIL, 0, -1, tensor(1) }),
  square = join(ODD, { NIL, 1, "t", {}, nan, tensor(2), tensor({}), tensor(2, 2, 2) }), -- a matrix
  one = join(ODD, { NIL, 1, "t", {}, tensor(2), tensor({}):expand(2), tensor(0) }), -- of one element
  source = join(ODD, { NIL, 1, "t", {}, tensor(2), tensor(3, 3), tensor(1, 2, 3), tensor(0) }), -- to {2, 3}
  add_source = join(ODD, { NIL, 1, "t", {}, tensor(2), tensor(1, 2), tensor(2, 3), tensor({ 1, 3 },
    "int32") }),
  floats = join(ODD, { NIL, 1, "t", {}, nan, tensor({ 2, 3 }, "int32") }),
  ["function"] = { 1, "f", {}, tensor(1) },
  -- of layers: images {1, 4, 4, 2}, kernels {3, 3, 2, 5} and {3, 3, 2, 1}, biases {5} and {2}, rows {2, 3}
  images = join(ODD, { NIL, 1, "t", {}, tensor(2), tensor({ 1, 4, 4, 2 }, "uint8"), tensor(4, 4, 2) }),
  kernel = join(ODD, { NIL, 1, "t", {}, tensor(5), tensor(3, 3, 1, 5), tensor({ 3, 3, 2, 5 }, "float64") }),
  depth_kernel = join(ODD, { NIL, 1, "t", {}, tensor(5), tensor(3, 3, 1, 1),
    tensor({ 3, 3, 2, 1 }, "float64") }),
  bias = join(ODD, { 1, "t", {}, tensor(4), tensor({ 5 }, "int32"), tensor(5, 1) }),
  windows = { 1, "x", print, { strides = 0 }, { strides = { 1, 2, 3 } }, { strides = -1 }, { strides = 1.5 },
    { padding = "full" }, { padding = 1 }, { padding = { 1 } }, { padding = { -1, 0, 0, 0 } },
    { stride = 1 } },
  rows = join(ODD, { NIL, 1, "t", {}, tensor({ 2, 3 }, "int32") }),
  weights = join(ODD, { NIL, 1, "t", {}, tensor(2, 2), tensor(3), tensor({ 3, 2 }, "float64") }),
  units = join(ODD, { 1, "t", {}, tensor(3), tensor({ 2 }, "float64") }),
  fused = { 1, "x", print, { activation = "tanhh" }, { activations = "relu" } },
  rate = { "1", {}, nan, -0.1, 1, 1.5, inf, tensor(1), NIL },
  generator = join(ODD, { NIL, 1, "t", {}, core.numpy_rng(1) }),
  labels = join(ODD, { NIL, 1, "t", {}, tensor(2), tensor({ 3 }, "int32"), tensor(2, 2),
    pl.tensor({ 0, 1 }, "int32"), pl.tensor({ 1, 4 }, "int32") }),
  loss_options = { 1, "x", print, { label_smoothing = -1 }, { label_smoothing = "1" },
    { weights = tensor(3) }, { weight = tensor(2) } },
  slope = { "1", {}, tensor(1), print },
  scales = join(ODD, { 1, "t", {}, tensor(2), tensor({ 3 }, "float64"), tensor({ 3 }, "int32") }),
  norm_options = { 1, "x", print, { eps = 1 }, { epsilon = "1" }, { epsilon = -1 }, { epsilon = nan } },
  layer_norm_options = { 1, "x", { axes = 1 }, { axes = 3 }, { axes = { 1, 2 } }, { axes = "x" },
    { axis = -1 } },
  pads = { NIL, 1, "x", {}, { 1 }, { 1, 1, 1, -1 }, { 1, 1, 1, 0.5 }, { 1, 1, 1, "1" } },
  factors = join(ODD, { 0, -1, 1.5, "2", {}, { 2 }, { 2, 0 }, { 2, 2, 2 }, nan }),
  upsample_options = { 1, "x", print, { interpolation = "cubic" }, { mode = "nearest" } },
  gelu_options = { 1, "x", print, { approx = true } },
}

-- The functions --------------------------------------------------------------------------------------

-- name = { arguments of a valid call, kinds }; a kind may be false: any value will do
local m <const> = tensor(2, 3)
local CALLS <const> = {
  tensor = { { { 1, 2 }, "float32" }, { "values", "dtype?" } },
  zeros = { { { 2, 3 }, "float32" }, { "shape", "dtype?" } },
  ones = { { { 2, 3 }, "float32" }, { "shape", "dtype?" } },
  empty = { { { 2, 3 }, "float32" }, { "shape", "dtype?" } },
  full = { { { 2, 3 }, 1, "float32" }, { "shape", "value", "dtype?" } },
  zeros_like = { { m, "float32" }, { "like", "dtype?" } },
  ones_like = { { m, "float32" }, { "like", "dtype?" } },
  empty_like = { { m, "float32" }, { "like", "dtype?" } },
  full_like = { { m, 1, "float32" }, { "like", "value", "dtype?" } },
  arange = { { 1, 3, 1, "float32" }, { "finite", "finite?", "finite?", "dtype?" } },
  linspace = { { 1, 3, 3, "float32" }, { "finite", "finite", "count", "dtype?" } },
  eye = { { 2, 3, "float32" }, { "count", "count?", "dtype?" } },
  frombytes = { { "12345678", "float32", { 2 } }, { "bytes", "dtype?", "shape" } },
  where = { { m:gt(0), m, m }, { "mask", "operand", "operand" } },
  concatenate = { { { m, m }, 1 }, { "tensors", "axis?" } },
  stack = { { { m }, 1 }, { "tensors", "new_axis?" } },
  nearest = { { "sofmax", { "softmax" } }, { false, "names" } },
  set_threads = { { pl.threads() }, { "threads" } },

  conv2d = { { tensor(1, 4, 4, 2), tensor(3, 3, 2, 5), tensor(5), {} },
    { "images", "kernel", "bias", "windows" } },
  depthwise_conv2d = { { tensor(1, 4, 4, 2), tensor(3, 3, 2, 1), tensor(2), {} },
    { "images", "depth_kernel", "bias", "windows" } },
  max_pool2d = { { tensor(1, 4, 4, 2), {} }, { "images", "windows" } },
  avg_pool2d = { { tensor(1, 4, 4, 2), {} }, { "images", "windows" } },
  dense = { { m, tensor(3, 2), tensor(2), {} }, { "rows", "weights", "units", "fused" } },
  dropout = { { m, 0.5, core.rng(1) }, { "rows", "rate", "generator" } },
  spatial_dropout2d = { { tensor(1, 4, 4, 2), 0.5, core.rng(1) }, { "images", "rate", "generator" } },
  softmax_cross_entropy = { { m, pl.tensor({ 1, 3 }, "int32"), {} }, { "rows", "labels", "loss_options" } },
  leaky_relu = { { m, 0.1 }, { "floats", "slope" } },
  elu = { { m, 0.1 }, { "floats", "slope" } },
  selu = { { m }, { "floats" } },
  silu = { { m }, { "floats" } },
  gelu = { { m, {} }, { "floats", "gelu_options" } },
  batch_norm = { { m, tensor(3), tensor(3), {} }, { "rows", "scales", "scales", "norm_options" } },
  batch_norm_inference = { { m, tensor(3), tensor(3), tensor(3), tensor(3), {} },
    { "rows", "scales", "scales", "scales", "scales", "norm_options" } },
  layer_norm = { { m, tensor(3), tensor(3), {} }, { "rows", "scales", "scales", "layer_norm_options" } },
  zero_pad2d = { { tensor(1, 4, 4, 2), { 1, 1, 1, 1 } }, { "images", "pads" } },
  upsample2d = { { tensor(1, 4, 4, 2), 2, {} }, { "images", "factors", "upsample_options" } },
  value_and_grad = { { function(x) return x:sum() end, m }, { "function" } },

  shape = { { m }, { "tensor" } },
  stride = { { m }, { "tensor" } },
  dtype = { { m }, { "tensor" } },
  rank = { { m }, { "tensor" } },
  numel = { { m }, { "tensor" } },
  is_contiguous = { { m }, { "tensor" } },
  totable = { { m }, { "tensor" } },
  tobytes = { { m }, { "tensor" } },
  item = { { tensor(1) }, { "one" } },
  size = { { m, 1 }, { "tensor", "axis" } },
  copy_ = { { m:clone(), m }, { "tensor", "source" } },
  fill_ = { { m:clone(), 1 }, { "tensor", "value" } },
  to = { { m, "float64" }, { "tensor", "dtype" } },

  select = { { m, 2, 1 }, { "tensor", "axis", "index" } },
  slice = { { m, 2, 1, 3, 1 }, { "tensor", "axis", "range?", "range?", "step" } },
  narrow = { { m, 2, 1, 3 }, { "tensor", "axis", "index", "length" } },
  transpose = { { m, 1, 2 }, { "tensor", "axis", "axis" } },
  t = { { m }, { "square" } },
  permute = { { m, { 2, 1 } }, { "tensor", "permutation" } },
  reshape = { { m, { 3, 2 } }, { "tensor", "reshape" } },
  view = { { m, { 3, 2 } }, { "tensor", "reshape" } },
  flatten = { { m }, { "tensor" } },
  squeeze = { { tensor(1, 3), 1 }, { "tensor", "axis?" } },
  unsqueeze = { { m, 1 }, { "tensor", "new_axis" } },
  expand = { { m, { 2, 2, 3 } }, { "tensor", "expand" } },
  expand_as = { { m, m }, { "tensor", "tensor" } },

  clamp = { { m, 0, 1 }, { "tensor", "number?", "number?" } },
  clamp_ = { { m:clone(), 0, 1 }, { "tensor", "number?", "number?" } },
  add = { { m, m, 2 }, { "operand", "operand", "number?" } },
  add_ = { { m:clone(), m, 2 }, { "tensor", "operand", "number?" } },

  cumsum = { { m, 1 }, { "tensor", "axis?" } },
  softmax = { { m, 1 }, { "tensor", "axis?" } },
  log_softmax = { { m, 1 }, { "tensor", "axis?" } },
  sort = { { m, 1, true }, { "tensor", "axis?", "boolean?" } },
  argsort = { { m, 1, true }, { "tensor", "axis?", "boolean?" } },
  topk = { { m, 2, 2, true }, { "tensor", "k", "axis?", "boolean?" } },
  matmul = { { m, tensor(3, 2) }, { false, "matrix" } },
  addmm = { { tensor(2), m, tensor(3, 2), 0.5 }, { "tensor", "matrix", "matrix", "number?" } },
  dot = { { tensor(3), tensor(3) }, { "vector", "vector" } },
  gather = { { m, 1, tensor({ 1, 3 }, "int32") }, { "tensor", "axis", "gather_index" } },
  index_select = { { m, 1, { 1 } }, { "tensor", "axis", "indices" } },
  index_add_ = { { m:clone(), 1, { 1 }, tensor(1, 3), 2 }, { "tensor", "axis", "indices", "add_source",
    "number?" } },
  masked_select = { { m, m:gt(0) }, { "tensor", "mask" } },
  masked_fill = { { m, m:gt(0), 1 }, { "tensor", "mask", "value" } },
  masked_fill_ = { { m:clone(), m:gt(0), 1 }, { "tensor", "mask", "value" } },
  split = { { m, 2, 1 }, { "tensor", "sizes", "axis?" } },
  equal = { { m, m }, { "tensor", "tensor" } },
  allclose = { { m, m, {} }, { "tensor", "tensor", "options" } },
}

for _, name in ipairs { "sum", "mean", "prod", "min", "max", "argmin", "argmax", "any", "all", "norm",
  "logsumexp",
  "var", "std" } do
  CALLS[name] = { { m, 1, true }, { "tensor", "axes?", "boolean?" } }
end

-- the rest take one tensor, or two operands, as the table of operations says
for _, row in ipairs(cases) do
  local a = tensor({ 2, 3 }, row.dtypes[1])
  for _, suffix in ipairs(row.in_place and { "", "_" } or { "" }) do
    local name = row.name .. suffix
    if not CALLS[name] then
      if #row.operands == 1 then CALLS[name] = { { a:clone() }, { "tensor" } } end
      if #row.operands == 2 then
        CALLS[name] = { { a:clone(), a }, { suffix == "_" and "tensor" or "operand", "operand" } }
      end
    end
  end
end

-- The checks -----------------------------------------------------------------------------------------

local HERE <const> = debug.getinfo(1, "S").short_src

local function describe_value(value)
  if value == nil then return "nil" end
  if type(value) ~= "table" or pl.is_tensor(value) then return core.describe(value) end
  local list = {}
  for k, v in pairs(value) do list[#list + 1] = tostring(k) .. " = " .. describe_value(v) end
  return "{" .. table.concat(list, ", ") .. "}"
end

local function call(f, args, n)
  local good, message = pcall(function() return f(table.unpack(args, 1, n)), "" end) -- the caller's line
  return good, message
end
local CALL_LINE <const> = debug.getinfo(call, "S").linedefined + 1

--- nil when the call raises as it should, or else what is wrong.
local function complaint(name, f, args, n)
  local good, message = call(f, args, n)
  if good then return "was accepted" end
  if type(message) ~= "string" then return "raised no string" end
  local prefix = ("%s:%d: "):format(HERE, CALL_LINE)
  if message:sub(1, #prefix) ~= prefix then return "was not raised at the caller's line: " .. message end
  if not message:sub(#prefix + 1):find(name, 1,
    true) then return "does not name the function: " .. message end
end

describe("a wrong argument", function()
  local names = {}
  for name in pairs(CALLS) do names[#names + 1] = name end
  table.sort(names)

  for _, name in ipairs(names) do
    it("of " .. name .. " raises, at the caller's line and by its name", function()
      local args, kinds = table.unpack(CALLS[name])
      local problems = {}
      assert(call(pl[name], args, #args))
      for i, kind in ipairs(kinds) do
        for _, value in ipairs(kind and assert(BAD[kind], kind) or {}) do
          local wrong = table.move(args, 1, #args, 1, {})
          wrong[i] = value
          if value == NIL then wrong[i] = nil end
          local problem = complaint(name, pl[name], wrong, #args)
          if problem then
            problems[#problems + 1] = ("argument %d = %s %s"):format(i, describe_value(wrong[i]), problem)
          end
        end
      end
      assert.equal("", table.concat(problems, "\n"))
    end)
  end

  it("is tested for every method and function", function()
    local missing = {}
    for _, functions in ipairs { core.methods, pl } do
      for name, value in pairs(functions) do
        if type(value) == "function" and not CALLS[name] then missing[#missing + 1] = name end
      end
    end
    table.sort(missing)
    assert.same({ "clock", "is_tensor", "isa", "threads" }, missing) -- these take anything, or nothing
  end)

  it("in an index raises", function()
    local t, problems = tensor(2, 3), {}
    local wrong = join(ODD, HUGE, {
      0, 3, -3, 1.5, nan, inf, tensor(2), { 3 }, { 0 }, { 1, 4 }, { 1, 1, 1 }, { "1" }, { { 1 } }, { { 1, 2,
      1, 1 } },
      { { 0, 1 } }, { { 1, 4 } }, { { 1, 2, 0 } }, { { 1.5, 2 } }, { { "1", 2 } }, { true }, { {}, {}, {} },
      pl.tensor({ 3 }, "int32"), pl.tensor({ 0 }, "int32"),
    })
    for _, key in ipairs(wrong) do
      local good, message = pcall(function() return (t[key]) end)
      if good or not message:find("^" .. HERE:gsub("%p", "%%%0") .. ":%d+: .*ind") then
        problems[#problems + 1] = ("t[%s]: %s"):format(describe_value(key), tostring(message))
      end
    end
    assert.equal("", table.concat(problems, "\n"))
    assert.is_false(pcall(function() return pl.tensor(1)[1] end))
    assert.is_false(pcall(function() t[1] = pl.zeros(2) end))
    assert.is_false(pcall(function() t[1] = "x" end))
    assert.is_false(pcall(function() t[1] = nil end))
    assert.is_false(pcall(function() t[1] = { 1, 2 } end))
    assert.is_false(pcall(function() t[1] = tensor({ 3 }, "float64") end))
    assert.is_false(pcall(function() t.name = 1 end))
    assert.is_false(pcall(function() t[{ 1, 4 }] = 1 end))
    assert.is_false(pcall(function() t[3] = 1 end))
  end)
end)

describe("a message", function()
  local function message_of(f, ...) return (select(2, pcall(f, ...))) end

  it("says what was expected and what came", function()
    local text = message_of(function() return tensor(2, 3):add(tensor(4)) end)
    assert.matches("{2, 3}", text, 1, true)
    assert.matches("{4}", text, 1, true)
    assert.matches("float64", message_of(function() return m + tensor({ 3 }, "float64") end))
    assert.matches("got nil", message_of(function() return m:matmul(nil) end))
    assert.matches("got true", message_of(function() return pl.zeros(true) end))
    assert.matches('got "three"', message_of(function() return pl.zeros("three") end), 1, true)
    assert.matches("tensor {2, 3} float32", message_of(function() return pl.zeros(m) end), 1, true)
    assert.matches("element %[2%]%[1%]", message_of(function() return pl.tensor { { 1 }, { "x" } } end))
    assert.matches("did you mean 'softmax'", message_of(function() return pl.sofmax end))
  end)

  it("names the method that was meant", function()
    for name, meant in pairs {
      tranpose = "did you mean 'transpose'", rehsape = "did you mean 'reshape'", astype = "t:to()",
      T = "t:t()", ndim = "t:rank()", nosuch = '"nosuch"',
      ["1:2"] = "a slice is written t[{ {first, last}, {} }]",
    } do
      local text = message_of(function() return m[name] end)
      assert.equal(HERE, text:match("^(.-):%d+:"))
      assert.matches(meant, text, 1, true)
    end
    assert.matches("tensor has no method", message_of(function() m:nosuch() end))
    assert.equal(core.methods.sum, m.sum)
    assert.matches('pl.plot has no field "line"; known are: confusion_matrix, fig',
      message_of(function() pl.plot.line() end))
    assert.matches("pl.plot .* did you mean 'figure'", message_of(function() pl.plot.figrue() end))
    assert.matches('pl.data has no field "mnist"; known are', message_of(function() return pl.data.mnist end))
    assert.matches('no field "mm"$', message_of(function() return pl.mm end))
    for name, meant in pairs { randn = "randn", random = "uniform", randperm = "permutation" } do
      assert.matches("pl.rng(seed):" .. meant .. "(…)", message_of(function() return pl[name] end), 1, true)
    end
  end)

  it("shows a layer called as in Python how it is written here", function()
    local nn = pl.nn
    for meant, mistake in pairs {
      ['as in Conv2D{16, 3, activation = "relu", padding = "same"}, got 3 arguments'] = function()
        return nn.Conv2D(16, 3, { activation = "relu", padding = "same" })
      end,
      ["as in Conv2D{16, {3, 5}}, got 2 arguments"] = function() return nn.Conv2D(16, { 3, 5 }) end,
      ["as in Dense{10}, got 10"] = function() return nn.Dense(10) end,
      ['as in Dense{10, activation = "relu"}, got 2 arguments'] = function()
        return nn.Dense({ 10 }, { activation = "relu" })
      end,
      ["as in Sequential{…, …}, got 2 arguments"] = function()
        return nn.Sequential(nn.Dense { 3 }, nn.Dense { 4 })
      end,
    } do
      local text = message_of(mistake)
      assert.equal(HERE, text:match("^(.-):%d+:"))
      assert.matches(meant, text, 1, true)
    end
  end)

  it("suggests a name only where one is near", function()
    local known = { "ne", "sample", "sum", "sub", "tan", "softmax" }
    local function near(name) return check.nearest(name, known) end
    assert.equal("sample", near "smaple")
    assert.equal("sample", near "Sample")
    assert.equal("sum", near "smu")
    assert.equal("softmax", near "sfotmaxx")
    assert.equal("ne", near "NE")
    for _, name in ipairs { "nn", "t", "", "xyz", "mnist", "examples" } do assert.is_nil(near(name)) end
  end)

  it("says how a reduction takes its options", function()
    local text = message_of(function() return m:sum(1, { keepdim = true }) end)
    assert.matches("sum: argument 'keepdims': expected true or false", text, 1, true)
    assert.matches("t:sum{1, keepdims = true}", text, 1, true)
    assert.matches('"axis"; known are: keepdims; axes stand first: t:mean{1, keepdims = true}',
      message_of(function() return m:mean { axis = 1 } end), 1, true)
  end)

  it("knows a tensor, and says how two are compared", function()
    assert.matches("attempt to concatenate a tensor value", message_of(function() return "loss " .. m end))
    assert.matches("concatenate a random generator value", message_of(function()
      return "x" .. core.rng(1)
    end))
    assert.matches("got a random generator", message_of(function() return pl.zeros(core.rng(1)) end))
    for _, compare in ipairs { function() return m < m end, function() return m >= m end } do
      local text = message_of(compare)
      for _, name in ipairs { "lt", "le", "gt", "ge", "eq" } do assert.matches("%f[%w]" .. name, text) end
    end
    assert.matches("tostring: argument 'self': expected a tensor, got 5",
      message_of(core.metatable.__tostring, 5))
  end)

  it("names a field where a list is due", function()
    for _, values in ipairs { { a = 1 }, { 1, 2, a = 1 }, { { 1 }, { 2, a = 1 } } } do
      assert.matches("tensor: argument 'values': .* field \"a\"", message_of(pl.tensor, values))
    end
    for _, key in ipairs { { { a = 1 } }, { a = 1 }, { 1, a = 1 }, { { 1, 2, a = 1 } } } do
      assert.matches('index: .* field "a"', message_of(function() return m[key] end))
      assert.matches('index: .* field "a"', message_of(function() m[key] = 1 end))
    end
    assert.same({ 1, 1 }, m[{ 1, { [2] = 2 } }]:totable()) -- an end left out is no field
  end)

  it("is raised at the caller's line, through any of the library's functions", function()
    local line = debug.getinfo(1, "l").currentline
    local text = message_of(function() return (pl.linspace(1, 2, "x")) end) -- no tail call: that has no line
    assert.equal(("%s:%d:"):format(HERE, line + 1), text:match("^.-:%d+:"))
    core.mark_library() -- from here it takes this folder for the library's
    assert.has_error(function() core.raise("x") end)
    package.loaded["perilune"] = nil
    require "perilune" -- and now again the right one
    local again = message_of(function() return (pl.linspace(1, 2, "x")) end)
    assert.equal(HERE, again:match("^(.-):%d+:"))
  end)
end)

-- Random calls ---------------------------------------------------------------------------------------

describe("random calls", function()
  local random = layouts.generator(2024)

  local function pick(list) return list[random(1, #list)] end

  local function random_tensor()
    local shape = {}
    for axis = 1, random(0, 4) do shape[axis] = pick { 0, 1, 1, 2, 3, 3, 5, 17 } end
    local dtype = pick { "float32", "float32", "float64", "uint8", "int32" }
    return (layouts.operand(pl, dtype, shape, pick { "any", "small", "mask_like" }, pick(layouts.names),
    random))
  end

  local WORDS <const> = { "", "x", "float32", "int32", "float16", "keepdims", "12345678", ("a"):rep(100),
    "%s%n", "\0" }
  local NUMBERS <const> = { 0.5, -1.5, nan, inf, -inf, 2 ^ 53, 2 ^ 62, 1e300, math.maxinteger,
    math.mininteger }

  local function value(depth)
    local kind = random(1, 20)
    if kind <= 7 then return random_tensor() end
    if kind <= 13 then return random(-3, 5) end
    if kind == 14 then return pick(NUMBERS) end
    if kind == 15 then return pick(WORDS) end
    if kind == 16 then return random() < 0.5 end
    if kind == 17 then return pick(ODD) end
    if kind == 18 or depth > 2 then return nil end
    local list = {}
    for i = 1, random(0, 4) do list[i] = random() < 0.6 and random(-1, 4) or value(depth + 1) end
    if random() < 0.1 then list[pick(WORDS)] = value(depth + 1) end
    return list
  end

  local function fuzz(f, times, is_method)
    local raised = 0
    for _ = 1, times do
      local args, n = {}, random(0, 5)
      for i = 1, n do args[i] = value(0) end
      if is_method and random() < 0.9 then args[1], n = random_tensor(), math.max(n, 1) end
      local good, message = call(f, args, n)
      if not good then
        raised = raised + 1
        assert.is_string(message)
        if not message:find("^" .. HERE:gsub("%p", "%%%0") .. ":%d+: ") then
          local list = {}
          for i = 1, n do list[i] = describe_value(args[i]) end
          error(("not raised at the caller's line: %s, for (%s)"):format(message, table.concat(list, ", ")))
        end
      end
    end
    return raised
  end

  local function sorted(functions)
    local names = {}
    for name, f in pairs(functions) do
      if type(f) == "function" then names[#names + 1] = name end
    end
    table.sort(names)
    return names
  end

  it("of every method do not crash", function()
    for _, name in ipairs(sorted(core.methods)) do fuzz(core.methods[name], 200, true) end
  end)

  it("of every public function do not crash", function()
    local threads = pl.threads()
    for _, name in ipairs(sorted(pl)) do
      if not core.methods[name] then fuzz(pl[name], 400, false) end
    end
    fuzz(pl.load, 400, false)
    pl.set_threads(threads)
  end)

  it("of the generators do not crash", function()
    for _, make in ipairs { pl.rng, pl.numpy_rng } do
      fuzz(make, 200, false)
      local generator = make(1)
      for _, name in ipairs(sorted(getmetatable(generator).__index)) do
        local method = generator[name]
        fuzz(function(...) return method(generator, ...) end, 300, false)
      end
    end
  end)

  it("of operators and indices do not crash", function()
    fuzz(function(a, b) return a + b end, 500, true)
    fuzz(function(a, b) return b // a end, 500, true)
    fuzz(function(a, b) return a & b end, 500, true)
    fuzz(function(a) return -a, #a, tostring(a) end, 500, true)
    fuzz(function(a, b) return a[b] end, 2000, true)
    fuzz(function(a, b, c) a[b] = c end, 2000, true)
  end)

  -- The core's own functions are called by the library alone and may blame any line, but do not crash. Those
  -- that write files are not called with random names.
  it("of every core function do not crash", function()
    local threads, writers = pl.threads(), { write_file = true, png_write = true, mkdirs = true,
    mark_library = true }
    for _, name in ipairs(sorted(core)) do
      if not writers[name] then
        for _ = 1, 300 do
          local args, n = {}, random(0, 6)
          for i = 1, n do args[i] = value(0) end
          local good, message = call(core[name], args, n)
          assert.is_true(good or type(message) == "string" or name == "raise", name)
        end
      end
    end
    pl.set_threads(threads)
  end)
end)
