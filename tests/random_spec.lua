-- The random generators: NumPy's RandomState bit for bit (fixtures/numpy_random.lua holds what NumPy
-- drew), Philox by Random123's known answers, the same bits at any number of threads, states that
-- save and restore at any point, and an error for every wrong argument.
local pl = require "perilune"
local core = require "perilune.core"
local numpy = dofile("tests/fixtures/numpy_random.lua")

local N = 1000000

local function md5(tensor) return core.md5(tensor:tobytes()) end

local function totable(value) return pl.is_tensor(value) and value:totable() or value end

-- The message of the error that f(...) raises.
local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok, "no error was raised")
  assert.is_string(err)
  return err
end

local function contains(text, ...)
  for _, part in ipairs { ... } do
    assert.is_truthy(text:find(part, 1, true), ("%q does not contain %q"):format(text, part))
  end
end

describe("numpy_rng", function()
  local hashes = {
    randn = function(g) return g:randn(N) end,
    randn32 = function(g) return g:randn({ N }, "float32") end,
    rand = function(g) return g:rand(N) end,
    normal = function(g) return g:normal(-3.5, 0.1, N) end,
    uniform = function(g) return g:uniform(-1.1, 3.3, N) end,
    randint_10 = function(g) return g:randint(0, 10, N) end,
    randint_signed = function(g) return g:randint(-12345, 9876543, N) end,
    randint_full = function(g) return g:randint(-2 ^ 31, 2 ^ 31, N) end,
    permutation = function(g) return g:permutation(N) end,
    choice_p = function(g) return g:choice(5, N, { p = { 0.1, 0.2, 0.3, 0.15, 0.25 } }) end,
    choice_distinct = function(g) return g:choice(N, N // 2, { replace = false }) end,
  }
  local thousand = {}
  for i = 1, 1000 do thousand[i] = i - 1 end

  for index, expected in ipairs(numpy.hashes) do
    local seed = type(expected.seed) == "string" and thousand or expected.seed
    it(("draws a million of each as NumPy does, seed %d of %d"):format(index, #numpy.hashes), function()
      for name, draw in pairs(hashes) do
        local hash = md5(draw(pl.numpy_rng(seed)))
        if hash ~= expected[name .. "_without_fma"] then assert.equal(expected[name], hash, name) end
      end
    end)
  end

  for _, list in ipairs { "draws", "draws_of_list" } do
    it("makes mixed calls one after another as NumPy does: " .. list, function()
      local g = pl.numpy_rng(numpy[list].seed)
      for _, draw in ipairs(numpy[list]) do
        local call = assert(load("return " .. draw[1], draw[1], "t", { g = g, pl = pl, math = math }))
        assert.same(draw[2], totable(call()), draw[1])
      end
    end)
  end

  it("has the values that everybody knows", function()
    assert.equal(1.764052345967664, pl.numpy_rng(0):randn())
    assert.equal(0.3745401188473625, pl.numpy_rng(42):rand())
    local g = pl.numpy_rng(0)
    local mixed = { g:randn(), g:rand(), g:randn() } -- the second normal waits while rand passes
    assert.equal(1.764052345967664, mixed[1])
    assert.equal(0.4001572083672233, mixed[3])
  end)

  it("gives doubles unless asked for float32, and the right shapes", function()
    local g = pl.numpy_rng(3)
    assert.equal("float64", g:rand(2):dtype())
    assert.equal("float32", g:rand(2, "float32"):dtype())
    assert.equal("float32", g:normal(0, 1, 2, "float32"):dtype())
    assert.equal("int32", g:randint(0, 9, 2):dtype())
    assert.equal("int32", g:permutation(3):dtype())
    assert.same({ 2, 3 }, g:randn(2, 3):shape())
    assert.same({ 2, 3 }, g:randn({ 2, 3 }):shape())
    assert.same({}, g:rand({}):shape())
    assert.same({ 0, 3 }, g:uniform(0, 1, { 0, 3 }):shape())
    assert.equal("float", math.type(g:rand()))
    assert.equal("integer", math.type(g:choice(3)))
  end)

  it("rounds its doubles to float32", function()
    local double, single = pl.numpy_rng(5):randn(1000), pl.numpy_rng(5):randn({ 1000 }, "float32")
    assert.is_true(double:float():equal(single))
  end)

  it("shuffles views and lists in NumPy's order", function()
    local order = pl.numpy_rng(9):permutation(5):totable()
    local expected = {}
    for i = 1, 5 do expected[i] = order[i] * 10 end
    assert.same(expected, pl.numpy_rng(9):shuffle { 10, 20, 30, 40, 50 })

    local wide = pl.arange(1, 20):reshape(5, 4)
    local column = wide[{ {}, 2 }]
    pl.numpy_rng(9):shuffle(column)
    for i = 1, 5 do assert.equal((order[i] - 1) * 4 + 2, wide[{ i, 2 }]) end
    for i = 1, 5 do assert.equal((i - 1) * 4 + 1, wide[{ i, 1 }]) end

    local tall = pl.arange(1, 20):reshape(4, 5):t() -- rows are not contiguous
    local copy = pl.numpy_rng(9):permutation(tall)
    assert.is_true(tall:index_select(1, pl.tensor(order, "int32")):equal(copy))
    assert.equal(6, tall[{ 1, 2 }])
    assert.equal(tall, pl.numpy_rng(9):shuffle(tall))
    assert.is_true(tall:equal(copy))
  end)

  it("takes a tensor of probabilities too", function()
    local p = { 0.1, 0.2, 0.3, 0.4 }
    local expected = pl.numpy_rng(1):choice(4, 20, { p = p })
    assert.is_true(expected:equal(pl.numpy_rng(1):choice(4, 20, { p = pl.tensor(p, "float64") })))
    pl.numpy_rng(1):choice(4, 20, { p = pl.tensor(p) }) -- float32 sums to 1 less exactly
    assert.same({ 0.1, 0.2, 0.3, 0.4 }, p)
  end)
end)

describe("rng", function()
  it("is Philox4x32-10: Random123's known answers", function()
    local answers = {
      { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
      {
        { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
        { 0xffffffff, 0xffffffff },
        { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd },
      },
      {
        { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
        { 0xa4093822, 0x299f31d0 },
        { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 },
      },
    }
    for _, answer in ipairs(answers) do
      assert.same(answer[3], { core.philox4x32(answer[1], answer[2]) })
    end
  end)

  it("turns the cipher's bits into numbers in the way that it states", function()
    local seed, stream = 0x123456789abcdef, 0x76543210fedcba98
    local g = pl.rng(seed, stream)
    local key = { seed & 0xffffffff, seed >> 32 }
    local function words(kind, block)
      return { core.philox4x32({ block, kind << 24, stream & 0xffffffff, stream >> 32 }, key) }
    end
    local float32, float64 = g:clone():rand(8):totable(), g:clone():rand({ 4 }, "float64"):totable()
    local integers = g:clone():randint(0, 1000, 4):totable()
    for i = 0, 7 do
      assert.equal((words(1, i // 4)[i % 4 + 1] >> 8) / 2 ^ 24, float32[i + 1])
    end
    for i = 0, 3 do
      local w = words(2, i // 2)
      local high, low = w[i % 2 * 2 + 1], w[i % 2 * 2 + 2]
      assert.equal((high << 21 | low >> 11) / 2 ^ 53, float64[i + 1])
      w = words(5, i // 2)
      assert.equal(w[i % 2 * 2 + 1] * 1000 >> 32, integers[i + 1])
    end
    local w = words(3, 0)
    local radius = math.sqrt(-2 * math.log(((w[1] >> 1) + 0.5) / 2 ^ 31))
    local normals = g:clone():randn(2):totable()
    assert.near(radius * math.cos(w[2] / 2 ^ 31 * math.pi), normals[1], 1e-5)
    assert.near(radius * math.sin(w[2] / 2 ^ 31 * math.pi), normals[2], 1e-5)
    w = words(4, 0)
    radius = math.sqrt(-2 * math.log(((w[1] << 21 | w[2] >> 11) + 0.5) / 2 ^ 53))
    local angle = (w[3] * 2.0 ^ 32 + w[4]) / 2.0 ^ 63 * math.pi
    normals = g:clone():randn({ 2 }, "float64"):totable()
    assert.near(radius * math.cos(angle), normals[1], 1e-14)
    assert.near(radius * math.sin(angle), normals[2], 1e-14)
  end)

  it("has the same bits on every machine and in every version", function()
    local expected = {
      rand = "7d8ae15f2431458bc47bebe18a8e4e85",
      rand64 = "1d5c9131d74333339fdc59f545efc18e",
      randn = "214a128a319056a49840fcb7e515cdbc",
      randn64 = "f9189eb2b5d55ad1eb95dc208c9562a3",
      randint = "8329372c59faefdd72d94ab8abf38ffa",
      permutation = "ec29cf519c7bdbd95aa77078489f9041",
    }
    assert.equal(expected.rand, md5(pl.rng(7):rand(N)))
    assert.equal(expected.rand64, md5(pl.rng(7):rand({ N }, "float64")))
    assert.equal(expected.randn, md5(pl.rng(7):randn(N)))
    assert.equal(expected.randn64, md5(pl.rng(7):randn({ N }, "float64")))
    assert.equal(expected.randint, md5(pl.rng(7):randint(-5, 100, N)))
    assert.equal(expected.permutation, md5(pl.rng(7):permutation(N)))
  end)

  it("draws the same bits with 1, 2, 3 and 8 threads", function()
    local before, first = pl.threads(), nil
    for _, threads in ipairs { 1, 2, 3, 8 } do
      pl.set_threads(threads)
      local g = pl.rng(11, 5)
      local sums = {}
      for _, n in ipairs { 1, 100003, 250000 } do
        sums[#sums + 1] = md5(g:rand(n)) .. md5(g:rand({ n }, "float64")) .. md5(g:randn(n))
          .. md5(g:randn({ n }, "float64")) .. md5(g:randint(-7, 1000, n))
          .. md5(g:normal(3, 0.5, n)) .. md5(g:uniform(-1, 1, n)) .. md5(g:permutation(1000))
      end
      first = first or sums
      assert.same(first, sums)
    end
    pl.set_threads(before)
  end)

  it("gives an element by its number alone, however the draws are cut", function()
    for _, draw in ipairs {
      function(g, n) return g:rand(n) end,
      function(g, n) return g:rand(n, "float64") end,
      function(g, n) return g:randn(n) end,
      function(g, n) return g:randn(n, "float64") end,
      function(g, n) return g:randint(0, 1 << 20, n) end,
    } do
      local whole = draw(pl.rng(2), 1500)
      local g, parts = pl.rng(2), {}
      for _, n in ipairs { 1, 2, 3, 0, 5, 250, 256, 257, 7, 719 } do parts[#parts + 1] = draw(g, n) end
      assert.is_true(whole:equal(pl.concatenate(parts, 1)))
    end
    local g = pl.rng(2)
    assert.equal(pl.rng(2):rand({ 1 }, "float64"):item(), g:rand())
    assert.equal(pl.rng(2):randn({ 2 }, "float64")[2], g:randn())
    assert.equal(pl.rng(2):randint(0, 50, 3)[3], g:randint(0, 50))
  end)

  it("keeps seeds, streams and kinds of draw apart", function()
    local draws = { pl.rng(0):rand(1000), pl.rng(1):rand(1000), pl.rng(0, 1):rand(1000),
      pl.rng(0, 1 << 32):rand(1000), pl.rng(1 << 32):rand(1000),
      pl.rng(0):rand({ 1000 }, "float64"):float() }
    for i = 1, #draws do
      for j = 1, i - 1 do
        local a, b = draws[i] - 0.5, draws[j] - 0.5
        assert.is_true(math.abs((a * b):mean() * 12) < 0.15) -- correlation; 5 deviations are 0.16
        assert.is_false(a:equal(b))
      end
    end
  end)

  it("has the moments of its distributions", function()
    for seed = 1, 3 do
      for _, dtype in ipairs { "float32", "float64" } do
        local z = pl.rng(seed):randn({ N }, dtype):double()
        assert.near(0, z:mean(), 0.005)
        assert.near(1, z:square():mean(), 0.008)
        assert.near(0, (z * z * z):mean(), 0.02)
        assert.near(3, z:square():square():mean(), 0.06)
        assert.near(0, (z[{ { 1, N - 1 } }] * z[{ { 2, N } }]):mean(), 0.005)
        assert.near(0.6826894921, z:abs():lt(1):double():mean(), 0.003)
        assert.near(0.0026997961, z:abs():gt(3):double():mean(), 0.0004)
        local u = pl.rng(seed):rand({ N }, dtype):double()
        assert.near(0.5, u:mean(), 0.0015)
        assert.near(1 / 12, (u - 0.5):square():mean(), 0.0005)
        assert.is_true(u:min() >= 0 and u:max() < 1)
      end
      local counts = {}
      for _, value in ipairs(pl.rng(seed):randint(-3, 4, 70000):totable()) do
        counts[value] = (counts[value] or 0) + 1
      end
      for value = -3, 3 do assert.near(10000, counts[value], 500) end
      assert.near(2.5, pl.rng(seed):uniform(2, 3, N):double():mean(), 0.0015)
      assert.near(-4, pl.rng(seed):normal(-4, 0.5, N):double():mean(), 0.0025)
    end
  end)

  it("draws integers of any width", function()
    local g = pl.rng(4)
    local low, high = math.huge, -math.huge
    for _ = 1, 2000 do
      local x = g:randint(math.mininteger, math.maxinteger)
      low, high = math.min(low, x), math.max(high, x)
      assert.equal(5, g:randint(5, 6))
      assert.is_true(g:randint(1 << 40) >> 40 == 0)
    end
    assert.is_true(low < -9e18 and high > 9e18)
    local all = g:randint(-2 ^ 31, 2 ^ 31, 5000)
    assert.is_true(all:min() < -2.14e9 and all:max() > 2.14e9)
  end)

  it("permutes, and chooses with the given probabilities", function()
    local g = pl.rng(6)
    local expected = {}
    for i = 1, 1000 do expected[i] = i end
    assert.same(expected, g:permutation(1000):sort():totable())
    assert.is_false(g:permutation(1000):equal(g:permutation(1000)))
    local first = {}
    for _ = 1, 6000 do
      local name = table.concat(g:permutation(3):totable())
      first[name] = (first[name] or 0) + 1
    end
    for _, name in ipairs { "123", "132", "213", "231", "312", "321" } do
      assert.near(1000, first[name], 150)
    end
    local counts = { 0, 0, 0, 0 }
    for _, i in ipairs(g:choice(4, 40000, { p = { 0.5, 0, 0.125, 0.375 } }):totable()) do
      counts[i] = counts[i] + 1
    end
    assert.near(20000, counts[1], 500)
    assert.equal(0, counts[2])
    assert.near(5000, counts[3], 350)
    local distinct = g:choice(4, 3, { replace = false, p = { 0.5, 0, 0.125, 0.375 } }):sort()
    assert.same({ 1, 3, 4 }, distinct:totable())
    assert.same({ 1, 2, 3, 4, 5 }, g:choice(5, 5, { replace = false }):sort():totable())
    local low, high = g:choice(7, 1000):min(), g:choice(7, 1000):max()
    assert.same({ 1, 7 }, { low, high })
  end)

  it("gives float32 unless asked for float64", function()
    local g = pl.rng(1)
    assert.equal("float32", g:rand(2):dtype())
    assert.equal("float32", g:uniform(0, 1, 2):dtype())
    assert.equal("float64", g:randn({ 2 }, "float64"):dtype())
    assert.equal("int32", g:randint(0, 9, 2):dtype())
    assert.equal("int32", g:choice(3, 2):dtype())
  end)

  it("stays below 1 at the largest draw", function()
    assert.is_true(pl.rng(3):rand(N):max() < 1)
    assert.is_true(pl.rng(3):uniform(0, 1, N):max() < 1)
  end)
end)

describe("a generator", function()
  local makers = {
    rng = function(seed) return pl.rng(seed) end,
    numpy_rng = function(seed) return pl.numpy_rng(seed) end,
  }

  for name, make in pairs(makers) do
    it("of " .. name .. " saves, restores and clones its state at any point", function()
      local g = make(8)
      for step = 1, 700 do -- past a refill of the twister, at odd and even numbers of normals
        g:randn()
        if step % 50 == 1 then
          local state, clone = g:state(), g:clone()
          local function draw(from)
            return { from:randn(), from:rand(), from:randn(), from:randint(100), from:choice(9) }
          end
          local expected = draw(g)
          assert.same(expected, draw(clone))
          assert.equal(clone:state(), g:state())
          assert.equal(g, g:set_state(state))
          assert.equal(state, g:state())
          assert.same(expected, draw(g))
          local other = make(99)
          assert.equal(other:set_state(state):state(), state)
          assert.equal(expected[1], other:randn())
        end
      end
    end)

    it("of " .. name .. " keeps to itself", function()
      local a, b = make(1), make(1)
      a:rand(1000)
      assert.equal(make(1):rand(), b:rand())
    end)

    it("of " .. name .. " refuses hostile states and stays as it was", function()
      local g = make(8)
      g:randn()
      local state = g:state()
      local other = name == "rng" and pl.numpy_rng(8) or pl.rng(8)
      local bad = { "", "x", state:sub(1, -2), state .. "0", state:upper(), state:sub(1, -2) .. "g",
        (" "):rep(#state), ("\0"):rep(#state), ("0"):rep(#state), ("f"):rep(#state), other:state(),
        (state:gsub(":", ";", 1)), 3, true, {}, print, g, pl.zeros(3) }
      if name == "rng" then
        bad[#bad + 1] = (state:gsub(":%x+$", ":0100000000000000")) -- past the last element
      else
        bad[#bad + 1] = (state:gsub(":%x+$", ":" .. ("0"):rep(8 * 624))) -- zeros for ever
        bad[#bad + 1] = (state:gsub(":%x+$", ":7fffffff" .. ("0"):rep(8 * 623)))
        bad[#bad + 1] = (state:gsub(":%x+", ":0271", 1)) -- position 625
        bad[#bad + 1] = (state:gsub(":%x+", ":ffff", 1))
        bad[#bad + 1] = (state:gsub("^(%w+:%x+):1", "%1:2"))
        bad[#bad + 1] = (state:gsub("^(%w+:%x+:1):%x+", "%1:7ff8000000000000")) -- a NaN waits
        bad[#bad + 1] = (state:gsub("^(%w+:%x+:1):%x+", "%1:7ff0000000000000"))
      end
      for _, text in ipairs(bad) do
        contains(message(g.set_state, g, text), "set_state: argument 'state'", "state() of a pl." .. name)
        assert.equal(state, g:state())
      end
      contains(message(g.set_state, g), "set_state: argument 'state'")
    end)

    it("of " .. name .. " names the function, the argument, what it expected and what came", function()
      local g = make(8)
      local state = g:state()
      local huge, wrong = 2 ^ 53, { "x", true, {}, print, g, 0 / 0, 1.5, -1 }
      local function fails(method, parts, ...)
        local err = message(g[method], g, ...)
        contains(err, method .. ": ", table.unpack(parts))
        assert.equal(state, g:state()) -- nothing was drawn
      end
      for _, method in ipairs { "rand", "randn" } do
        for _, value in ipairs { "x", true, print, g, 0 / 0, 1.5, -1, 1 / 0, pl.zeros(2) } do
          fails(method, { "'shape'", "expected", "got" }, value)
          if type(value) ~= "string" then fails(method, { "expected", "got" }, 2, value) end
          fails(method, { "'shape'" }, { 2, value })
          if value ~= g and type(value) ~= "string" then fails(method, { "'dtype'" }, { 2 }, value) end
        end
        fails(method, { "'shape'", "got nil" }, nil)
        fails(method, { "'dtype'", '"float32" or "float64"', 'got "int32"' }, 2, "int32")
        fails(method, { "'dtype'", "got" }, { 2 }, "float16")
        fails(method, { "at most 2 arguments" }, { 2 }, "float32", 1)
        fails(method, { "at most 6" }, 1, 1, 1, 1, 1, 1, 1)
        fails(method, { "at most 6" }, { 1, 1, 1, 1, 1, 1, 1 })
        fails(method, { "memory" }, huge, huge)
        fails(method, { "memory" }, { huge, huge })
        fails(method, { "memory" }, 1 << 46)
        fails(method, { "memory" }, math.maxinteger)
        fails(method, { "memory" }, 2 ^ 31, 2 ^ 31, 2 ^ 31)
      end
      for method, names in pairs { uniform = { "low", "high" }, normal = { "loc", "scale" } } do
        for _, value in ipairs { "x", true, {}, print, g, 0 / 0, 1 / 0, -1 / 0 } do
          fails(method, { "'" .. names[1] .. "'", "a finite number, got" }, value)
          fails(method, { "'" .. names[2] .. "'", "a finite number, got" }, 0, value)
        end
        for _, value in ipairs { "x", true, print, g, 0 / 0, 1.5, -1 } do
          fails(method, { "'shape'", "got" }, 0, 1, value)
          fails(method, { "'dtype'", "got" }, 0, 1, 2, value)
        end
        fails(method, { "memory" }, 0, 1, { huge, huge })
        fails(method, { "at most 4 arguments, got 5" }, 0, 1, 2, "float32", 3)
      end
      fails("uniform", { "'high'", "from low (1.0) up, got 0" }, 1, 0)
      fails("uniform", { "'high'", "finite" }, -1e308, 1e308)
      fails("normal", { "'scale'", "0 or more, got -1" }, 0, -1)
      for _, value in ipairs { "x", true, {}, print, g, 0 / 0, 1.5, 1 / 0 } do
        fails("randint", { "'low'", "an integer", "got" }, value, 3)
        fails("randint", { "'high'", "an integer", "got" }, 0, value)
        fails("randint", { "'high'", "an integer", "got" }, value)
        fails("permutation", { "'n'", "got" }, value)
        fails("choice", { "'n'", "an integer", "got" }, value)
      end
      fails("randint", { "'high'", "above low (3), got 3" }, 3, 3)
      fails("randint", { "'high'", "above low (0), got 0" }, 0)
      fails("randint", { "'high'", "got" })
      fails("randint", { "'high'", "2147483648, got 2147483649" }, 0, (1 << 31) + 1, 2)
      fails("randint", { "'low'", "-2147483648" }, -(1 << 31) - 1, 0, 2)
      fails("randint", { "'shape'" }, 0, 3, -1)
      fails("randint", { "memory" }, 0, 3, { huge, huge })
      fails("randint", { "at most 3" }, 0, 3, 2, "int32")
      fails("permutation", { "'n'", "got -1" }, -1)
      fails("permutation", { "'n'", "2147483647" }, 1 << 31)
      fails("permutation", { "'n'", "axis" }, pl.zeros({}))
      fails("permutation", { "at most 1" }, 3, 4)
      for _, value in ipairs { "x", true, print, g, 3 } do
        fails("shuffle", { "'what'", "a tensor or a list, got" }, value)
      end
      fails("shuffle", { "'what'", "axis" }, pl.zeros({}))
      fails("shuffle", { "expanded" }, pl.zeros(3, 1):expand(3, 4))
      fails("shuffle", { "at most 1" }, {}, 2)
      for _, value in ipairs { 0, -1, 1 << 31 } do
        fails("choice", { "'n'", "an integer from 1" }, value)
      end
      fails("choice", { "'shape'" }, 3, "x")
      fails("choice", { "memory" }, 3, { huge, huge })
      fails("choice", { "'options'", "a table" }, 3, 2, "x")
      fails("choice", { 'unknown option "relpace"', "replace, p" }, 3, 2, { relpace = false })
      fails("choice", { "unknown option 1" }, 3, 2, { true })
      fails("choice", { "'replace'", "true or false, got" }, 3, 2, { replace = 1 })
      fails("choice", { "at most 3 elements", "got 4" }, 3, { 2, 2 }, { replace = false })
      fails("choice", { "at most 3 arguments" }, 3, 2, {}, 1)
      for _, value in ipairs(wrong) do
        fails("choice", { "'p'" }, 3, 2, { p = value })
        fails("choice", { "'p'", "from 0 to 1", "at [2]" }, 3, 2, { p = { 0.5, value, 0.5 } })
      end
      fails("choice", { "'p'", "expected 3 probabilities, got 2" }, 3, 2, { p = { 0.5, 0.5 } })
      fails("choice", { "'p'", "sum to 1, got a sum of 0.75" }, 3, 2, { p = { 0.5, 0.25, 0 } })
      fails("choice", { "'p'", "{3}", "got tensor {2}" }, 3, 2, { p = pl.full({ 2 }, 0.5) })
      fails("choice", { "'p'", "{3}", "int32" }, 3, 2, { p = pl.ones({ 3 }, "int32") })
      fails("choice", { "'p'", "at least 2", "got 1" }, 3, 2, { replace = false, p = { 0, 1, 0 } })
      for _, method in ipairs { "rand", "randn", "uniform", "normal", "randint", "permutation", "shuffle",
        "choice", "state", "set_state", "clone" } do
        for _, value in ipairs { "x", true, {}, print, 3, pl.zeros(2), io.stdout } do
          contains(message(g[method], value), method .. ": argument 'self'", "with a colon", "got")
        end
        contains(message(g[method]), "self")
      end
    end)
  end

  it("is made of checked seeds", function()
    for _, value in ipairs { "x", true, print, 0 / 0, 1.5, -1, 1 / 0, pl.zeros(2) } do
      contains(message(pl.rng, value), "rng: argument 'seed': expected an integer from 0 up, got")
      contains(message(pl.rng, 1, value), "rng: argument 'stream': expected an integer from 0 up, got")
      contains(message(pl.numpy_rng, value), "numpy_rng: argument 'seed'", "from 0 to 4294967295", "got")
      contains(message(pl.numpy_rng, { 1, value }), "numpy_rng: argument 'seed'", "4294967295", "got")
      contains(message(core.philox4x32, value, { 0, 0 }), "philox4x32: argument 'counter'", "got")
      contains(message(core.philox4x32, { 0, 0, 0, 0 }, { 0, value }), "philox4x32: argument 'key'", "got")
    end
    contains(message(pl.rng), "'seed'", "got nil")
    contains(message(pl.rng, {}), "'seed'")
    contains(message(pl.numpy_rng), "'seed'", "got nil")
    contains(message(pl.numpy_rng, 1 << 32), "'seed'", "got 4294967296")
    contains(message(pl.numpy_rng, { 1 << 32 }), "'seed'", "got 4294967296")
    contains(message(pl.numpy_rng, {}), "'seed'", "empty")
    assert.equal(pl.numpy_rng(3):rand(), pl.numpy_rng(3.0):rand())
    pl.rng(math.maxinteger, math.maxinteger):rand()
  end)

  it("raises at the caller's line", function()
    local function wrong() pl.rng(1):rand(-1) end
    local line = debug.getinfo(wrong, "S").linedefined
    contains(message(wrong), "random_spec.lua:" .. line .. ": rand")
    local function seedless() local _ = pl.rng("x") end
    line = debug.getinfo(seedless, "S").linedefined
    contains(message(seedless), "random_spec.lua:" .. line .. ": rng")
  end)

  it("has every method documented", function()
    local file = assert(io.open(assert(package.searchpath("perilune.meta.random", package.path))))
    local text = file:read("a")
    file:close()
    for name in pairs(core.generator) do contains(text, "\nfunction Generator:" .. name .. "(") end
  end)

  it("name the nearest method to one that is misspelt", function()
    for _, rng in ipairs { pl.rng(1), pl.numpy_rng(1) } do
      local good, text = pcall(function() return rng:randnn(2) end)
      assert.is_false(good)
      assert.matches('^tests/random_spec%.lua:%d+: random generator has no method "randnn"; '
        .. "did you mean 'randn'%?$", text)
    end
  end)

  it("tells what it is", function()
    local g = pl.rng(5, 2)
    g:rand(3)
    assert.equal("rng (seed 5, stream 2, 3 drawn)", tostring(g))
    contains(tostring(pl.numpy_rng(5)), "numpy_rng", "MT19937")
  end)
end)
