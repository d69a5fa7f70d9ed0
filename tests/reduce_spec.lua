-- Reductions, scans, indexing and sorting where numbers or words are known beforehand: special values,
-- stability, bits at any thread count, and the messages of errors. The table of operations
-- (tests/cases.lua) holds them against a reference on every layout.
local pl = require "perilune"

local nan <const>, inf <const> = 0 / 0, math.huge
local FLOATS <const> = { "float32", "float64" }
local ALL <const> = { "float32", "float64", "uint8", "int32" }

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok, "no error was raised")
  assert.is_truthy(message:find("reduce_spec.lua:", 1, true), "not at the caller's line: " .. message)
  assert.is_truthy(message:find(pattern, 1, true), ("%q does not contain %q"):format(message, pattern))
end

local function is_nan(x) return x ~= x end

describe("reductions", function()
  local t = pl.tensor { { 1, 2, 3 }, { 4, 5, 6 } }

  it("give Lua numbers over all axes and tensors over some", function()
    assert.equal(21, t:sum())
    assert.equal("float", math.type(t:sum()))
    assert.same({ 5, 7, 9 }, t:sum(1):totable())
    assert.same({ { 6 }, { 15 } }, t:sum(-1, true):totable())
    assert.same({ { 21 } }, t:sum { keepdims = true }:totable())
    assert.equal(21, t:sum { 2, 1 })
    assert.equal("integer", math.type(t:int():sum()))
    assert.is_true(t:all())
    assert.same({ 1, 1 }, t:any(2):totable())
    assert.equal("uint8", t:any(2):dtype())
    assert.equal("int32", t:byte():sum(1):dtype())
    assert.equal("float32", t:byte():mean(1):dtype())
    assert.equal(7, pl.tensor(7):sum())
    assert.equal(1, pl.tensor(7):argmax())
  end)

  it("have their neutral values over nothing, or say that there is none", function()
    local empty = pl.zeros(0, 3)
    assert.equal(0, empty:sum())
    assert.equal(1, empty:prod())
    assert.equal(0, empty:norm())
    assert.is_true(is_nan(empty:mean()))
    assert.is_true(is_nan(empty:var()))
    assert.is_false(empty:any())
    assert.is_true(empty:all())
    assert.equal(-inf, empty:logsumexp())
    assert.same({ 0, 0, 0 }, empty:sum(1):totable())
    assert.same({ 0 }, empty:min(2):shape())
    for _, name in ipairs { "min", "max", "argmin", "argmax" } do
      raises(name .. ": a tensor {0, 3} has no elements along the axes to reduce", empty[name], empty)
      raises("no elements", empty[name], empty, 1)
    end
  end)

  it("pass NaN and infinities on as NumPy does", function()
    for _, dtype in ipairs(FLOATS) do
      for _, n in ipairs { 5, 40, 1000 } do
        local x = pl.ones({ n }, dtype)
        x[3], x[5], x[1] = nan, nan, inf
        assert.is_true(is_nan(x:min()) and is_nan(x:max()) and is_nan(x:sum()) and is_nan(x:logsumexp()))
        assert.equal(3, x:argmin())
        assert.equal(3, x:argmax())
        local columns = x:view(n, 1):expand(n, 4):contiguous()
        assert.same({ 3, 3, 3, 3 }, columns:argmax(1):totable())
        assert.is_true(is_nan(columns:max(1)[2]))
      end
    end
    assert.equal(-inf, pl.full({ 4 }, -inf):logsumexp())
    assert.equal(inf, pl.tensor({ 1e4, inf, -inf }):logsumexp())
    assert.same({ -inf, inf }, pl.tensor({ { -inf, 1e4 }, { -inf, inf } }):logsumexp(1):totable())
    assert.is_true(math.abs(pl.tensor({ 1e4, 1e4 }):logsumexp() - 1e4 - math.log(2)) < 1e-9)
  end)

  it("find the first of equals", function()
    local x = pl.zeros(3, 700)
    assert.same({ 1, 1, 1 }, x:argmax(2):totable())
    x[{ {}, 300 }], x[{ {}, 600 }] = 1, 1
    assert.same({ 300, 300, 300 }, x:argmax(2):totable())
    assert.equal(300, x:argmax())
    assert.equal(898, x:t():argmax()) -- (300 - 1) * 3 + 1 in the transposed order
  end)

  it("keep float32 sums in double", function()
    local x = pl.full({ 100001 }, 1e-8)
    x[1] = 1
    local step = pl.tensor(1e-8):item()
    assert.is_true(math.abs(x:sum() - (1 + 100000 * step)) < 1e-12)
    assert.is_true(math.abs(x:cumsum()[100001] - x:sum()) < 1e-7)
  end)

  it("have a variance that survives a large mean", function()
    for _, shape in ipairs { { 100000 }, { 10, 100, 100 } } do
      local x = pl.arange(1, 100000, 1, "float64"):mod(2):add(1e9):reshape(shape)
      assert.is_true(math.abs(x:var() - 0.25) < 1e-9)
      local some = x:view(-1, 10)
      assert.is_true(some:var(1):allclose(pl.full({ 10 }, 0, "float64")))
      assert.is_true(some:var(2):allclose(pl.full({ 10000 }, 0.25, "float64")))
    end
    assert.equal(0, pl.full({ 1000 }, 0.1, "float64"):var())
    assert.equal(1, pl.tensor({ 1, 2, 3 }):var { correction = 1 })
    assert.is_true(is_nan(pl.tensor({ 1 }):std { correction = 1 }))
    assert.equal(inf, pl.tensor({ 1, 2 }):var(nil, nil, 2))
  end)

  it("raise when integers do not fit", function()
    local big = pl.full({ 2, 2 }, 2 ^ 31 - 1, "int32")
    assert.equal(4 * (2 ^ 31 - 1), big:sum())
    assert.equal(2 ^ 31 - 1, big:mean())
    raises("sum: a result does not fit int32", big.sum, big, 1)
    raises("cumsum: a result does not fit int32", big.cumsum, big, 2)
    raises("prod: the result does not fit a 64-bit integer", big.prod, big)
    big[{ 2, 2 }] = 0
    assert.equal(0, big:prod())
    raises("more than 2^32 int32 elements", big.sum, big:slice(1, 1, 1):slice(2, 1, 1):expand(2 ^ 17, 2 ^ 17))
  end)

  it("name what is wrong with their arguments", function()
    raises("sum: argument 'axis': expected an axis from 1 to 2", t.sum, t, 3)
    raises("sum: argument 'axes': axis -2 is given twice", t.sum, t, { 1, -2 })
    raises("sum: argument 'axes': expected an axis or a list", t.sum, t, "1")
    raises("sum: argument 'keepdims': expected true or false, got 2", t.sum, t, 1, 2)
    raises("sum: argument 'keepdims' is given twice", t.sum, t, { 1, keepdims = true }, true)
    raises('sum: unknown option "keepdim"; known are: keepdims', t.sum, t, { 1, keepdim = true })
    raises('std: unknown option "ddof"; known are: keepdims, correction', t.std, t, { ddof = 1 })
    raises("var: argument 'correction': expected a number from 0 up", t.var, t, 1, false, -1)
    raises("var: argument 'correction': expected a number from 0 up", t.var, t, 1, false, nan)
    raises("max: argument 'self': expected a tensor, got 3", t.max, 3)
    raises("softmax: argument 'self'", t.softmax, t:int())
    raises("cumsum: argument 'self'", t.cumsum, pl.tensor(1))
  end)
end)

describe("softmax", function()
  it("sums to one, far from zero too", function()
    for _, dtype in ipairs(FLOATS) do
      for _, shape in ipairs { { 200, 10 }, { 3, 1000 }, { 1, 1 } } do
        local x = pl.arange(1, shape[1] * shape[2], 1, dtype):mul(0.37):sin():mul(30):add(1e3):view(shape)
        for axis = 1, 2 do
          local p, logarithms = x:softmax(axis), x:log_softmax(axis)
          assert.is_true(p:sum(axis):allclose(pl.ones({ shape[3 - axis] }, dtype)))
          assert.is_true(logarithms:exp():allclose(p, { rtol = 1e-4 }))
          assert.is_true(x:t():softmax(3 - axis):allclose(p:t()))
        end
      end
    end
    assert.same({ 0, 1, 0 }, pl.tensor({ -inf, 5, -200 }):softmax():totable())
    assert.is_true(is_nan(pl.tensor({ 1, nan }):softmax()[1]))
  end)
end)

describe("thread counts", function()
  local threads = pl.threads()
  after_each(function() pl.set_threads(threads) end)

  it("do not change a bit", function()
    local x = pl.rng(3):randn(300, 700)
    local narrow, index = x:view(-1, 7), pl.tensor({ 5, 5, 300, 1, 5 }, "int32")
    local function everything()
      local parts = {}
      local function keep(...)
        for i = 1, select("#", ...) do
          local v = select(i, ...)
          parts[#parts + 1] = pl.is_tensor(v) and v:tobytes() or ("%q"):format(v)
        end
      end
      for _, name in ipairs {
        "sum", "mean", "prod", "var", "std", "min", "max", "argmin", "argmax", "norm", "logsumexp",
      } do
        for _, t in ipairs { x, x:t(), narrow, x:slice(2, 1, 700, 3) } do
          keep(t[name](t), t[name](t, 1), t[name](t, 2))
        end
      end
      for axis = 1, 2 do
        keep(x:softmax(axis), x:log_softmax(axis), x:cumsum(axis), x:sort(axis))
        keep(x:clone():index_add_(axis, index, x:index_select(axis, index)))
      end
      keep(x:masked_select(x:gt(0.5)), x:gt(0.5):nonzero())
      return table.concat(parts)
    end
    pl.set_threads(1)
    local once = everything()
    for _, n in ipairs { 2, 3, 8 } do
      pl.set_threads(n)
      assert.is_true(everything() == once, n .. " threads")
    end
  end)
end)

describe("indexing", function()
  local t = pl.arange(12):view(3, 4)

  it("takes lists as well as tensors", function()
    assert.is_true(t:index_select(2, { 4, 1 }):equal(t:index_select(2, pl.tensor({ 4, 1 }, "int32"))))
    assert.same({ { 4, 1 }, { 8, 5 }, { 12, 9 } }, t:index_select(2, { 4, 1 }):totable())
    assert.same({ 3, 0 }, t:index_select(2, {}):shape())
    assert.same({ { 2 }, { 5 }, { 12 } }, t:gather(2, pl.tensor({ { 2 }, { 1 }, { 4 } }, "int32")):totable())
  end)

  it("accumulates repeated indices in order, with a scale", function()
    for _, dtype in ipairs(ALL) do
      local x = pl.zeros({ 3 }, dtype)
      assert.equal(x, x:index_add_(1, { 2, 2, 1 }, pl.tensor({ 1, 2, 5 }, dtype), 2))
      assert.same({ 10, 6, 0 }, x:totable())
    end
  end)

  it("copies what overlaps", function()
    local x = pl.arange(6)
    x:slice(1, 2, 6):index_add_(1, { 1, 2, 3, 4, 5 }, x:slice(1, 1, 5))
    assert.same({ 1, 3, 5, 7, 9, 11 }, x:totable())
    local mask = pl.tensor({ 1, 0, 1, 0 }, "uint8")
    mask:slice(1, 2, 4):masked_fill_(mask:slice(1, 1, 3), 9)
    assert.same({ 1, 9, 1, 9 }, mask:totable())
    local index = pl.tensor({ 1, 1, 2 }, "int32")
    assert.same({ 3, 3, 2 }, index:index_add_(1, index, index):totable())
  end)

  it("checks every index before it writes", function()
    local x = pl.zeros(3)
    raises("index_add_: argument 'index': element {2} is 4; expected 1 to 3, the size of axis 1",
      x.index_add_, x, 1, { 1, 4 }, pl.ones(2))
    assert.same({ 0, 0, 0 }, x:totable())
    raises("element {1} is 0", t.index_select, t, 1, pl.tensor({ 0 }, "int32"))
    raises("element {2}: expected an index from 1 up, got \"x\"", t.index_select, t, 1, { 1, "x" })
    raises("index_select: argument 'index': expected a list", t.index_select, t, 1, pl.ones(2))
    raises("element {3, 1} is 5", t.gather, t, 2, pl.tensor({ { 1 }, { 1 }, { 5 } }, "int32"))
    raises("gather: argument 'index': expected a tensor of shape {3, 4}, but for axis 1", t.gather, t, 1,
      pl.ones({ 3, 3 }, "int32"))
    raises("expected a tensor of shape {2, 4}", t.index_add_, t, 1, { 1, 2 }, pl.ones(2, 3))
    raises("cannot be written", t.index_add_, pl.zeros(1):expand(3), 1, { 1 }, pl.ones(1))
    raises("masked_select: argument 'mask': expected a tensor of dtype uint8", t.masked_select, t, t)
    raises("broadcasts to self's shape {3, 4}", t.masked_select, t, pl.ones({ 3 }, "uint8"))
    raises("masked_fill: argument 'value'", t.masked_fill, t, pl.ones({ 4 }, "uint8"))
  end)

  it("stretches masks", function()
    local mask = pl.tensor({ { 1 }, { 0 }, { 1 } }, "uint8")
    assert.same({ 1, 2, 3, 4, 9, 10, 11, 12 }, t:masked_select(mask):totable())
    assert.equal(26, t:masked_fill(mask, 0):sum())
    assert.equal(78, t:sum())
    assert.same({ { 1, 1 }, { 3, 1 } }, mask:nonzero():totable())
    assert.same({ 1, 0 }, pl.tensor(3):nonzero():shape())
  end)
end)

describe("sorting", function()
  it("is stable and puts NaN last in either direction", function()
    for _, dtype in ipairs(FLOATS) do
      for _, copies in ipairs { 1, 40 } do -- short rows and long ones are sorted in different ways
        local list = {}
        for i = 1, 6 * copies do list[i] = ({ 2, nan, -0.0, 0.0, -inf, 2 })[(i - 1) % 6 + 1] end
        local x = pl.tensor(list, dtype)
        local values, indices = x:sort()
        if copies == 1 then assert.same({ 5, 3, 4, 1, 6, 2 }, indices:totable()) end
        local firsts = indices:index_select(1, { 1, copies + 1, 3 * copies + 1, 5 * copies + 1 })
        assert.same({ 5, 3, 1, 2 }, firsts:totable())
        assert.is_true(is_nan(values[#values]) and values[1] == -inf)
        assert.is_true(is_nan(x:sort(1, true)[#x]) and x:sort(1, true)[1] == 2)
        assert.equal(1, x:argsort(1, true)[1])
      end
    end
  end)

  it("finds the k best", function()
    local x = pl.tensor({ { 3, 1, 3, 2 }, { 0, 5, 4, 5 } }, "int32")
    local values, indices = x:topk(2)
    assert.same({ { 3, 3 }, { 5, 5 } }, values:totable())
    assert.same({ { 1, 3 }, { 2, 4 } }, indices:totable())
    assert.same({ { 0, 1, 3, 2 } }, x:topk(1, 1, false):totable())
    raises("topk: argument 'k': expected an integer from 0 to 4, got 5", x.topk, x, 5)
    raises("sort: argument 'descending'", x.sort, x, 1, 1)
    raises("sort: argument 'self': expected a tensor of rank 1 or more", x.sort, pl.tensor(1))
  end)
end)

describe("joining, cutting and comparing", function()
  local t = pl.arange(12):view(3, 4)

  it("name the entry that does not fit", function()
    raises("concatenate: argument 'list': expected a list of tensors", pl.concatenate, t)
    raises("concatenate: argument 'list': expected tensors, got {}", pl.concatenate, {})
    raises("entry 2: expected a tensor, got 3", pl.concatenate, { t, 3 })
    raises("entry 2 has shape {3, 3}, but entry 1 has {3, 4} (axis 1 may differ)", pl.concatenate,
      { t, pl.zeros(3, 3) })
    raises("entry 2 has dtype float64, but entry 1 has float32", pl.stack, { t, t:double() })
    raises("stack: argument 'axis': expected an axis from 1 to 3", pl.stack, { t }, 4)
  end)

  it("split into views", function()
    local left, right = table.unpack(t:split(3, 2))
    assert.same({ 3, 1 }, right:shape())
    left:zero_()
    assert.equal(24, t:sum())
    assert.is_true(pl.concatenate({ left, right }, 2):equal(t))
    raises("split: argument 'sizes': expected a sum of 4, the size of axis 2, got 3", t.split, t, { 1, 2 }, 2)
    raises("split: argument 'sizes': expected an integer from 1 up, got 0", t.split, t, 0)
  end)

  it("compare", function()
    assert.is_false(t:equal(t:double()))
    assert.is_false(t:equal(t:t()))
    local x = pl.tensor { 1, nan }
    assert.is_false(x:equal(x))
    assert.is_false(x:allclose(x))
    assert.is_true(x:allclose(x, { equal_nan = true }))
    assert.is_true(pl.tensor({ inf }):allclose(pl.tensor { inf }))
    assert.is_false(pl.tensor({ 1 }):allclose(pl.tensor { inf }))
    assert.is_true(pl.tensor({ 1.0 }):allclose(pl.tensor { 1.1 }, { rtol = 0, atol = 0.2 }))
    raises("expected a tensor of self's shape {3, 4}", t.allclose, t, t:t())
    raises('allclose: unknown option "tol"; known are: rtol, atol, equal_nan', t.allclose, t, t, { tol = 1 })
  end)
end)
