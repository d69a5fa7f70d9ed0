-- Runs rows of cases.lua against the library. tensor_spec.lua drives it in process; as a program
-- (`lua5.4 tests/driver.lua`) it runs the whole table, quickly, and prints what it saw, so that a child
-- process can repeat the table with another instruction set.
local cases = require "tests.cases"
local layouts = require "tests.layouts"
local reference = require "tests.reference"

local driver = { dtypes = { "float32", "float64", "uint8", "int32" } }

function driver.label(row) return row.label or row.name end

local function is_float(dtype) return dtype == "float32" or dtype == "float64" end

local function supports(row, dtype)
  for _, name in ipairs(row.dtypes) do
    if name == dtype then return true end
  end
  return false
end
driver.supports = supports

local function operand_dtype(row, i, dtype) return row.fixed and row.fixed[i] or dtype end

local function result_dtype(row, i, dtype)
  local result = row.result
  if type(result) == "table" then result = result[i] end
  if type(result) == "function" then return result(dtype) end
  return result == "same" and dtype or result
end

local function arguments(row, instance) return instance.args or row.args or {} end

--- Calls the operation as a method; `suffix` "_" for its in-place form.
function driver.call(pl, row, operands, args, suffix)
  if row.call then return row.call(pl, operands, args) end
  local self = operands[1]
  local list = table.move(operands, 2, #operands, 1, {})
  local n = args.n or #args
  table.move(args, 1, n, #list + 1, list)
  return self[row.name .. (suffix or "")](self, table.unpack(list, 1, #operands - 1 + n))
end

--- The reference's results for arrays.
function driver.expected(row, dtype, arrays, args)
  arrays.dtype = dtype
  return table.pack(row.reference(arrays, args, reference.rounder(result_dtype(row, 1, dtype))))
end

local function shapes_text(arrays)
  local list = {}
  for i, array in ipairs(arrays) do list[i] = "{" .. table.concat(array.shape, ", ") .. "}" end
  return table.concat(list, " ")
end

local function fail(row, dtype, arrays, what, message)
  error(("%s %s, %s, %s: %s"):format(driver.label(row), dtype, shapes_text(arrays), what, message), 0)
end

local function check(row, dtype, arrays, what, results, expected)
  for i = 1, math.max(expected.n, results.n) do
    local message = "results differ in number"
    if i <= expected.n and i <= results.n then
      message = layouts.compare(results[i], expected[i], result_dtype(row, i, dtype), row.eps)
    end
    if message then fail(row, dtype, arrays, ("%s, result %d"):format(what, i), message) end
  end
end

-- Which layout each operand has: all the same, or neighbours in the list (once, when they are to be few).
local function arrangements(operands, names, few)
  local list = {}
  for k, name in ipairs(names) do
    local same, mixed = {}, {}
    for i = 1, operands do
      same[i], mixed[i] = name, names[(k + i - 2) % #names + 1]
    end
    list[#list + 1] = same
    if operands > 1 and not (few and k < #names) then list[#list + 1] = mixed end
  end
  return list
end

local function draw(pl, row, dtype, instance, arrangement, random)
  local operands, arrays = {}, {}
  for i, domain in ipairs(row.operands) do
    local layout = arrangement[i]
    if row.mutates and i == 1 and layout == "expanded" then layout = "stepped" end
    operands[i], arrays[i] =
      layouts.operand(pl, operand_dtype(row, i, dtype), instance[i], domain, layout, random, instance)
  end
  return operands, arrays
end

-- name_ on a tensor of the same numbers in some layout.
local function check_in_place(pl, row, dtype, operands, arrays, args, layout, result, expected)
  if layout == "expanded" then layout = "stepped" end
  local self = layouts.build(pl, arrays[1], dtype, layout)
  local list = table.move(operands, 1, #operands, 1, {})
  list[1] = self
  local returned = driver.call(pl, row, list, args, "_")
  if not rawequal(returned, self) then fail(row, dtype, arrays, "in place", "does not return self") end
  local same = self:tobytes() == result:tobytes()
  if not same and layout ~= "contiguous" then same = not layouts.compare(self, expected, dtype, row.eps) end
  if not same then fail(row, dtype, arrays, "in place, " .. layout, "differs from the out-of-place form") end
end

local function same_shape(a, b) return table.concat(a, ",") == table.concat(b, ",") end

local function check_forms(pl, row, dtype, operands, arrays, args, layout, results, expected)
  if row.in_place and same_shape(results[1]:shape(), arrays[1].shape) then
    check_in_place(pl, row, dtype, operands, arrays, args, layout, results[1], expected[1])
  end
  if row.operator then
    local other = row.operator(table.unpack(operands))
    if other:tobytes() ~= results[1]:tobytes() then
      fail(row, dtype, arrays, "operator", "differs from the method")
    end
  end
end

-- The second operand (and, by operator, the first) as a Lua number.
local function check_numbers(pl, row, dtype)
  local random = layouts.generator(11)
  local function scalar(i)
    local _, array = layouts.operand(pl, dtype, {}, row.operands[i], "contiguous", random)
    return array, array.data[1]
  end
  for _, shape in ipairs { { 17 }, { 3, 5 }, { 0 }, {} } do
    local t, array = layouts.operand(pl, dtype, shape, row.operands[1], "contiguous", random)
    local single, number = scalar(2)
    local arrays = { array, single }
    local expected = driver.expected(row, dtype, arrays, {})
    check(row, dtype, arrays, "with a number", table.pack(t[row.name](t, number)), expected)
    if row.operator then
      check(row, dtype, arrays, "operator, number right", table.pack(row.operator(t, number)), expected)
      local u, right = layouts.operand(pl, dtype, shape, row.operands[2], "stepped", random)
      single, number = scalar(1)
      arrays = { single, right }
      expected = driver.expected(row, dtype, arrays, {})
      check(row, dtype, arrays, "operator, number left", table.pack(row.operator(number, u)), expected)
    end
  end
end

-- Infinities, NaN and extreme floats; for two operands every pair of them.
local function check_special(pl, row, dtype)
  local list = layouts.special(dtype, row.special == "mild")
  local n, arrays, operands = #list, {}, {}
  for i = 1, #row.operands do
    if row.fixed and row.fixed[i] then
      local mask = {}
      for k = 1, n do mask[k] = k % 2 end
      arrays[i] = reference.array({ n }, mask)
    else
      arrays[i] = reference.array(#row.operands > 1 and i == 1 and { n, 1 } or { n }, list)
    end
    operands[i] = layouts.tensor(pl, arrays[i], operand_dtype(row, i, dtype))
  end
  if row.mutates then operands[1] = operands[1]:clone() end
  local args = row.args or {}
  local expected = driver.expected(row, dtype, arrays, args)
  check(row, dtype, arrays, "special numbers", table.pack(driver.call(pl, row, operands, args)), expected)
end

--- Every instance of a row in every layout, in one dtype; large ones in fewer, and those that are cut into
--- chunks, alike for every dtype, only in the row's first one. Raises at the first disagreement;
--- returns the number of comparisons made. `quick` leaves it at two layouts, one for each kind of loop.
function driver.run(pl, row, dtype, quick)
  local random, count = layouts.generator(7), 0
  local function compare(instance, arrangement)
    local operands, arrays = draw(pl, row, dtype, instance, arrangement, random)
    local args = arguments(row, instance)
    local expected = driver.expected(row, dtype, arrays, args)
    local results = table.pack(driver.call(pl, row, operands, args))
    local layout = table.concat(arrangement, " ")
    check(row, dtype, arrays, layout, results, expected)
    check_forms(pl, row, dtype, operands, arrays, args, arrangement[1], results, expected)
    count = count + 1
  end
  for _, instance in ipairs(row.instances) do
    local size, names = reference.count(instance[1]), quick and { "offset", "stepped" } or layouts.names
    if size > 400 and not quick then names = { "contiguous", "offset", "transposed" } end
    if size > 4000 then names = { "contiguous", "transposed" } end
    if size < 4000 or dtype == row.dtypes[1] then
      for _, arrangement in ipairs(arrangements(#row.operands, names, size > 400)) do
        compare(instance, arrangement)
      end
    end
  end
  if row.long and dtype == row.dtypes[1] then
    for k, shape in ipairs(layouts.long) do
      local instance, arrangement = {}, {}
      for i = 1, #row.operands do
        instance[i], arrangement[i] = shape, k == 2 and i == 1 and "transposed" or "contiguous"
      end
      compare(instance, arrangement)
    end
  end
  if row.number then check_numbers(pl, row, dtype) end
  if row.map and row.special ~= false and is_float(dtype) then check_special(pl, row, dtype) end
  return count
end

--- Operands of the row's first instance that has elements.
function driver.operands(pl, row, dtype)
  local instance = row.instances[1]
  for _, other in ipairs(row.instances) do
    if reference.count(instance[1]) > 1 then break end
    instance = other
  end
  local arrangement = {}
  for i = 1, #row.operands do arrangement[i] = "contiguous" end
  local operands = draw(pl, row, dtype, instance, arrangement, layouts.generator(3))
  return operands, arguments(row, instance)
end

function driver.main()
  local pl = require "perilune"
  local comparisons, failures = 0, {}
  for _, row in ipairs(cases) do
    for _, dtype in ipairs(row.dtypes) do
      local good, result = pcall(driver.run, pl, row, dtype, true)
      if good then comparisons = comparisons + result else failures[#failures + 1] = tostring(result) end
    end
  end
  for _, failure in ipairs(failures) do print(failure) end
  print(("%s: %d comparisons, %d failures"):format(pl.isa(), comparisons, #failures))
end

if arg and arg[0] and arg[0]:find("driver%.lua$") then driver.main() end

return driver
