-- Views: what they show, that they share memory where it is promised and do not where it is not, and
-- assignment through them.
local layouts = require "tests.layouts"
local pl = require "perilune"
local reference = require "tests.reference"

-- 1, 2, 3 … in a shape: an element's value is its place
local function counting(shape, dtype)
  local n = reference.count(shape)
  return pl.arange(1, n, 1, dtype or "int32"):reshape(shape)
end

local function numbers(t) return layouts.flatten(t:totable()) end

local function shares(view, base)
  local n = base:numel()
  local before = base:tobytes()
  view:fill_(99)
  local changed = base:tobytes() ~= before
  base:copy_(pl.arange(1, n, 1, base:dtype()):reshape(base:shape()))
  return changed
end

describe("t[i]", function()
  it("is a number for a vector, counted from 1 or from the end", function()
    local t = pl.tensor { 1.5, 2.5, 3.5 }
    assert.equal(1.5, t[1])
    assert.equal(3.5, t[3])
    assert.equal(3.5, t[-1])
    assert.equal(1.5, t[-3])
    assert.equal("integer", math.type(pl.tensor({ 7 }, "uint8")[1]))
    assert.equal("float", math.type(pl.tensor({ 7 }, "float64")[1]))
    assert.equal(2.5, t[2.0])
  end)

  it("is a view of one rank less otherwise", function()
    local t = counting { 2, 3, 4 }
    assert.same({ 3, 4 }, t[2]:shape())
    assert.same({ 21, 22, 23, 24 }, t[2][3]:totable())
    assert.equal(24, t[2][3][4])
    assert.same({ 21, 22, 23, 24 }, t[-1][-1]:totable())
    assert.is_true(shares(t[2][1], t))
  end)

  it("takes a list: integers drop an axis, ranges keep it, what is missing is whole", function()
    local t = counting { 3, 4, 5 }
    assert.same({ 4, 5 }, t[{ 2 }]:shape())
    assert.same({ 2, 4, 5 }, t[{ { 2, 3 } }]:shape())
    assert.same({ 3, 5 }, t[{ {}, 2 }]:shape())
    assert.same({ 6, 26, 46 }, t[{ {}, 2, 1 }]:totable())
    assert.same({ { 28, 30 }, { 33, 35 } }, t[{ 2, { 2, 3 }, { 3, 5, 2 } }]:totable())
    assert.same({ 45, 44, 43, 42, 41 }, t[{ 3, 1, { -1, 1, -1 } }]:totable())
    assert.same({ 41, 43, 45 }, t[{ -1, 1, { 1, -1, 2 } }]:totable())
    assert.equal(60, t[{ 3, 4, 5 }])
    assert.same({ 3, 4, 5 }, t[{}]:shape())
    assert.is_true(shares(t[{ {}, { 2, 3 }, { -1, 1, -2 } }], t))
  end)

  it("gives empty views", function()
    local t = counting { 3, 4 }
    assert.same({ 0, 4 }, t[{ { 2, 1 } }]:shape())
    assert.same({ 0, 4 }, t[{ { 4, 3 } }]:shape())
    assert.same({ 3, 0 }, t[{ {}, { 1, 0 } }]:shape())
    assert.same({ 0, 4 }, t[{ { 1, 2, -1 } }]:shape())
    assert.same({ 0, 2 }, pl.zeros(0, 4)[{ {}, { 1, 2 } }]:shape())
  end)

  it("selects by a mask and by indices", function()
    local t = counting { 3, 2 }
    assert.same({ 4, 5, 6 }, t[t:gt(3)]:totable())
    assert.same({ { 5, 6 }, { 1, 2 }, { 5, 6 } }, t[pl.tensor({ 3, 1, 3 }, "int32")]:totable())
    assert.is_false(shares(t[pl.tensor({ 1, 2, 3 }, "int32")], t))
  end)

  it("finds methods, and nothing else, by name", function()
    local t = pl.zeros(2)
    assert.is_function(t.sum)
    assert.has_error(function() return t.no_such_method end)
  end)
end)

describe("slices", function()
  it("agree with the reference for every first, last and step", function()
    for _, size in ipairs { 1, 2, 5, 7 } do
      local t = counting { size }
      for first = 1, size do
        for last = 1, size do
          for _, step in ipairs { 1, 2, 3, 10, -1, -2, -5 } do
            local expected = {}
            for i = first, last, step do expected[#expected + 1] = i end
            assert.same(expected, t:slice(1, first, last, step):totable())
            assert.same(expected, t[{ { first, last, step } }]:totable())
            assert.same(expected, t:slice(-1, first - size - 1, last - size - 1, step):totable())
          end
        end
      end
    end
  end)

  it("have ends of an axis by default", function()
    local t = counting { 5 }
    assert.same({ 1, 2, 3, 4, 5 }, t:slice(1):totable())
    assert.same({ 3, 4, 5 }, t:slice(1, 3):totable())
    assert.same({ 1, 2 }, t:slice(1, nil, 2):totable())
    assert.same({ 5, 4, 3, 2, 1 }, t:slice(1, nil, nil, -1):totable())
    assert.same({ 3, 2, 1 }, t:slice(1, 3, nil, -1):totable())
  end)

  it("of slices compose", function()
    local t = counting { 20 }
    assert.same({ 18, 12, 6 }, t:slice(1, 2, 20, 2):slice(1, -2, 1, -3):totable())
    local m = counting { 6, 6 }
    local inner = m:slice(1, 6, 1, -2):t():slice(2, 3, 1, -1)[{ { 2, 5, 3 } }]
    assert.same({ { 8, 20, 32 }, { 11, 23, 35 } }, inner:totable())
    assert.is_true(shares(inner, m))
  end)

  it("narrow and select", function()
    local t = counting { 3, 4 }
    assert.same({ { 2, 3 }, { 6, 7 }, { 10, 11 } }, t:narrow(2, 2, 2):totable())
    assert.same({ 3, 0 }, t:narrow(2, 5, 0):shape())
    assert.same({ 3, 7, 11 }, t:select(2, 3):totable())
    assert.same({ 9, 10, 11, 12 }, t:select(-2, -1):totable())
    assert.same({}, pl.arange(3):select(1, 2):shape())
    assert.is_true(shares(t:narrow(1, 2, 2), t))
    assert.is_true(shares(t:select(2, 3), t))
  end)

  it("with huge steps touch nothing outside", function()
    local t = counting { 4 }
    assert.same({ 2 }, t:slice(1, 2, 4, math.maxinteger):totable())
    assert.same({ 3 }, t:slice(1, 3, 1, -math.maxinteger):totable())
    assert.same({ 2 }, t:slice(1, 2, 4, math.maxinteger):clone():totable())
  end)
end)

describe("axes", function()
  it("permute, transpose, t", function()
    local data = {}
    for i = 1, 24 do data[i] = i end
    local a, t = reference.array({ 2, 3, 4 }, data), counting { 2, 3, 4 }
    for _, axes in ipairs { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } } do
      local expected, got = reference.permute(a, axes), t:permute(axes)
      assert.same(expected.shape, got:shape())
      assert.same(expected.data, numbers(got))
      assert.same(expected.data, numbers(t:permute(table.unpack(axes))))
      assert.is_true(shares(got, t))
    end
    assert.same({ 4, 2, 3 }, t:permute(-1, 1, -2):shape())
    assert.same({ 4, 3, 2 }, t:transpose(1, -1):shape())
    assert.same({ 2, 3, 4 }, t:transpose(2, 2):shape())
    assert.same({ { 1, 3 }, { 2, 4 } }, counting({ 2, 2 }):t():totable())
    assert.same({}, pl.tensor(3):permute():shape())
  end)

  it("squeeze and unsqueeze", function()
    local t = counting { 1, 3, 1, 2 }
    assert.same({ 3, 2 }, t:squeeze():shape())
    assert.same({ 3, 1, 2 }, t:squeeze(1):shape())
    assert.same({ 1, 3, 2 }, t:squeeze(-2):shape())
    assert.same({ 1, 1, 3, 1, 2 }, t:unsqueeze(1):shape())
    assert.same({ 1, 3, 1, 2, 1 }, t:unsqueeze(-1):shape())
    assert.same({ 1, 3, 1, 2, 1 }, t:unsqueeze(5):shape())
    assert.same({ 1 }, pl.tensor(3):unsqueeze(1):shape())
    assert.same({}, pl.ones(1, 1):squeeze():shape())
    assert.is_true(shares(t:squeeze(), t))
    assert.is_true(shares(t:unsqueeze(2), t))
    assert.same({ { 1 }, { 2 } }, pl.tensor({ 1, 2 }, "int32"):unsqueeze(2):totable())
  end)
end)

describe("shapes", function()
  it("reshape and view keep the order of elements, share memory, infer one size", function()
    local t = counting { 4, 6 }
    for _, shape in ipairs { { 24 }, { 2, 12 }, { 2, 3, 4 }, { 4, 1, 6 }, { 2, 2, 1, 3, 2, 1 } } do
      assert.same(numbers(t), numbers(t:reshape(shape)))
      assert.same(shape, t:view(shape):shape())
      assert.same(shape, t:view(table.unpack(shape)):shape())
      assert.is_true(shares(t:reshape(shape), t))
    end
    assert.same({ 8, 3 }, t:reshape(-1, 3):shape())
    assert.same({ 2, 12 }, t:view(2, -1):shape())
    assert.same({ 24 }, t:flatten():shape())
    assert.same({}, pl.ones(1, 1):reshape {}:shape())
    assert.same({ 1, 1 }, pl.tensor(5):view(1, 1):shape())
    assert.same({ 0, 7 }, pl.zeros(7, 0):reshape(0, 7):shape())
    assert.same({ 3, 0 }, pl.zeros(0, 5):reshape(3, -1):shape())
  end)

  it("are views of strided tensors where strides allow it, and copies where they do not", function()
    local t = counting { 4, 6 }
    local columns = t[{ {}, { 1, 3 } }]
    assert.is_true(shares(columns:view(2, 2, 3), t))
    assert.is_true(shares(columns:unsqueeze(2):reshape(4, 3, 1), t))
    assert.is_true(shares(t[{ { 1, 4, 2 } }]:reshape(2, 2, 3), t))
    local copy = columns:reshape(12)
    assert.same({ 1, 2, 3, 7, 8, 9, 13, 14, 15, 19, 20, 21 }, copy:totable())
    assert.is_false(shares(copy, t))
    assert.is_false(shares(t:t():reshape(24), t))
    assert.same({ 1, 7, 13, 19, 2, 8 }, t:t():flatten()[{ { 1, 6 } }]:totable())
    assert.has_error(function() columns:view(12) end)
    assert.has_error(function() t:t():view(24) end)
    local reversed = counting({ 6 }):slice(1, 6, 1, -1)
    assert.same({ { 6, 5, 4 }, { 3, 2, 1 } }, reversed:view(2, 3):totable())
  end)

  it("agree with the reference for every way to cut a permuted tensor", function()
    local shapes = { { 24 }, { 2, 12 }, { 4, 6 }, { 2, 2, 6 }, { 6, 4 }, { 1, 2, 3, 4 }, { 4, 3, 2 } }
    local base = counting { 2, 3, 4 }
    for _, axes in ipairs { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } } do
      local t = base:permute(axes)
      for _, shape in ipairs(shapes) do
        local fits, view = pcall(t.view, t, shape)
        assert.same(numbers(t), numbers(t:reshape(shape)))
        if fits then
          assert.same(numbers(t), numbers(view))
          assert.is_true(shares(view, base))
        end
        assert.equal(fits, shares(t:reshape(shape), base))
      end
    end
  end)

  it("expand without copying", function()
    local t = counting { 3, 1 }
    local wide = t:expand(2, 3, 4)
    assert.same({ 2, 3, 4 }, wide:shape())
    assert.same({ 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3 }, numbers(wide[2]))
    assert.same({ 0, 1, 0 }, wide:stride())
    assert.same({ 3, 5 }, t:expand(-1, 5):shape())
    assert.same({ 3, 5 }, t:expand { 3, 5 }:shape())
    assert.same({ 2, 3, 2 }, t:expand_as(pl.zeros(2, 3, 2)):shape())
    assert.same({ 3, 0 }, t:expand(3, 0):shape())
    assert.same({ 2, 2 }, pl.tensor(1):expand(2, 2):shape())
    t[{ 2, 1 }] = 50
    assert.equal(50, wide[{ 1, 2, 4 }])
    assert.same({ 12, 4, 1 }, wide:clone():stride())
  end)

  it("count beyond 2^31", function()
    local t = pl.full({ 1 }, 7, "uint8"):expand(2 ^ 40)
    assert.equal(1 << 40, #t)
    assert.equal(7, t[1 << 40])
    assert.equal(7, t[-(1 << 40)])
    assert.same({ 7, 7, 7 }, t:slice(1, 1 << 39, -1, 1 << 38):totable())
    assert.same({ 1 << 20, 1 << 20 }, t:view(1 << 20, -1):shape())
    assert.same({ 7, 7 }, t:narrow(1, (1 << 40) - 1, 2):totable())
    assert.has_error(function() return t[(1 << 40) + 1] end)
  end)

  it("of expanded tensors cannot be written", function()
    local wide = pl.zeros(3, 1):expand(3, 4)
    assert.has_error(function() wide:fill_(1) end)
    assert.has_error(function() wide[1] = 1 end)
    assert.has_error(function() wide:add_(1) end)
    assert.has_error(function() wide:copy_(pl.zeros(3, 4)) end)
    wide:clone():fill_(1)
    pl.zeros(3, 1):expand(3, 1):fill_(1)
  end)
end)

describe("assignment", function()
  it("writes numbers, tables and tensors through any view, broadcasting", function()
    local t = pl.zeros(3, 4)
    t[1] = 7
    t[{ 2, 3 }] = 5
    t[{ {}, { 4, 4 } }] = pl.tensor { { 1 }, { 2 }, { 3 } }
    t[{ 3, { 1, 3, 2 } }] = { -1, -2 }
    assert.same({ { 7, 7, 7, 1 }, { 0, 0, 5, 2 }, { -1, 0, -2, 3 } }, t:totable())
    t[{ { 1, 2 }, { 2, 1, -1 } }] = pl.tensor { 10, 20 }
    assert.same({ { 20, 10, 7, 1 }, { 20, 10, 5, 2 }, { -1, 0, -2, 3 } }, t:totable())
    t[{}] = 0
    assert.equal(0, t:sum())
    t[t:eq(0)] = 2
    assert.equal(24, t:sum())
    t[-1] = t[1] + 1
    assert.same({ 3, 3, 3, 3 }, t[3]:totable())
    local v = pl.zeros(3)
    v[2] = 4
    v[-1] = 9
    assert.same({ 0, 4, 9 }, v:totable())
    v[{ { 2, 1 } }] = 5
    assert.same({ 0, 4, 9 }, v:totable())
  end)

  it("from an overlapping view behaves as from a copy", function()
    local t = pl.arange(1, 6)
    t[{ { 2, 6 } }] = t[{ { 1, 5 } }]
    assert.same({ 1, 1, 2, 3, 4, 5 }, t:totable())
    t[{ { 1, 5 } }] = t[{ { 2, 6 } }]
    assert.same({ 1, 2, 3, 4, 5, 5 }, t:totable())
    local m = counting { 3, 3 }
    m[{}] = m:t()
    assert.same({ { 1, 4, 7 }, { 2, 5, 8 }, { 3, 6, 9 } }, m:totable())
  end)

  it("keeps the owner of a view alive", function()
    local view
    do
      local owner = pl.full({ 1 << 18 }, 3)
      view = owner[{ { 5, 10 } }]:view(2, 3)
    end
    for _ = 1, 20 do pl.full({ 1 << 18 }, 9) end
    collectgarbage()
    collectgarbage()
    assert.same({ { 3, 3, 3 }, { 3, 3, 3 } }, view:totable())
  end)

  it("does not write outside the view", function()
    local t = pl.full({ 9, 9 }, 1, "uint8")
    t[{ { 2, 8, 3 }, { 7, 3, -2 } }] = 0
    assert.equal(81 - 9, t:sum())
    for i = 2, 8, 3 do
      for j = 3, 7, 2 do assert.equal(0, t[{ i, j }]) end
    end
  end)
end)

describe("split", function()
  it("gives views", function()
    local t = counting { 7, 2 }
    local parts = t:split(3)
    assert.equal(3, #parts)
    assert.same({ { 13, 14 } }, parts[3]:totable())
    assert.is_true(shares(parts[2], t))
    assert.same({}, pl.zeros(0, 2):split(3))
  end)
end)

describe("reshape of nothing", function()
  it("refuses sizes that overflow beside the 0", function()
    local huge = 1 << 62
    assert.has_error(function() pl.zeros(0):reshape(0, huge, huge) end)
    assert.has_error(function() pl.zeros(0):view(huge, 0, huge) end)
    assert.same({ 4, 0, 7 }, pl.zeros(0):reshape(4, 0, 7):shape())
  end)
end)

describe("shapes that do not fit", function()
  local function message(f) return select(2, pcall(f)) end

  it("are named as they are in where and in place", function()
    local where = message(function() pl.where(pl.ones { 1 }:byte(), pl.ones { 2 }, pl.ones { 3 }) end)
    assert.matches("shapes {2} and {3} do not broadcast", where, 1, true)
    local in_place = message(function() pl.ones { 3 }:add_(pl.ones { 2, 3 }) end)
    assert.matches("shape {2, 3} does not broadcast to self's {3}", in_place, 1, true)
  end)
end)
