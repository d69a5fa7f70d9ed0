-- Gradients: of every operation against central differences; of branches, loops and shared uses; and the
-- tape's memory.
local core = require "perilune.core"
local gradients = require "tests.gradients"
local ops = require "perilune.ops"
local pl = require "perilune"

-- Operations on shapes, which have no row in cases.lua.
local function moving(x)
  return {
    reshape = { x:reshape(4, 6), x:reshape { 2, -1 } }, view = { x:view(24) }, flatten = { x:flatten() },
    squeeze = { x:reshape(2, 3, 1, 4):squeeze(3) }, unsqueeze = { x:unsqueeze(2) },
    clone = { x:clone() }, contiguous = { x:transpose(1, 2):contiguous() },
    index = { x[1], x[-1], x[{ { 1, 2 }, {}, 3 }], x[{ {}, { -1, 1, -2 } }], x:flatten()[7] },
    select = { x:select(2, 3), x:select(-1, -2) }, slice = { x:slice(3, 1, 4, 2), x:slice(2, -1, 1, -1) },
    narrow = { x:narrow(2, 2, 2) }, permute = { x:permute(3, 1, 2) }, transpose = { x:transpose(1, 3) },
    t = { x[1]:t() }, expand = { x:unsqueeze(1):expand(3, 2, 3, 4), x:narrow(2, 1, 1):expand(2, 5, 4) },
    -- made of others
    split = x:split(2, 2), expand_as = { x[1]:expand_as(x) }, sort = { (x:sort(2)) },
    topk = { (x:topk(2, 3)) }, var = { x:var(2), x:var({ 1, 3 }, true, 1), x:var() }, std = { x:std(1) },
    dot = { x:flatten():dot(x:flatten()) }, double = { x:double() }, float = { x:double() },
  }
end

describe("the gradient of", function()
  for _, row in ipairs(gradients.rows(ops)) do
    it(row.label or row.name, function()
      local count = gradients.run(pl, row)
      assert.is_true(count > 0, "no instance is small enough")
    end)
  end

  local x = pl.rng(3):randn({ 2, 3, 4 }, "float64")
  for name, list in pairs(moving(x)) do
    it(name, function()
      for i in ipairs(list) do
        local worst, where = gradients.compare(pl, function(operands)
          return moving(operands[1])[name][i]
        end, { x:clone() }, { 1 })
        assert.is_true(worst < 1e-8, ("%s %d, %s: %g"):format(name, i, where, worst))
      end
    end)
  end

  it("every operation is checked", function()
    local missing, seen = {}, {}
    for _, row in ipairs(gradients.rows(ops)) do seen[row.name] = true end
    for name in pairs(moving(x)) do seen[name] = true end
    seen.dropout, seen.spatial_dropout2d = true, true -- in dropout_spec.lua
    for name in pairs(ops) do
      if not seen[name] then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.equal("", table.concat(missing, " "))
  end)
end)

describe("value_and_grad", function()
  local function gradient(f, ...)
    local _, g = pl.value_and_grad(f, ...)
    return g
  end

  it("adds up shared uses and branches", function()
    local x = pl.tensor({ 1, 2, 3 }, "float64")
    local g = gradient(function(v)
      local a = v:square()
      local b = a + v
      return (a * b):sum() + a:sum() -- x⁴ + x³ + x²
    end, x)
    assert.same({ 9.0, 48.0, 141.0 }, g:totable())
  end)

  it("follows loops and conditions", function()
    local x = pl.tensor({ 1.1 }, "float64")
    local g = gradient(function(v)
      local y = v
      for _ = 1, 4 do y = y * v end
      return y:sum()
    end, x)
    assert.is_true(math.abs(g[1] - 5 * 1.1 ^ 4) < 1e-13)
  end)

  it("takes tables of tensors, and gives zeros to what is not used", function()
    local value, grads = pl.value_and_grad(function(p) return (p.a * 3):sum() end, {
      a = pl.ones(2), inner = { b = pl.ones(3) }, n = 4,
    })
    assert.equal(6.0, value)
    assert.same({ 3.0, 3.0 }, grads.a:totable())
    assert.same({ 0.0, 0.0, 0.0 }, grads.inner.b:totable())
    assert.is_nil(grads.n)
  end)

  it("lets plain tensors stand on the left of variables", function()
    local A, v = pl.eye(3, "float64") * 2, pl.tensor({ 1, 2, 3 }, "float64")
    local g = gradient(function(w)
      local y = A:matmul(w) + A:sum() -- plain:method(variable)
      local zero = v:gt(0):where(w, w):sum() * 0
      return zero + (v * y):sum() + pl.stack({ v, w }, 2):sum() + pl.maximum(v * 0, w):sum()
    end, v:clone())
    assert.same({ 2 + 2.0, 4 + 2.0, 6 + 2.0 }, g:totable())
  end)

  it("does not change its arguments", function()
    local x = pl.tensor { 1, 2 }
    gradient(function(v) return (v * v):sum() end, x)
    assert.same({ 1.0, 2.0 }, x:totable())
  end)

  it("of a constant is zero, and its value a number", function()
    local value, g = pl.value_and_grad(function(v) return v:detach():sum() end, pl.ones(2))
    assert.equal(2.0, value)
    assert.same({ 0.0, 0.0 }, g:totable())
  end)

  local function message(f, ...)
    local good, text = pcall(pl.value_and_grad, f, ...)
    assert.is_false(good)
    return text
  end

  it("raises at the line of the mistake", function()
    local x = pl.ones(2, 2)
    assert.matches("expected a function, got tensor", message(x, x))
    assert.matches("one number", message(function(v) return v end, x))
    assert.matches("one number", message(function() end, x))
    assert.matches("add_: writing in place", message(function(v) return v:add_(1):sum() end, x))
    assert.matches("writing in place", message(function(v) v[1] = 2 end, x))
    assert.matches("add_: writing in place", message(function(v) return x:add_(v):sum() end, x))
    assert.matches("prod: has no gradient", message(function(v) return v:prod() end, x))
    assert.matches("did you mean 'reshape'", message(function(v) return v:reshpe(4):sum() end, x))
    assert.matches("autograd_spec.lua:%d+: index: .* got tensor {2, 2} uint8; use v:masked_select%(mask%)",
      message(function(v) return v[x:gt(0)]:sum() end, x))
    assert.matches("got tensor {1} int32; use v:index_select%(1, indices%)",
      message(function(v) return v[pl.ones({ 1 }, "int32")]:sum() end, x))
    assert.matches("cannot be set: writing in place", message(function(v) v[x:gt(0)] = 0 end, x))
    assert.matches("a:lt%(b%)", message(function(v) return v < v end, x))
    assert.matches("autograd_spec.lua:%d+: matmul: shapes", message(function(v)
      return v:matmul(pl.ones(3))
    end, x))
    assert.matches("gradients of gradients", message(function(v)
      return pl.value_and_grad(function(w) return w:sum() end, v)
    end, x))
    assert.matches("two recordings", message(function(v)
      return (pl.value_and_grad(function(w) return (w * v):sum() end, x))
    end, x))
  end)

  it("answers questions about values with plain results", function()
    pl.value_and_grad(function(v)
      assert.same({ 2, 3 }, v:shape())
      assert.equal(2, #v)
      assert.equal("uint8", v:gt(0):dtype())
      assert.same({ 1, 1 }, v:argmax(2):totable())
      assert.matches("^variable: tensor {2, 3}", tostring(v))
      return v:sum()
    end, pl.ones(2, 3))
  end)
end)

describe("the tape", function()
  local Tape = pl.autograd.Tape

  local function step(tape, W, x)
    tape:begin()
    local y = (tape:constant(x):matmul(W) * 2 + 1):square()
    tape:backward(y:mean())
    return W.grad
  end

  it("gives the same gradients at every pass, also after a short batch", function()
    local tape, rng = Tape.new(), pl.rng(2)
    local W, x = tape:leaf(rng:randn(4, 3)), rng:randn(6, 4)
    local first = step(tape, W, x):tobytes()
    local short = step(tape, W, x[{ { 1, 2 } }]):clone()
    assert.equal(first, step(tape, W, x):tobytes())
    local fresh = Tape.new()
    assert.equal(short:tobytes(), step(fresh, fresh:leaf(W.value), x[{ { 1, 2 } }]):tobytes())
  end)

  it("refuses a variable of a pass that is over", function()
    local tape = Tape.new()
    local W = tape:leaf(pl.ones(2))
    tape:begin()
    local old = W * 2
    tape:begin()
    local new = W * 3
    assert.has_error(function() return old + new end)
  end)

  it("begins a gradient anew that was set to nil", function()
    local tape = Tape.new()
    local w = tape:leaf(pl.tensor { 1, 2, 3 })
    tape:begin()
    local loss = (w * w):sum()
    for _ = 1, 2 do
      w.grad = nil
      tape:backward(loss)
      assert.same({ 2, 4, 6 }, w.grad:totable())
    end
  end)

  it("computes no gradient that nobody wants", function()
    local tape = Tape.new()
    local W, frozen = tape:leaf(pl.ones(2)), tape:constant(pl.ones(2))
    tape:begin()
    tape:backward((W * frozen:exp()):sum())
    assert.is_nil(frozen.grad)
    assert.is_true(W.grad:allclose(pl.full({ 2 }, math.exp(1))))
  end)
end)

describe("an operation", function()
  it("is a method of tensors and of variables", function()
    for name, entry in pairs(ops) do
      assert.is_function(entry.backward, name)
      assert.is_function(entry.forward, name)
      assert.is_true(entry.recorded ~= nil or core.methods[name] ~= nil, name)
    end
  end)
end)
