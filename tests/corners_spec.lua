-- Corners of operations that the table's numbers do not reach: NaN, signed zeros, ties, overflow, empty
-- axes, options, and what falls between dtypes.
local core = require "perilune.core"
local pl = require "perilune"

local inf <const>, nan <const> = math.huge, 0.0 / 0.0
local FLOATS <const> = { "float32", "float64" }

local function is_nan(x) return type(x) == "number" and x ~= x end

-- 1 / 0 tells the zeros apart
local function sign_of_zero(x) return 1 / x end

describe("zeros", function()
  it("have NumPy's signs", function()
    for _, dtype in ipairs(FLOATS) do
      for _, padding in ipairs { 0, 40 } do -- alone, and within a vector
        local list = { -0.0 }
        for i = 1, padding do list[i + 1] = 1.5 end
        local t = pl.tensor(list, dtype)
        assert.equal(inf, sign_of_zero(t:abs()[1]))
        assert.equal(inf, sign_of_zero(t:neg()[1]))
        assert.equal(-inf, sign_of_zero(t:neg():neg()[1]))
        assert.equal(-inf, sign_of_zero(t:sqrt()[1]))
        assert.equal(-inf, sign_of_zero(t:floor()[1]))
        assert.equal(-inf, sign_of_zero(t:to(dtype == "float32" and "float64" or "float32")[1]))
        assert.equal(-inf, t:reciprocal()[1])
        assert.equal(-inf, sign_of_zero((t * 3)[1]))
        assert.equal(inf, sign_of_zero((t + 0)[1]))
      end
      assert.equal(-inf, sign_of_zero(pl.tensor({ -0.4 }, dtype):round()[1]))
      assert.equal(-inf, sign_of_zero(pl.tensor({ -0.4 }, dtype):ceil()[1]))
    end
  end)
end)

describe("NaN", function()
  it("passes through sums, minima and maxima, wherever it stands", function()
    for _, dtype in ipairs(FLOATS) do
      for _, n in ipairs { 1, 5, 64, 100 } do
        for at = 1, n, 7 do
          local t = pl.ones({ n }, dtype)
          t[at] = nan
          for _, name in ipairs { "sum", "mean", "min", "max", "norm", "prod", "logsumexp", "var" } do
            assert.is_true(is_nan(t[name](t)), name)
            local wide = t:reshape(n, 1):expand(n, 3)
            assert.is_true(is_nan(wide[name](wide, 1)[2]), name)
          end
          assert.equal(at, t:argmin())
          assert.equal(at, t:argmax())
          assert.is_true(is_nan(t:cumsum(1)[n]))
        end
      end
    end
  end)

  it("passes through elementwise choice", function()
    local t = pl.tensor { nan, 1, nan }
    for _, result in ipairs { t:maximum(2), t:minimum(2), t:clamp(0, 1), t:relu(), t:sign(), t:abs() } do
      assert.is_true(is_nan(result[1]))
      assert.is_false(is_nan(result[2]))
    end
    assert.is_true(is_nan(pl.tensor({ 1 }):maximum(pl.tensor { nan })[1]))
    assert.same({ 0, 1, 0 }, t:eq(t):totable())
    assert.same({ 1, 0, 1 }, t:ne(t):totable())
    assert.is_true(t:any() and t:all())
  end)

  it("is sorted to the end in either direction", function()
    local t = pl.tensor { 2, nan, -inf, inf, nan, -1 }
    for _, descending in ipairs { false, true } do
      local values, indices = t:sort(1, descending)
      assert.is_true(is_nan(values[5]) and is_nan(values[6]))
      assert.same({ 2, 5 }, indices[{ { 5, 6 } }]:totable())
      assert.same(descending and { inf, 2, -1, -inf } or { -inf, -1, 2, inf }, values[{ { 1, 4 } }]:totable())
    end
  end)
end)

describe("ties", function()
  it("go to the first", function()
    for _, n in ipairs { 4, 70, 5000 } do
      local t = pl.full({ n }, 3)
      assert.equal(1, t:argmax())
      t[{ { 3, 4 } }] = 8
      assert.equal(3, t:argmax())
      assert.equal(1, t:argmin())
      t[-1] = -2
      assert.equal(n, t:argmin())
    end
    assert.same({ 1, 1, 2 }, pl.tensor({ { 5, 5, 1 }, { 5, 4, 2 } }):argmax(1):totable())
    assert.same({ 3, 1 }, pl.tensor({ { 1, 1, 2 }, { 0, 0, 0 } }):argmax(-1):totable())
  end)

  it("keep their order when sorted, at any length", function()
    for _, n in ipairs { 3, 17, 200, 3000 } do
      local t = pl.arange(1, n, 1, "int32"):mod(3)
      for _, descending in ipairs { false, true } do
        local values, indices = t:sort(1, descending)
        local v, i = values:totable(), indices:totable()
        for k = 2, n do
          assert.is_true(v[k] == v[k - 1] or (v[k] < v[k - 1]) == descending)
          assert.is_true(v[k] ~= v[k - 1] or i[k] > i[k - 1])
        end
      end
    end
  end)

  it("are what 0 and -0 are", function()
    for _, dtype in ipairs(FLOATS) do
      for _, n in ipairs { 4, 300 } do
        local zeros = pl.where(pl.arange(1, n, 1, "int32"):mod(2):byte(), 0.0, pl.full({ n }, -0.0, dtype))
        for _, descending in ipairs { false, true } do
          local _, indices = zeros:sort(1, descending)
          assert.is_true(indices:equal(pl.arange(1, n, 1, "int32")))
        end
        assert.equal(1, zeros:argmin())
        assert.equal(1, zeros:argmax())
        assert.is_false(zeros:any())
        assert.same({ 0, 1 }, zeros:nonzero():shape())
        assert.is_true(zeros:equal(-zeros))
      end
    end
  end)

  it("round to even", function()
    local t = pl.tensor { -2.5, -1.5, -0.5, 0.5, 1.5, 2.5 }
    assert.same({ -2, -2, 0, 0, 2, 2 }, t:round():totable())
  end)
end)

describe("integers", function()
  it("wrap in arithmetic", function()
    local big = pl.tensor({ 2147483647, -2147483648 }, "int32")
    assert.same({ -2147483648, -2147483647 }, (big + 1):totable())
    assert.same({ -2147483647, -2147483648 }, (-big):totable())
    assert.same({ 2147483647, -2147483648 }, big:abs():totable())
    assert.same({ 44, 0 }, (pl.tensor({ 200, 156 }, "uint8") + 100):totable())
    assert.same({ 255 }, (pl.tensor({ 0 }, "uint8") - 1):totable())
    assert.same({ 1 }, pl.tensor({ 255 }, "uint8"):square():totable())
    assert.same({ -2147483648 }, pl.tensor({ -2147483648 }, "int32"):floor_divide(-1):totable())
    assert.same({ 0 }, pl.tensor({ -2147483648 }, "int32"):mod(-1):totable())
  end)

  it("divided by 0 give 0 and do not trap", function()
    for _, dtype in ipairs { "int32", "uint8" } do
      local t = pl.tensor({ 5, 0, 7 }, dtype)
      assert.same({ 0, 0, 0 }, (t // 0):totable())
      assert.same({ 0, 0, 0 }, (t % 0):totable())
    end
  end)

  it("divide as Lua does", function()
    local a, b = pl.tensor({ 7, -7, 7, -7 }, "int32"), pl.tensor({ 2, 2, -2, -2 }, "int32")
    assert.same({ 3, -4, -4, 3 }, (a // b):totable())
    assert.same({ 1, 1, -1, -1 }, (a % b):totable())
    assert.same({ 3, -4, -4, 3 }, (a:float() // b:float()):totable())
    assert.same({ 1, 1, -1, -1 }, (a:float() % b:float()):totable())
  end)

  it("sum into int32, or a Lua integer, without overflow in between", function()
    local t = pl.full({ 1000, 3 }, 255, "uint8")
    assert.equal(765000, t:sum())
    assert.same({ 255000, 255000, 255000 }, t:sum(1):totable())
    assert.equal("int32", t:sum(1):dtype())
    local big = pl.full({ 4 }, 2147483647, "int32")
    assert.equal(4 * 2147483647, big:sum())
    assert.has_error(function() big:reshape(4, 1):sum(1) end)
    assert.has_error(function() big:cumsum(1) end)
    assert.has_error(function() pl.full({ 70 }, 2, "int32"):prod() end)
    assert.equal(2 ^ 40, pl.full({ 40 }, 2, "int32"):prod())
    assert.equal(1.5, pl.tensor({ 1, 2 }, "int32"):mean())
    assert.equal(2147483647, big:mean())
    assert.equal(24, pl.tensor({ 2, 3, 4 }, "uint8"):prod())
    assert.same({ -6, 20 }, pl.tensor({ { 2, -3 }, { 4, 5 } }, "int32"):prod(2):totable())
    local mixed = pl.tensor({ 2147483647, 2147483647, -2147483648, -2147483640 }, "int32"):reshape(4, 1)
    assert.same({ 6 }, mixed:sum(1):totable())
  end)

  it("take numbers of their dtype only", function()
    local t = pl.zeros({ 2 }, "uint8")
    for _, value in ipairs { 256, -1, 0.5, nan, inf, 2 ^ 53 } do
      assert.has_error(function() t:fill_(value) end)
      assert.has_error(function() return t + value end)
      assert.has_error(function() t[1] = value end)
      assert.has_error(function() return t:lt(value) end)
      assert.has_error(function() pl.full({ 2 }, value, "uint8") end)
      assert.has_error(function() pl.tensor({ value }, "uint8") end)
      assert.has_error(function() t:masked_fill(t, value) end)
    end
    assert.same({ 4, 4 }, (t + 4.0):totable())
  end)
end)

describe("reductions", function()
  it("of nothing have NumPy's values, or raise where there is none", function()
    for _, dtype in ipairs { "float32", "float64", "int32", "uint8" } do
      local t = pl.zeros({ 0 }, dtype)
      assert.equal(0, t:sum())
      assert.equal(1, t:prod())
      assert.is_true(is_nan(t:mean()))
      assert.is_true(is_nan(t:var()))
      assert.equal(0, t:norm())
      assert.is_false(t:any())
      assert.is_true(t:all())
      for _, name in ipairs { "min", "max", "argmin", "argmax" } do
        assert.has_error(function() t[name](t) end)
        assert.has_error(function() pl.zeros({ 3, 0 }, dtype)[name](pl.zeros({ 3, 0 }, dtype), 2) end)
        assert.same({ 0 }, pl.zeros({ 3, 0 }, dtype)[name](pl.zeros({ 3, 0 }, dtype), 1):shape())
      end
    end
    assert.equal(-inf, pl.zeros(0):logsumexp())
  end)

  it("take options in a table", function()
    local t = pl.arange(1, 6, 1, "float64"):reshape(2, 3)
    assert.same({ 2, 1 }, t:sum({ 2, keepdims = true }):shape())
    assert.same({ 1, 1 }, t:sum({ keepdims = true }):shape())
    assert.same({ 1, 3 }, t:mean(1, true):shape())
    assert.equal(21, t:sum { 1, 2 })
    assert.equal(3.5, t:var { correction = 1 })
    assert.equal(35 / 12, t:var())
    assert.is_true(is_nan(pl.tensor({ 3 }):var { correction = 1 }))
    for _, bad in ipairs {
      { keepdim = true }, { 1, 1 }, { 1, -2 }, { 3 }, { 0 }, { keepdims = 1 }, { correction = -1 },
      { correction = "1" }, { 1.5 }, { "1" }, "1", 3, 0, -3, 1.5, nan, true,
    } do
      assert.has_error(function() t:var(bad) end)
    end
    assert.has_error(function() t:sum { correction = 1 } end)
    assert.has_error(function() t:sum(1, 1) end)
  end)

  it("stay accurate far from zero", function()
    local t = pl.arange(0, 9999):mod(10) + 1e4 -- 0 … 9 about 10,000
    assert.is_true(math.abs(t:var() - 8.25) < 1e-3)
    assert.is_true(math.abs(t:mean() - 10004.5) < 1e-2)
    assert.is_true(math.abs(pl.full({ 1000000 }, 0.1):sum() - 100000) < 1)
    assert.is_true(math.abs(pl.full({ 100 }, 1000):logsumexp() - (1000 + math.log(100))) < 1e-3)
    assert.is_true(math.abs(pl.full({ 4 }, -1e4):logsumexp() - (-1e4 + math.log(4))) < 1e-2)
    assert.equal(inf, pl.tensor({ 1, inf }):logsumexp())
    assert.equal(-inf, pl.tensor({ -inf, -inf }):logsumexp())
  end)

  it("norm neither overflows nor vanishes in float64 needlessly", function()
    assert.equal(5, pl.tensor({ 3, 4 }, "uint8"):norm())
    assert.equal(5, pl.tensor({ -3, 4 }):norm())
  end)

  it("softmax is stable and sums to 1", function()
    local t = pl.tensor { { 1000, 1001, 999 }, { -1000, -1001, -1e30 } }
    local s = t:softmax(-1)
    assert.is_true(s:sum(2):allclose(pl.ones(2)))
    assert.is_true(pl.tensor({ 0.24472848, 0.66524094, 0.09003057 }):allclose(s[1], { rtol = 1e-5 }))
    assert.equal(0, s[{ 2, 3 }])
    assert.is_true(is_nan(pl.tensor({ nan, 1 }):softmax(1)[2]))
    assert.is_true(t:log_softmax(-1)[1]:allclose(s[1]:log()))
  end)
end)

describe("operators", function()
  it("take numbers on either side, in the tensor's dtype", function()
    local t = pl.tensor({ 1, 2, 4 }, "float32")
    assert.same({ 1, 0, -2 }, (2 - t):totable())
    assert.same({ 8, 4, 2 }, (8 / t):totable())
    assert.same({ 2, 4, 16 }, (2 ^ t):totable())
    assert.same({ 0, 1, 3 }, (7 % t):totable())
    assert.same({ 7, 3, 1 }, (7 // t):totable())
    local mask = t:gt(1)
    assert.same({ 1, 0, 0 }, (~mask):totable())
    assert.same({ 0, 1, 0 }, (mask & t:lt(3)):totable())
    assert.same({ 1, 1, 1 }, (mask | t:lt(3)):totable())
    assert.same({ 1, 0, 1 }, (mask ~ t:lt(3)):totable())
  end)

  it("choose between numbers and tensors", function()
    local mask, t = pl.tensor({ 1, 0, 9 }, "uint8"), pl.tensor({ 5, 6, 7 }, "int32")
    assert.same({ 5, -1, 7 }, pl.where(mask, t, -1):totable())
    assert.same({ 0, 6, 0 }, pl.where(mask, 0, t):totable())
    assert.equal("int32", pl.where(mask, 0, t):dtype())
    assert.same({ 1, 2, 1 }, pl.where(mask, 1, 2):totable())
    assert.equal("float32", pl.where(mask, 1, 2):dtype())
    assert.same({ { 1, 0, 1 }, { 2, 0, 2 } }, pl.where(mask, pl.tensor { { 1 }, { 2 } }, 0):totable())
    for _, dtype in ipairs { "float32", "float64", "uint8", "int32" } do
      local long = pl.arange(1, 1003, 1, dtype)
      local odd = pl.arange(1, 1003, 1, "int32"):mod(2):byte()
      local left, right = pl.where(odd, 7, long):totable(), pl.where(odd, long, 7):totable()
      for i, x in ipairs(long:totable()) do
        assert.equal(i % 2 == 1 and 7 or x, left[i])
        assert.equal(i % 2 == 1 and x or 7, right[i])
      end
    end
    assert.has_error(function() pl.where(mask, 0.5, t) end)
    assert.has_error(function() pl.where(t, 1, 2) end)
  end)

  it("do not order tensors", function()
    local a, b = pl.zeros(2), pl.zeros(2)
    assert.has_error(function() return a < b end)
    assert.has_error(function() return a <= b end)
    assert.has_error(function() return a > 1 end)
    assert.is_false(a == b)
    assert.is_true(a == a)
    assert.has_error(function() return a .. b end)
    assert.has_error(function() return a & 1.5 end)
  end)

  it("in place leave the shape alone", function()
    local t = pl.zeros(3, 1)
    assert.has_error(function() t:add_(pl.zeros(3, 4)) end)
    assert.has_error(function() t:add_(pl.zeros(2, 3, 1)) end)
    assert.same({ 3, 1 }, t:add_(pl.ones(1)):shape())
    assert.has_error(function() pl.zeros(3):mul_(pl.zeros({ 3 }, "float64")) end)
  end)

  it("add_ scales", function()
    local t = pl.ones(3)
    assert.same({ 0.5, 0, -0.5 }, t:add_(pl.arange(3), -0.5):totable())
    assert.same({ -1.5, -2, -2.5 }, t:add(2, -1):totable())
  end)
end)

describe("matrix products", function()
  local function product(a, b)
    local m, n, k = #a, #b[1], #b
    local result = {}
    for i = 1, m do
      result[i] = {}
      for j = 1, n do
        local sum = 0
        for l = 1, k do sum = sum + a[i][l] * b[l][j] end
        result[i][j] = sum
      end
    end
    return result
  end

  it("in all transpositions and strides, exactly on small integers", function()
    for _, dtype in ipairs(FLOATS) do
      for _, size in ipairs { { 1, 1, 1 }, { 2, 3, 4 }, { 17, 5, 33 }, { 40, 65, 3 } } do
        local m, k, n = table.unpack(size)
        local a = pl.arange(1, m * k, 1, dtype):mod(7):reshape(m, k) - 3
        local b = pl.arange(1, k * n, 1, dtype):mod(5):reshape(k, n) - 2
        local expected = product(a:totable(), b:totable())
        local wide = pl.zeros({ 2 * m, 3 * k }, dtype)
        local strided = wide[{ { 2, 2 * m, 2 }, { 1, 3 * k, 3 } }]
        strided:copy_(a)
        local rows = pl.zeros({ m, k + 5 }, dtype)[{ {}, { 3, k + 2 } }]
        rows:copy_(a)
        local twice_reversed = a[{ { m, 1, -1 } }][{ { m, 1, -1 } }]
        for _, left in ipairs { a, a:t():clone():t(), strided, rows, twice_reversed } do
          for _, right in ipairs { b, b:t():clone():t(), b[{ {}, { n, 1, -1 } }][{ {}, { n, 1, -1 } }] } do
            assert.same(expected, left:matmul(right):totable())
          end
        end
        assert.same(product(b:t():totable(), a:t():totable()), b:t():matmul(a:t()):totable())
      end
    end
  end)

  it("of expanded tensors and views of themselves", function()
    local row = pl.tensor { { 1, 2, 3 } }
    assert.same({ { 14, 14 }, { 14, 14 } }, row:expand(2, 3):matmul(row:expand(2, 3):t()):totable())
    assert.same({ { 6, 6 } }, row:matmul(pl.ones(1):expand(3, 2)):totable())
    local t = pl.arange(4):reshape(2, 2)
    assert.same({ { 5, 11 }, { 11, 25 } }, t:matmul(t:t()):totable())
    assert.same({ { 7, 10 }, { 15, 22 } }, t:matmul(t):totable())
  end)

  it("spread NaN and infinities", function()
    local a = pl.eye(3)
    a[{ 1, 1 }] = nan
    local p = a:matmul(pl.ones(3, 3))
    assert.is_true(is_nan(p[{ 1, 1 }]) and is_nan(p[{ 1, 3 }]))
    assert.same({ 1, 1, 1 }, p[2]:totable())
    assert.is_true(is_nan(pl.zeros(1, 1):matmul(pl.full({ 1, 1 }, inf))[{ 1, 1 }]))
  end)
end)

describe("pooling", function()
  local nn = core.nn

  it("of no windows gives nothing, and gradients of 0", function()
    local x = pl.ones(1, 2, 2, 3)
    for _, shape in ipairs { { 1, 0, 0, 3 }, { 1, 0, 1, 3 }, { 1, 1, 0, 3 } } do
      local y, which = pl.zeros(shape), pl.zeros(shape, "uint8")
      nn.max_pool2d(y, nil, x, 5, 5, 5, 5, 0, 0)
      nn.avg_pool2d(y, x, 5, 5, 5, 5, 0, 0)
      for _, add in ipairs { false, true } do
        local dx = pl.full({ 1, 2, 2, 3 }, 7)
        nn.avg_pool2d_backward(dx, y, 5, 5, 5, 5, 0, 0, add)
        assert.is_true(dx:eq(add and 7 or 0):all())
        dx:fill_(7)
        nn.max_pool2d_backward(dx, y, which, 5, 5, 5, 5, 0, 0, add)
        assert.is_true(dx:eq(add and 7 or 0):all())
      end
    end
  end)

  it("refuses windows whose places no int32 can number", function()
    local x = pl.ones(1, 3, 3, 1)
    local function pooled(height, width)
      return x:max_pool2d { pool_size = { height, width }, padding = "same" }
    end
    assert.same({ 1, 1, 1, 1 }, pooled(2 ^ 15, 2 ^ 16 - 1):shape())
    local _, text = pcall(pooled, 2 ^ 15, 2 ^ 16)
    assert.matches("corners_spec%.lua:%d+: max_pool2d: argument 'pool_size': expected windows of at most "
      .. "2147483647 places, got 32768 times 65536", text)
    assert.is_false(pcall(pooled, 2 ^ 31 - 1, 2 ^ 31 - 1))
  end)
end)

describe("indices", function()
  it("come as lists too", function()
    local t = pl.arange(6):reshape(3, 2)
    assert.same({ { 5, 6 }, { 1, 2 } }, t:index_select(1, { 3, 1 }):totable())
    assert.same({ 0, 2 }, t:index_select(1, {}):shape())
    assert.same({ { 1, 2 }, { 5, 6 }, { 5, 6 } }, t:index_add_(1, { 2 }, pl.tensor { { 2, 2 } }):totable())
    t:index_add_(1, { 2 }, pl.tensor { { 10, 10 } }, -0.5)
    assert.same({ { 1, 2 }, { 0, 1 }, { 5, 6 } }, t:totable())
  end)

  it("are checked before anything is written", function()
    local t = pl.zeros(3)
    assert.has_error(function() t:index_add_(1, { 1, 4 }, pl.ones(2)) end)
    assert.equal(0, t:sum())
    for _, index in ipairs { { 0 }, { -1 }, { 4 }, { 1.5 }, { "1" }, { nan }, { 2 ^ 31 }, { 2 ^ 53 } } do
      assert.has_error(function() t:index_select(1, index) end)
    end
    assert.has_error(function() t:gather(1, pl.tensor({ 4 }, "int32")) end)
    assert.has_error(function() t:gather(1, pl.tensor({ 0 }, "int32")) end)
    assert.has_error(function() t:gather(1, pl.tensor { 1 }) end)
    assert.has_error(function() t:gather(1, pl.zeros({ 1, 1 }, "int32")) end)
  end)

  it("select by masks that broadcast", function()
    local t = pl.arange(6):reshape(3, 2)
    assert.same({ 1, 3, 5 }, t:masked_select(pl.tensor({ 1, 0 }, "uint8")):totable())
    assert.same({ 3, 4 }, t:masked_select(pl.tensor({ { 0 }, { 9 }, { 0 } }, "uint8")):totable())
    assert.has_error(function() t:masked_select(pl.zeros({ 3, 3 }, "uint8")) end)
    assert.has_error(function() t:masked_select(pl.zeros(3, 2)) end)
    assert.same({ { 2, 1 } }, pl.tensor({ { 0, 0 }, { nan, 0 } }):nonzero():totable())
  end)
end)
