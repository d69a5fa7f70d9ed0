-- Tensors made, looked at, converted, compared and printed.
local core = require "perilune.core"
local layouts = require "tests.layouts"
local pl = require "perilune"

local DTYPES <const> = { "float32", "float64", "uint8", "int32" }
local SIZES <const> = { float32 = 4, float64 = 8, uint8 = 1, int32 = 4 }
local inf <const>, nan <const> = math.huge, 0.0 / 0.0

describe("creation", function()
  it("from nested tables and numbers", function()
    local t = pl.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
    assert.same({ 2, 3 }, t:shape())
    assert.equal("float32", t:dtype())
    assert.same({ { 1.0, 2.0, 3.0 }, { 4.0, 5.0, 6.0 } }, t:totable())
    assert.same({}, pl.tensor(2.5):shape())
    assert.equal(2.5, pl.tensor(2.5):item())
    assert.same({ 0 }, pl.tensor({}):shape())
    assert.same({ 2, 0 }, pl.tensor { {}, {} }:shape())
    assert.same({ 1, 1, 1, 1, 1, 1 }, pl.tensor { { { { { { 5 } } } } } }:shape())
    assert.equal(0.1, pl.tensor({ 0.1 }, "float64")[1])
    assert.equal(string.unpack("<f", string.pack("<f", 0.1)), pl.tensor({ 0.1 })[1])
    assert.same({ 0, 255 }, pl.tensor({ 0, 255.0 }, "uint8"):totable())
    assert.same({ -2147483648, 2147483647 }, pl.tensor({ -2147483648, 2147483647 }, "int32"):totable())
    local special = pl.tensor { inf, -inf, nan }
    assert.equal(inf, special[1])
    assert.equal(-inf, special[2])
    assert.is_true(special[3] ~= special[3])
  end)

  it("from a tensor is a copy", function()
    local t = pl.arange(3)
    local copy = pl.tensor(t)
    copy[1] = 9
    assert.same({ 1, 2, 3 }, t:totable())
    assert.equal("int32", pl.tensor(t, "int32"):dtype())
  end)

  it("filled, in every dtype and every way to name a shape", function()
    for _, dtype in ipairs(DTYPES) do
      assert.same({ { 0, 0 }, { 0, 0 } }, pl.zeros(2, 2, dtype):totable())
      assert.same({ { 1, 1 } }, pl.ones({ 1, 2 }, dtype):totable())
      assert.same({ 7, 7, 7 }, pl.full(3, 7, dtype):totable())
      assert.same({ 4, 0 }, pl.empty({ 4, 0 }, dtype):shape())
      for _, name in ipairs { "zeros", "ones", "empty" } do
        assert.equal(dtype, pl[name]({ 2, 3 }, dtype):dtype())
        assert.equal(dtype, pl[name](2, 3, dtype):dtype())
        assert.same({ 2, 3 }, pl[name](2, 3, dtype):shape())
        local like = pl[name .. "_like"](pl.full({ 3, 1, 2 }, 5, dtype))
        assert.equal(dtype, like:dtype())
        assert.same({ 3, 1, 2 }, like:shape())
      end
      assert.same({ { 9, 9 } }, pl.full_like(pl.zeros(1, 2, dtype), 9):totable())
    end
    assert.equal("float32", pl.zeros(2):dtype())
    assert.equal("int32", pl.zeros_like(pl.zeros(2), "int32"):dtype())
    assert.same({}, pl.zeros({}):shape())
    assert.same({ 1, 2, 3, 1, 2, 3 }, pl.zeros(1, 2, 3, 1, 2, 3):shape())
    assert.is_true(pl.ones_like(pl.zeros(4, 3):t()):is_contiguous())
  end)

  it("arange includes its end, as a Lua for does", function()
    assert.same({ 1, 2, 3, 4, 5 }, pl.arange(1, 5):totable())
    assert.same({ 1, 2, 3 }, pl.arange(3):totable())
    assert.same({ 1, 3, 5 }, pl.arange(1, 6, 2, "int32"):totable())
    assert.same({ 5, 3, 1 }, pl.arange(5, 1, -2):totable())
    assert.same({}, pl.arange(2, 1):totable())
    assert.same({}, pl.arange(1, 2, -1):totable())
    assert.same({ 4 }, pl.arange(4, 4):totable())
    assert.equal(11, pl.arange(0, 1, 0.1):numel())
    assert.equal(1.0, pl.arange(0, 1, 0.25, "float64")[5])
    assert.equal(20000, pl.arange(1, 20000, 1, "int32")[20000])
  end)

  it("linspace hits both ends", function()
    assert.same({ 0, 0.25, 0.5, 0.75, 1 }, pl.linspace(0, 1, 5):totable())
    assert.equal(0.7, pl.linspace(0.1, 0.7, 7, "float64")[-1])
    assert.same({ 3 }, pl.linspace(3, 8, 1):totable())
    assert.same({}, pl.linspace(3, 8, 0):totable())
    assert.same({ 1, 0, -1 }, pl.linspace(1, -1, 3):totable())
  end)

  it("eye", function()
    assert.same({ { 1, 0 }, { 0, 1 } }, pl.eye(2, "uint8"):totable())
    assert.same({ { 1, 0, 0 }, { 0, 1, 0 } }, pl.eye(2, 3):totable())
    assert.same({ { 1 }, { 0 }, { 0 } }, pl.eye(3, 1, "int32"):totable())
    assert.same({ 0, 0 }, pl.eye(0):shape())
    assert.same({ 2, 0 }, pl.eye(2, 0):shape())
    assert.equal(17, pl.eye(17):sum())
  end)

  it("by the core's own functions", function()
    assert.same({ 2, 2 }, core.full({ 2 }, 2):totable())
    assert.same({ 3 }, core.empty(3):shape())
    assert.same({ 1, 3 }, core.ramp("ramp", 2, 1, 2):totable())
    assert.same({ 1, 2 }, core.from_table({ 1, 2 }):totable())
    assert.is_true(pl.is_tensor(pl.zeros(1)))
    for _, value in ipairs { 1, "t", {}, io.stdout, print, true } do assert.is_false(pl.is_tensor(value)) end
    assert.is_false(pl.is_tensor(nil))
    assert.is_false(pl.is_tensor())
  end)

  it("fits tells a tensor of a shape and dtype from all else", function()
    local fits, t = core.fits, pl.zeros(2, 3, 4)
    for _, shape in ipairs { { 2, 3, 4 }, pl.zeros({ 2, 3, 4 }, "int32") } do
      assert.is_true(fits(t, shape))
      assert.is_true(fits(t, shape, "float32"))
      assert.is_false(fits(t, shape, "float64"))
    end
    for _, shape in ipairs { {}, { 2 }, { 2, 3 }, { 3, 4 }, { 2, 3, 5 }, { 2, 3, 4, 1 }, { 24 } } do
      assert.is_false(fits(t, shape))
    end
    assert.is_true(fits(t, { 3, 4 }, nil, 1))
    assert.is_true(fits(t, {}, "float32", 3))
    assert.is_false(fits(t, { 2, 3, 4 }, nil, 1))
    assert.is_true(fits(pl.zeros {}, {}))
    for _, value in ipairs { 1, "t", {}, io.stdout, print, true } do assert.is_false(fits(value, {})) end
    assert.is_false(fits(nil, {}))
    for _, shape in ipairs { 3, io.stdout } do assert.has_error(function() fits(t, shape) end) end
    assert.has_error(function() fits(t, { 3 }, nil, -1) end)
  end)
end)

describe("inspection", function()
  it("tells shape, size, rank, numel, dtype, stride and length", function()
    local t = pl.zeros(2, 3, 4)
    assert.same({ 2, 3, 4 }, t:shape())
    assert.equal(3, t:size(2))
    assert.equal(4, t:size(-1))
    assert.equal(3, t:rank())
    assert.equal(24, t:numel())
    assert.equal(2, #t)
    assert.same({ 12, 4, 1 }, t:stride())
    assert.is_true(t:is_contiguous())
    assert.is_false(t:transpose(1, 2):is_contiguous())
    assert.is_true(t[{ 2 }]:is_contiguous())
    assert.is_false(t[{ {}, 2 }]:is_contiguous())
    assert.is_true(t[{ { 1, 1 }, 2 }]:is_contiguous())
    assert.equal(0, pl.tensor(1):rank())
    assert.equal(1, pl.tensor(1):numel())
    assert.equal(0, pl.zeros(3, 0):numel())
    assert.equal(0, #pl.zeros(0, 3))
    t:shape()[1] = 100
    assert.equal(2, t:size(1))
  end)

  it("item", function()
    assert.equal(3, pl.tensor { { 3 } }:item())
    assert.equal("integer", math.type(pl.tensor(3, "int32"):item()))
    assert.equal(2.5, pl.tensor({ 1, 2.5 })[{ { 2, 2 } }]:item())
  end)

  it("comes back as a table from any layout", function()
    local t = pl.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
    assert.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, t:t():totable())
    assert.same({ { 6, 4 } }, t[{ { 2, 2 }, { 3, 1, -2 } }]:totable())
    assert.equal(4, pl.tensor(4):totable())
    assert.same({ {}, {} }, pl.zeros(2, 0):totable())
  end)
end)

describe("bytes", function()
  it("are row-major and little-endian", function()
    assert.equal(string.pack("<ffff", 1, 3, 2, 4), pl.tensor { { 1, 2 }, { 3, 4 } }:t():tobytes())
    assert.equal(string.pack("<dd", 0.1, -2), pl.tensor({ 0.1, -2 }, "float64"):tobytes())
    assert.equal("\0\255a", pl.tensor({ 0, 255, 97 }, "uint8"):tobytes())
    assert.equal(string.pack("<i4i4", -1, 2147483647), pl.tensor({ -1, 2147483647 }, "int32"):tobytes())
    assert.equal("", pl.zeros(0, 5):tobytes())
  end)

  it("come back", function()
    local random = layouts.generator(5)
    for _, dtype in ipairs(DTYPES) do
      for _, shape in ipairs { {}, { 0 }, { 7 }, { 3, 5 }, { 2, 0, 3 }, { 1, 2, 1, 3, 1, 2 } } do
        for _, layout in ipairs(layouts.names) do
          local t = layouts.operand(pl, dtype, shape, "any", layout, random)
          local bytes = t:tobytes()
          assert.equal(t:numel() * SIZES[dtype], #bytes)
          local back = pl.frombytes(bytes, dtype, shape)
          assert.is_true(back:equal(t))
          assert.equal(bytes, back:tobytes())
        end
      end
    end
  end)
end)

describe("conversion", function()
  it("keeps a tensor that has the dtype already, and copies otherwise", function()
    local t = pl.arange(3)
    assert.is_true(rawequal(t, t:to("float32")))
    assert.is_true(rawequal(t, t:float()))
    assert.is_true(rawequal(t, t:contiguous()))
    assert.is_false(rawequal(t, t:clone()))
    local d = t:double()
    d[1] = 9
    assert.equal(1, t[1])
    local column = pl.zeros(2, 2):t()
    assert.is_false(rawequal(column, column:contiguous()))
    assert.is_true(column:contiguous():is_contiguous())
    assert.is_true(column:clone():is_contiguous())
  end)

  it("truncates and saturates", function()
    local t = pl.tensor({ -1.9, 1.9, 255.9, 256, 1e10, -1e10, inf, -inf, nan }, "float64")
    assert.same({ 0, 1, 255, 255, 255, 0, 255, 0, 0 }, t:byte():totable())
    assert.same({ -1, 1, 255, 256, 2147483647, -2147483648, 2147483647, -2147483648, 0 }, t:int():totable())
    assert.same({ 0, 7, 255 }, pl.tensor({ -5, 7, 300 }, "int32"):byte():totable())
  end)
end)

describe("equality", function()
  it("compares shape, dtype and elements", function()
    local t = pl.arange(6):reshape(2, 3)
    assert.is_true(t:equal(t:clone()))
    assert.is_true(t:equal(t:t():clone():t()))
    assert.is_false(t:equal(t:reshape(3, 2)))
    assert.is_false(t:equal(t:double()))
    assert.is_false(t:equal(t[1]))
    local u = t:clone()
    u[{ 2, 3 }] = 7
    assert.is_false(t:equal(u))
    assert.is_true(pl.zeros(0, 3):equal(pl.ones(0, 3)))
    assert.is_false(pl.zeros(0, 3):equal(pl.zeros(3, 0)))
    assert.is_false(pl.tensor({ nan }):equal(pl.tensor { nan }))
    assert.is_true(pl.tensor({ -0.0 }):equal(pl.tensor { 0.0 }))
  end)

  it("allows for tolerances", function()
    local t = pl.tensor({ 1, 100, 0 }, "float64")
    assert.is_true(t:allclose(t + 1e-9))
    assert.is_false(t:allclose(t + 1e-6))
    assert.is_true(t:allclose(t * (1 + 9e-6)))
    assert.is_true(t:allclose(t + 0.01, { atol = 0.02 }))
    assert.is_true(t:allclose(t * 1.01, { rtol = 0.02 }))
    assert.is_false(t:allclose(t * 1.01, { rtol = 0.005 }))
    local special = pl.tensor { inf, -inf, nan }
    assert.is_false(special:allclose(special))
    assert.is_true(special:allclose(special, { equal_nan = true }))
    assert.is_false(pl.tensor({ inf }):allclose(pl.tensor { -inf }))
    assert.is_false(pl.tensor({ inf }):allclose(pl.tensor { 1 }))
    -- |a - b| <= atol + rtol * |b|, as in NumPy: b decides
    assert.is_true(pl.tensor({ 1.0 }):allclose(pl.tensor { 2.0 }, { rtol = 0.5, atol = 0 }))
    assert.is_false(pl.tensor({ 2.0 }):allclose(pl.tensor { 1.0 }, { rtol = 0.5, atol = 0 }))
  end)
end)

describe("printing", function()
  it("names shape and dtype and lines numbers up", function()
    local text = tostring(pl.tensor { { 1, 2.5 }, { -3, 40 } })
    assert.matches("{2, 2} float32", text, 1, true)
    local rows = {}
    for line in text:gmatch("[^\n]+") do rows[#rows + 1] = line end
    assert.equal(3, #rows)
    assert.equal(#rows[2], #rows[3])
    for _, number in ipairs { "2.5", "-3.0", "40.0" } do assert.matches(number, text, 1, true) end
  end)

  it("is short and shows both ends at any rank and any size", function()
    for rank = 0, 6 do
      for _, size in ipairs { 1, 2, 7, 10, 12 } do
        local shape = {}
        for axis = 1, rank do shape[axis] = size end
        for _, dtype in ipairs(DTYPES) do
          local text = tostring(pl.ones(shape, dtype))
          assert.is_true(#text < 8000, "rank " .. rank .. ", size " .. size)
          assert.matches(dtype, text, 1, true)
        end
      end
    end
    local text = tostring(pl.arange(1, 1000000, 1, "int32"))
    assert.is_true(#text < 300)
    assert.matches(" 1 ", text)
    assert.matches("1000000", text)
    assert.matches("…", text, 1, true)
    assert.is_true(#tostring(pl.zeros(1000, 1000)) < 2000)
    assert.matches("{1000, 1000}", tostring(pl.zeros(1000, 1000)), 1, true)
  end)

  it("tells empty tensors, infinities, NaN, large and small numbers", function()
    assert.matches("{0, 3} float64", tostring(pl.zeros({ 0, 3 }, "float64")), 1, true)
    local text = tostring(pl.tensor { inf, -inf, nan, 1 })
    assert.matches("inf", text)
    assert.matches("-inf", text, 1, true)
    assert.matches("nan", text)
    assert.matches("e%+30", tostring(pl.tensor { 1e30, 1 }))
    assert.matches("e%-10", tostring(pl.tensor { 1e-10 }))
    assert.matches("42", tostring(pl.tensor(42)))
    assert.matches("0.5", tostring(pl.tensor { 0.5, 0.25 }:expand(2, 2)))
  end)
end)
