-- Convolutions: PyTorch's numbers, the same bits at any number of threads and in any batch, large geometries
-- against the definition, and what the errors say. The rows of cases/conv.lua test every small one.
local child = require "tests.child"
local core = require "perilune.core"
local layouts = require "tests.layouts"
local pl = require "perilune"
local reference = require "tests.reference_conv"

local function gradients(x, kernel, bias, dy, options, name)
  name = name or "conv2d"
  local _, dx, dkernel, dbias = pl.value_and_grad(function(vx, vkernel, vbias)
    return (vx[name](vx, vkernel, vbias, options) * dy):sum()
  end, x, kernel, bias)
  return dx, dkernel, dbias
end

describe("PyTorch's convolution", function()
  local fixture = assert(pl.load("tests/fixtures/conv2d.safetensors"))
  local cases = {
    plain = {}, same = { padding = "same" }, strided = { strides = 2, padding = "same" },
    strided_even = { strides = { 2, 3 }, padding = "same" },
    dilated = { dilation = { 2, 3 }, padding = "same" },
    grouped = { strides = { 2, 1 }, padding = { 1, 0, 2, 1 }, groups = 3 },
    depthwise = { strides = { 2, 1 }, padding = "same", groups = 5 },
  }
  local function close(got, expected, what)
    local scale = math.max(expected:abs():max(), 1)
    local worst = (got - expected):abs():max() / scale
    assert.is_true(worst < 1e-5, ("%s is off by %g"):format(what, worst))
  end
  for name, options in pairs(cases) do
    it("has the same values and gradients: " .. name, function()
      local t = setmetatable({}, { __index = function(_, key) return fixture[name .. "." .. key] end })
      close(t.x:conv2d(t.kernel, t.bias, options), t.y, "y")
      local dx, dkernel, dbias = gradients(t.x, t.kernel, t.bias, t.dy, options)
      close(dx, t.dx, "dx")
      close(dkernel, t.dkernel, "dkernel")
      close(dbias, t.dbias, "dbias")
    end)
  end

  it("agrees with the depthwise one, its kernel in another shape", function()
    local x, kernel = fixture["depthwise.x"], fixture["depthwise.kernel"]
    local y = x:depthwise_conv2d(kernel:reshape(3, 3, 5, 2), fixture["depthwise.bias"],
      { strides = { 2, 1 }, padding = "same" })
    close(y, fixture["depthwise.y"], "y")
  end)
end)

-- images, kernel, options: rows cut into strips, small images taken together, gradients cut up themselves
local LARGE <const> = {
  { { 2, 33, 40, 3 }, { 3, 3, 3, 32 }, { padding = "same", activation = "relu" } },
  { { 1, 70, 70, 32 }, { 3, 3, 32, 33 }, {} },
  { { 37, 5, 6, 64 }, { 3, 3, 64, 128 }, { padding = "same" } },
  { { 3, 8, 8, 130 }, { 3, 3, 130, 100 }, { padding = "same" } }, -- Winograd, its sums whole
  { { 2, 9, 10, 250 }, { 3, 3, 250, 256 }, { padding = "same", activation = "relu" } }, -- channels in parts
  { { 2, 9, 10, 140 }, { 3, 3, 140, 250 }, { padding = "same", max_pool = true } },
  -- the same of 4×4 pixels
  { { 3, 16, 15, 130 }, { 3, 3, 130, 100 }, { padding = "same" } },
  { { 4, 12, 12, 250 }, { 3, 3, 250, 256 }, { padding = "same", activation = "relu" } },
  { { 2, 12, 13, 140 }, { 3, 3, 140, 250 }, { padding = "same", max_pool = true } },
  { { 19, 9, 8, 17 }, { 3, 3, 17, 33 }, { padding = { 3, 0, 1, 2 } } },
  { { 9, 9, 9, 40 }, { 5, 5, 40, 70 }, { strides = 2, padding = "same" } },
  { { 20, 7, 7, 12 }, { 3, 3, 6, 34 }, { groups = 2, dilation = 2, padding = "same" } },
  { { 19, 8, 9, 17 }, { 3, 3, 1, 34 }, { groups = 17, padding = "same", activation = "relu" } },
  { { 3, 30, 21, 40 }, { 5, 5, 40, 3 }, { padding = "same", activation = "relu" } },
  { { 5, 20, 19, 3 }, { 5, 5, 3, 12 }, {} },
  { { 1, 19, 3, 16 }, { 3, 3, 16, 17 }, { strides = 3, dilation = { 3, 1 } } },
}

local function drawn(case, dtype)
  local rng = pl.rng(5)
  local x, kernel = rng:randn(case[1], dtype), rng:randn(case[2], dtype)
  local bias = rng:randn({ case[2][4] }, dtype)
  local y = x:conv2d(kernel, bias, case[3])
  return x, kernel, bias, y, rng:randn(y:shape(), dtype)
end

local function digests(case, dtype)
  local x, kernel, bias, y, dy = drawn(case, dtype)
  local list = { core.md5(y:tobytes()) }
  for _, g in ipairs { gradients(x, kernel, bias, dy, case[3]) } do
    list[#list + 1] = core.md5(g:tobytes())
  end
  return table.concat(list, " ")
end

describe("a convolution", function()
  local threads = pl.threads()
  teardown(function() pl.set_threads(threads) end)

  it("has the same bits at any number of threads", function()
    for i, case in ipairs(LARGE) do
      for _, dtype in ipairs { "float32", "float64" } do
        pl.set_threads(1)
        local expected = digests(case, dtype)
        for _, n in ipairs { 2, 3, 4, 8 } do
          pl.set_threads(n)
          assert.equal(expected, digests(case, dtype), ("case %d, %s, %d threads"):format(i, dtype, n))
        end
      end
    end
    pl.set_threads(threads)
  end)

  it("has the same bits for an image alone and in a batch", function()
    for i, case in ipairs(LARGE) do
      local x, kernel, bias, y = drawn(case, "float32")
      for _, image in ipairs { 1, x:size(1) } do
        local alone = x:narrow(1, image, 1):conv2d(kernel, bias, case[3])
        assert.equal(y:narrow(1, image, 1):tobytes(), alone:tobytes(), "case " .. i)
      end
    end
  end)

  -- The adjoint: <conv(x, k), dy> is linear in x and in k, so it equals <x, dx> and <k, dk>.
  it("has gradients that are its transposes, in large geometries too", function()
    for i, case in ipairs(LARGE) do
      local options = {}
      for key, value in pairs(case[3]) do options[key] = key ~= "activation" and value or nil end
      local x, kernel, _, _, dy = drawn(case, "float64")
      local value = (x:conv2d(kernel, nil, options) * dy):sum()
      local dx, dkernel = gradients(x, kernel, pl.zeros({ case[2][4] }, "float64"), dy, options)
      assert.is_true(math.abs((x * dx):sum() / value - 1) < 1e-9, "dx of case " .. i)
      assert.is_true(math.abs((kernel * dkernel):sum() / value - 1) < 1e-9, "dkernel of case " .. i)
    end
  end)

  it("agrees in float32 with float64 on every instruction set", function()
    local script = [[
      local pl = require "perilune"
      for _, case in ipairs(CASES) do
        local rng = pl.rng(5)
        local x, kernel, bias = rng:randn(case[1]), rng:randn(case[2]), rng:randn(case[2][4])
        local dy = rng:randn(x:conv2d(kernel, bias, case[3]):shape())
        local function results(dtype)
          local function f(a, b, c) return (a:conv2d(b, c, case[3]) * dy:to(dtype)):sum() end
          return x:to(dtype):conv2d(kernel:to(dtype), bias:to(dtype), case[3]),
            select(2, pl.value_and_grad(f, x:to(dtype), kernel:to(dtype), bias:to(dtype)))
        end
        local single, double = { results "float32" }, { results "float64" }
        for i, g in ipairs(single) do
          local off = (g:double() - double[i]):abs():max() / double[i]:abs():max()
          if not (off < 1e-5) then print("result " .. i .. " is off by " .. off) end
        end
      end
    ]]
    local list = {}
    for i, case in ipairs(LARGE) do
      local words = {} -- without the ReLU, whose kink two dtypes may see from different sides
      for key, value in pairs(case[3]) do
        local text = type(value) == "table" and "{" .. table.concat(value, ",") .. "}" or ("%q"):format(value)
        if key ~= "activation" then words[#words + 1] = key .. " = " .. text end
      end
      list[i] = ("{ {%s}, {%s}, {%s} }"):format(table.concat(case[1], ","), table.concat(case[2], ","),
        table.concat(words, ","))
    end
    script = "local CASES = {" .. table.concat(list, ",") .. "}\n" .. script
    for _, isa in ipairs { "baseline", "avx2", "avx512" } do
      local output, success = child.run(script, "PERILUNE_ISA=" .. isa)
      assert.is_true(success, output)
      assert.equal("", output, isa)
    end
  end)

  it("adds to gradients that are there", function()
    local case = { { 2, 4, 5, 3 }, { 3, 3, 3, 5 }, { padding = "same" } }
    local x, kernel, bias, y, dy = drawn(case, "float64")
    local geometry = { 1, 1, 1, 1, 1, 1, 1, 1, 1, false }
    local function run(dx, dkernel, dbias, add)
      core.nn.conv2d_backward(dx, dkernel, dbias, dy, x, kernel, y, 1, 1, 1, 1, 1, 1, 1, 1, geometry[9],
        geometry[10], add, add, add)
      return { dx, dkernel, dbias }
    end
    local once = run(pl.zeros_like(x), pl.zeros_like(kernel), pl.zeros_like(bias), false)
    local twice = run(once[1]:clone(), once[2]:clone(), once[3]:clone(), true)
    for i = 1, 3 do assert.is_true((twice[i] / 2):allclose(once[i], { rtol = 1e-12, atol = 1e-12 })) end
  end)

  it("gives an empty batch gradients of 0, and adds none", function()
    for _, size in ipairs { { 5, 3, 4 }, { 9, 16, 17 } } do -- the definition's way, and Winograd's
      local n, channels, filters = table.unpack(size)
      local x, dy = pl.zeros(0, n, n, channels), pl.zeros(0, n - 2, n - 2, filters)
      local kernel = pl.ones(3, 3, channels, filters)
      for _, add in ipairs { false, true } do
        local dkernel, dbias = kernel * 5, pl.ones(filters) * 5
        core.nn.conv2d_backward(x:clone(), dkernel, dbias, dy, x, kernel, nil, 1, 1, 0, 0, 0, 0, 1, 1, 1,
          false, add, add, add)
        local same = add and 5.0 or 0.0
        assert.is_true(dkernel:eq(same):all() and dbias:eq(same):all(), channels .. " channels")
      end
    end
  end)

  it("takes a place of four pixels by its lowest two bits, whatever the rest", function()
    local x, kernel = pl.rng(1):randn(2, 6, 6, 3), pl.rng(2):randn(3, 3, 3, 4)
    local dy = pl.rng(3):randn(2, 2, 2, 4)
    local which = pl.arange(0, dy:numel() - 1, 1, "int32"):mod(4):byte():reshape(dy:shape())
    local function backward(places)
      local dx, dkernel = x:clone(), kernel:clone()
      core.nn.conv2d_backward(dx, dkernel, nil, dy, x, kernel, nil, 1, 1, 0, 0, 0, 0, 1, 1, 1, false, false,
        false, false, true, places)
      return dx:tobytes() .. dkernel:tobytes()
    end
    for _, more in ipairs { 4, 252 } do assert.equal(backward(which), backward(which + more)) end
  end)

  it("carries NaN and infinity where they are seen, and nowhere else", function()
    local x, kernel = pl.zeros(1, 5, 5, 3), pl.ones(3, 3, 3, 4)
    x[1][2][2][1], x[1][5][5][2] = 0 / 0, math.huge
    local y = x:conv2d(kernel, nil, { activation = "relu" })
    assert.is_true(y[1][1][1][1] ~= y[1][1][1][1])
    assert.equal(math.huge, y[1][3][3][2])
    assert.equal(0.0, y[1][1][3][2])
  end)
end)

describe("a convolution with pooling", function()
  it("spreads infinite gradients over their patches, and no further", function()
    for _, size in ipairs { { 2, 3, 4 }, { 6, 3, 4 }, { 7, 5, 1 }, { 16, 3, 8 } } do
      local channels, side, filters = table.unpack(size)
      for _, dtype in ipairs { "float32", "float64" } do
        local x = pl.rng(1):randn({ 1, 12, 11, channels }, dtype)
        local kernel = pl.ones({ side, side, channels, filters }, dtype)
        local function seen(f) -- dx, 1 where it is infinite and 2 where it is NaN
          local _, dx = pl.value_and_grad(function(v)
            local y = f(v)
            local shares = pl.zeros(y:shape(), dtype)
            shares[1][2][2][1] = math.huge
            return (y * shares):sum()
          end, x)
          return (dx:isinf() + dx:isnan() * 2):tobytes()
        end
        assert.equal(seen(function(v) return v:conv2d(kernel):max_pool2d() end),
          seen(function(v) return v:conv2d(kernel, nil, { max_pool = true }) end))
      end
    end
  end)
end)

describe("the reference", function()
  it("is that of the fast kernels in a case worked by hand", function()
    local x = { shape = { 1, 2, 2, 1 }, data = { 1, 2, 3, 4 } }
    local kernel = { shape = { 2, 2, 1, 1 }, data = { 10, 20, 30, 40 } }
    assert.equal(1 * 10 + 2 * 20 + 3 * 30 + 4 * 40, reference.conv2d(x, kernel, nil, {}).data[1])
    local same = reference.conv2d(x, kernel, nil, { padding = "same" }).data -- padded after
    assert.same({ 300.0, 2 * 10 + 4 * 30.0, 3 * 10 + 4 * 20.0, 40.0 }, same)
    local y = layouts.tensor(pl, x, "float32"):conv2d(layouts.tensor(pl, kernel, "float32"), nil,
      { padding = "same" })
    assert.same({ 300.0, 140.0, 110.0, 40.0 }, y:flatten():totable())
  end)
end)

describe("mistakes", function()
  local x, kernel = pl.ones(1, 5, 5, 3), pl.ones(3, 3, 3, 4)
  local function message(f)
    local good, text = pcall(f)
    assert.is_false(good)
    assert.matches("^tests/conv_spec%.lua:%d+: ", text)
    return (text:gsub("^[^ ]+ ", ""))
  end

  it("of channels say which axis", function()
    assert.equal("conv2d: x has 3 channels (last axis), kernel {3, 3, 16, 32} expects 16 (its third axis)",
      message(function() x:conv2d(pl.ones(3, 3, 16, 32)) end))
    assert.equal("depthwise_conv2d: x has 3 channels (last axis), "
      .. "kernel {3, 3, 2, 1} expects 2 (its third axis)",
      message(function() x:depthwise_conv2d(pl.ones(3, 3, 2, 1)) end))
    assert.equal("conv2d: 3 channels of x and 4 of the output do not divide into 2 groups",
      message(function() x:conv2d(kernel, nil, { groups = 2 }) end))
    assert.equal("conv2d: bias has 3 numbers; the kernel has 4 output channels",
      message(function() x:conv2d(kernel, pl.ones(3)) end))
  end)

  it("of sizes say what would fit", function()
    assert.equal("conv2d: the kernel's height 7 is more than the height 5 of x; a smaller kernel or "
      .. "padding = \"same\" would fit", message(function() x:conv2d(pl.ones(7, 3, 3, 4)) end))
    assert.equal("conv2d: the kernel's width 9 (dilated) is more than the width 7 of x (padded); a smaller "
      .. "kernel or padding = \"same\" would fit",
      message(function() x:conv2d(kernel, nil, { dilation = { 1, 4 }, padding = { 0, 0, 1, 1 } }) end))
    assert.equal("conv2d: kernel {3, 0, 3, 4} has an axis of size 0",
      message(function() x:conv2d(pl.ones(3, 0, 3, 4)) end))
    assert.matches("^conv2d: argument 'padding': expected an integer from 0 to %d+, got %d+$",
      message(function() x:conv2d(kernel, nil, { padding = { 0, 1 << 40, 0, 0 } }) end))
    assert.matches("not enough memory", message(function()
      x:conv2d(kernel, nil, { padding = { 1 << 24, 1 << 24, 1 << 24, 1 << 24 } })
    end))
    -- padded, one image has 2^61 numbers, and each thread one of them
    local far, threads = (1 << 24) - 1, pl.threads()
    local small, wide = pl.zeros(4, 1, 1, 8192), pl.zeros(2, 2, 8192, 16)
    for _, n in ipairs { 1, 7, 8 } do
      pl.set_threads(n)
      assert.matches("the padded images have more elements than memory can hold", message(function()
        small:conv2d(wide, nil, { dilation = far, padding = { far, 1, far, 0 } })
      end))
    end
    pl.set_threads(threads)
  end)

  it("of images and options name the fix", function()
    assert.matches("one image: image:unsqueeze%(1%)", message(function() pl.ones(5, 5, 3):conv2d(kernel) end))
    assert.equal("conv2d: not defined for uint8 tensors; cast with :to(\"float32\")",
      message(function() x:to("uint8"):conv2d(kernel) end))
    assert.equal("conv2d: dtypes differ: x is float32, kernel is float64; cast one with :to(\"float32\")",
      message(function() x:conv2d(kernel:double()) end))
    assert.matches("unknown option \"stride\"; did you mean 'strides'%?",
      message(function() x:conv2d(kernel, nil, { stride = 2 }) end))
    assert.matches("argument 'padding': expected \"valid\", \"same\" or {top, bottom, left, right}",
      message(function() x:conv2d(kernel, nil, { padding = "full" }) end))
    assert.equal("conv2d: argument 'max_pool': expected true or false, got \"yes\"",
      message(function() x:conv2d(kernel, nil, { max_pool = "yes" }) end))
  end)

  it("in calls of the C functions raise", function()
    local y, nn = pl.zeros(1, 3, 3, 4), core.nn
    local function forward(out, a, b, ...)
      local arguments = table.pack(out, a, b, nil, ...)
      return function() nn.conv2d(table.unpack(arguments, 1, 14)) end
    end
    local g = { 1, 1, 0, 0, 0, 0, 1, 1, 1, false }
    assert.has_no_error(forward(y, x, kernel, table.unpack(g)))
    assert.matches("argument 'y': expected shape {1, 3, 3, 4}, got {1, 3, 4, 4}",
      message(forward(pl.zeros(1, 3, 4, 4), x, kernel, table.unpack(g))))
    assert.matches("shares memory",
      message(forward(x:narrow(4, 1, 3), x, pl.ones(1, 1, 3, 3), table.unpack(g))))
    assert.matches("contiguous", message(forward(y:transpose(2, 3), x, kernel, table.unpack(g))))
    for i = 1, 9 do
      for _, value in ipairs { -1, 1.5, "x", math.maxinteger, 0 / 0 } do
        local wrong = table.move(g, 1, 10, 1, {})
        wrong[i] = value
        message(forward(y, x, kernel, table.unpack(wrong)))
      end
    end
    local dy = pl.ones(1, 3, 3, 4)
    assert.matches("argument 'y'", message(function()
      nn.conv2d_backward(nil, nil, nil, dy, x, kernel, nil, 1, 1, 0, 0, 0, 0, 1, 1, 1, true)
    end))
    assert.matches("argument 'dx': expected shape", message(function()
      nn.conv2d_backward(pl.zeros(1, 5, 4, 3), nil, nil, dy, x, kernel, nil, 1, 1, 0, 0, 0, 0, 1, 1, 1)
    end))
    -- with max_pool: y {1, 1, 1, 4}
    local small, which = pl.zeros(1, 1, 1, 4), pl.zeros({ 1, 1, 1, 4 }, "uint8")
    local function pooled(out, places, ...)
      local arguments = table.pack(...)
      if arguments.n == 0 then arguments = g end
      return function()
        nn.conv2d(out, x, kernel, nil, arguments[1], arguments[2], 0, 0, 0, 0, arguments[7], 1, 1, false,
          true, places)
      end
    end
    assert.has_no_error(pooled(small, which))
    assert.matches("argument 'y': expected shape {1, 1, 1, 4}", message(pooled(y, which)))
    assert.matches("argument 'which'", message(pooled(small, small)))
    assert.matches("argument 'which'", message(pooled(small, pl.zeros({ 1, 1, 2, 4 }, "uint8"))))
    assert.matches("strides, dilation and groups of 1",
      message(pooled(small, which, 1, 2, 0, 0, 0, 0, 1)))
    assert.matches("pooling goes with strides",
      message(function() x:conv2d(kernel, nil, { max_pool = true, dilation = 2, padding = "same" }) end))
    assert.matches("less than 2x2 pixels",
      message(function() x:narrow(2, 1, 3):conv2d(kernel, nil, { max_pool = true }) end))
    assert.matches("argument 'which'", message(function()
      nn.conv2d_backward(nil, nil, nil, small, x, kernel, nil, 1, 1, 0, 0, 0, 0, 1, 1, 1, false, false, false,
        false, true)
    end))
    for count = 0, 12 do
      local arguments = { y, x, kernel, dy, x, kernel, y, 1, 1, 0, 0, 0 }
      assert.is_false(pcall(nn.conv2d_backward, table.unpack(arguments, 1, count)))
      assert.is_false(pcall(nn.depthwise_conv2d, table.unpack(arguments, 1, count)))
    end
  end)
end)
