-- Every row of cases.lua against the reference, in every dtype and layout, on every instruction set; and
-- no operation without a row.
local cases = require "tests.cases"
local child = require "tests.child"
local core = require "perilune.core"
local driver = require "tests.driver"
local layouts = require "tests.layouts"
local pl = require "perilune"
local reference = require "tests.reference"

for _, row in ipairs(cases) do
  describe(driver.label(row), function()
    it("agrees with the reference", function()
      for _, dtype in ipairs(row.dtypes) do driver.run(pl, row, dtype) end
    end)

    if #row.dtypes < #driver.dtypes then
      it("raises for other dtypes", function()
        for _, dtype in ipairs(driver.dtypes) do
          if not driver.supports(row, dtype) then
            local operands, args = driver.operands(pl, row, dtype)
            for _, suffix in ipairs(row.in_place and { "", "_" } or { "" }) do
              local good, message = pcall(driver.call, pl, row, operands, args, suffix)
              assert.is_false(good)
              assert.matches(row.name .. suffix .. ": .*" .. dtype, message)
            end
          end
        end
      end)
    end

    if row.mixed then
      it("raises for mixed dtypes", function()
        local last = row.mixed_operand or #row.operands
        for _, dtype in ipairs(row.dtypes) do
          for _, other in ipairs(driver.dtypes) do
            if other ~= dtype then
              local operands, args = driver.operands(pl, row, dtype)
              operands[last] = operands[last]:to(other)
              local good, message = pcall(driver.call, pl, row, operands, args)
              assert.is_false(good)
              assert.matches(row.name .. ": .*" .. other, message)
            end
          end
        end
      end)
    end
  end)
end

describe("in place, with operands that overlap", function()
  -- self and other are views of one base; the same is computed from copies
  local function views(base)
    return {
      { "itself", base, base },
      { "reversed", base, base[{ { -1, 1, -1 }, {} }] },
      { "transposed", base, base:t() },
      { "a row", base, base[{ { 3, 3 }, {} }] },
      { "a column", base, base[{ {}, { 2, 2 } }] },
      { "shifted down", base[{ { 2, -1 }, {} }], base[{ { 1, -2 }, {} }] },
      { "shifted up", base[{ { 1, -2 }, {} }], base[{ { 2, -1 }, {} }] },
      { "every second", base[{ { 1, 8 }, {} }], base[{ { 2, 9 }, {} }] },
      { "an element", base, base[{ { 5, 5 }, { 5, 5 } }] },
      { "columns crossed", base[{ {}, { 1, -1, 2 } }], base[{ {}, { -1, 1, -2 } }] },
    }
  end

  for _, row in ipairs(cases) do
    if row.in_place and #row.operands == 2 and row.name ~= "masked_fill" then
      it(driver.label(row), function()
        for _, dtype in ipairs(row.dtypes) do
          for i = 1, 10 do
            local random = layouts.generator(i)
            local base = layouts.operand(pl, dtype, { 9, 9 }, row.operands[2], "contiguous", random)
            local name, self, other = table.unpack(views(base)[i])
            local args = row.args or {}
            local expected = driver.call(pl, row, { self:clone(), other:clone() }, args)
            driver.call(pl, row, { self, other }, args, "_")
            assert.is_nil(layouts.compare(self, {
              shape = expected:shape(), data = layouts.flatten(expected:totable()),
            }, dtype, row.eps), name)
          end
        end
      end)
    end
  end

  it("masked_fill_ with a mask in the same memory", function()
    local t = pl.tensor({ 0, 1, 0, 0, 1, 1, 0, 1 }, "uint8")
    t[{ { 2, 8 } }]:masked_fill_(t[{ { 1, 7 } }], 5)
    assert.same({ 0, 1, 5, 0, 1, 5, 5, 1 }, t:totable())
  end)

  it("copy_ and index_add_ from themselves", function()
    local t = pl.arange(1, 6)
    t[{ { 2, 6 } }]:copy_(t[{ { 1, 5 } }])
    assert.same({ 1, 1, 2, 3, 4, 5 }, t:totable())
    t:copy_(t[{ { -1, 1, -1 } }])
    assert.same({ 5, 4, 3, 2, 1, 1 }, t:totable())
    t:index_add_(1, { 6, 5, 4, 3, 2, 1 }, t)
    assert.same({ 6, 5, 5, 5, 5, 6 }, t:totable())
    local places = pl.tensor({ 2, 1, 1 }, "int32")
    places:index_add_(1, places, pl.tensor({ 10, 20, 30 }, "int32"))
    assert.same({ 52, 11, 1 }, places:totable())
  end)
end)

-- Methods and core functions that are no operations, and the spec in which each is tested.
local ELSEWHERE <const> = {
  ["tests/creation_spec.lua"] = {
    "dtype", "item", "numel", "rank", "shape", "size", "stride", "is_contiguous", "tobytes", "totable",
    "empty", "full", "from_table", "frombytes", "ramp", "is_tensor", "fits",
  },
  ["tests/views_spec.lua"] = {
    "expand", "expand_as", "flatten", "narrow", "permute", "reshape", "select", "slice", "squeeze", "t",
    "transpose", "unsqueeze", "view",
  },
  ["tests/determinism_spec.lua"] = { "threads", "set_threads", "isa" },
  ["tests/errors_spec.lua"] = { "raise", "describe", "mark_library" },
  ["tests/random_spec.lua"] = { "rng", "numpy_rng", "philox4x32", "generator" },
  ["tests/image_spec.lua"] = {
    "canvas_markers", "canvas_picture", "canvas_polygon", "canvas_polyline", "canvas_rect", "canvas_text",
    "text_measure", "png_decode", "png_encode", "png_write",
  },
  ["tests/files_spec.lua"] = {
    "file_size", "md5", "md5_file", "mkdirs", "read_file", "read_tensor", "write_file",
  },
  ["tests/cli_spec.lua"] = { "version" },
  ["tests/dropout_spec.lua"] = { "dropout", "spatial_dropout2d", "nn" }, -- nn: kernels behind operations
  ["tests/runtime_spec.lua"] = { "clock", "peak", "stdout_columns" },
}

describe("a product of matrices", function()
  it("gives a row the same bits alone and among others", function()
    if pl.isa() == "baseline" then return end -- there OpenBLAS makes it
    for _, dtype in ipairs { "float32", "float64" } do
      for _, n in ipairs { 34, 50, 100, 130, 258 } do
        local rng = pl.rng(1)
        local a, b = rng:randn({ 33, 130 }, dtype), rng:randn({ 130, n }, dtype)
        local c = a:matmul(b)
        for _, row in ipairs { 1, 17, 33 } do
          local alone = a:narrow(1, row, 1):matmul(b)
          assert.equal(c:narrow(1, row, 1):tobytes(), alone:tobytes(), n .. " columns")
        end
      end
    end
  end)
end)

describe("the table of operations", function()
  local has_row, elsewhere = {}, {}
  for _, row in ipairs(cases) do
    has_row[row.name] = true
    if row.in_place then has_row[row.name .. "_"] = true end
  end
  for file, names in pairs(ELSEWHERE) do
    for _, name in ipairs(names) do elsewhere[name] = file end
  end

  it("has a row for every method and core function, unless it is listed as tested elsewhere", function()
    local missing = {}
    for _, functions in ipairs { core.methods, core } do
      for name in pairs(functions) do
        if not has_row[name] and not elsewhere[name] and name ~= "methods" and name ~= "metatable" then
          missing[#missing + 1] = name
        end
      end
    end
    table.sort(missing)
    assert.equal("", table.concat(missing, " "), "no row in tests/cases.lua")
  end)

  it("lists nothing that is gone, has a row, or is not tested where the list says", function()
    local stale = {}
    for name, path in pairs(elsewhere) do
      local file = io.open(path)
      local text = file and file:read("a") or ""
      if file then file:close() end
      local known = core.methods[name] ~= nil or core[name] ~= nil
      if not known or has_row[name] or not text:find(name, 1, true) then stale[#stale + 1] = name end
    end
    table.sort(stale)
    assert.equal("", table.concat(stale, " "))
  end)

  it("has no row for an operation that is gone", function()
    for _, row in ipairs(cases) do
      assert.is_truthy(core.methods[row.name] or core[row.name], row.name)
      if row.in_place then assert.is_function(core.methods[row.name .. "_"], row.name .. "_") end
    end
  end)

  it("offers every method as a function", function()
    for _, name in ipairs { "exp", "add", "sum", "matmul", "gather", "sort", "to", "reshape" } do
      assert.equal(core.methods[name], pl[name])
    end
    assert.same({ 2.0, 3.0 }, pl.add(pl.tensor { 1, 2 }, 1):totable())
  end)
end)

describe("the reference", function()
  it("is caught when it is wrong", function() -- the comparison itself compares
    local row = { name = "exp", dtypes = { "float32" }, operands = { "any" }, eps = 2, result = "same" }
    row.instances = { { { 3 } } }
    row.reference = function(arrays)
      return reference.map(function(x) return math.exp(x) * (1 + 1e-6) end, nil, arrays[1])
    end
    assert.has_error(function() driver.run(pl, row, "float32") end)
  end)
end)

describe("on other instruction sets", function()
  for _, isa in ipairs { "baseline", "avx2" } do
    it(isa .. " agrees with the reference too", function()
      local script = 'arg = { [0] = "driver.lua" } require "tests.driver"'
      local output, success = child.run(script, "PERILUNE_ISA=" .. isa)
      -- no tail call: busted would take it for an error
      if pl.isa() == "baseline" and isa ~= "baseline" then pending("not on this processor") end
      assert.is_true(success, output)
      assert.matches("^" .. isa .. ": %d+ comparisons, 0 failures\n$", output)
    end)
  end
end)
