-- exp, log and their like: how near they come to the C library's in float64, over every binade, and that
-- the bits of a number depend neither on where it stands nor on how many stand beside it; on every
-- instruction set.
local child = require "tests.child"

-- Prints what is wrong. A unit in the last place is that of the float32 | float64 nearest to the result.
local ACCURACY <const> = [[
  local pl = require "perilune"
  local formulas = require("tests.reference").formulas
  local bounds = {
    exp = 2, expm1 = 2, log = 2, log1p = 2, tanh = 3, sigmoid = 3, erf = 3, softplus = 3,
  }
  local digits = { float32 = 24, float64 = 53 }
  local lowest = { float32 = -126, float64 = -1022 }
  local function unit(x, dtype)
    local exponent = math.floor(math.log(math.abs(x), 2) + 1e-9)
    return 2.0 ^ (math.max(exponent, lowest[dtype]) + 1 - digits[dtype])
  end
  local random = require("tests.layouts").generator(1)
  for dtype, least in pairs(lowest) do
    local numbers = {}
    for exponent = least, -least + 1, dtype == "float32" and 1 or 16 do
      local dense = exponent > -8 and exponent < 8 and 400 or 8
      for i = 0, dense - 1 do
        local x = 2.0 ^ exponent * (1 + (i + random()) / dense)
        numbers[#numbers + 1] = i % 2 == 0 and x or -x
      end
    end
    local x = pl.tensor(numbers, dtype)
    numbers = x:totable()
    for name, bound in pairs(bounds) do
      local got, worst, where = x[name](x):totable(), 0, 0
      if dtype == "float64" then bound = name == "erf" and 8 or 4 end
      for i, a in ipairs(numbers) do
        local want, found = formulas[name](a), got[i]
        local tiny = 2.0 ^ least
        -- far from 0 the reference of erf, a series, loses digits
        local unknown = name == "erf" and dtype == "float64" and math.abs(a) > 2
        if want ~= want or found ~= found then
          if (want ~= want) ~= (found ~= found) then worst, where = math.huge, a end
        elseif found ~= want and not unknown and not (math.abs(want) < tiny and math.abs(found) <= tiny) then
          local off
          if want - want ~= 0 or found - found ~= 0 then
            local largest = (2 - 2.0 ^ (1 - digits[dtype])) * 2.0 ^ -(least - 1)
            off = found == math.huge and math.abs(want) > largest and 0 or math.huge
          else
            off = math.abs(found - want) / unit(want, dtype)
          end
          if off > worst then worst, where = off, a end
        end
      end
      if worst > bound then print(name, dtype, ("%.3g units off at %a"):format(worst, where)) end
    end
  end
  for x, want in pairs { -- of 40 digits
    [1.25] = 0.92290012825645829, [2.5] = 0.99959304798255499, [3.5] = 0.99999925690162761,
    [5] = 0.99999999999846256, [5.75] = 0.99999999999999956,
  } do
    local got = pl.tensor({ x }, "float64"):erf()[1]
    if math.abs(got - want) > 2.0 ^ -52 then print("erf", x, got - want) end
  end
  local inf, nan = math.huge, 0.0 / 0.0
  for name, limits in pairs { -- at -inf, inf, 0, -0
    exp = { 0, inf, 1, 1 }, expm1 = { -1, inf, 0, 0 }, log = { nan, inf, -inf, -inf },
    log1p = { nan, inf, 0, 0 }, tanh = { -1, 1, 0, 0 }, erf = { -1, 1, 0, 0 }, sigmoid = { 0, 1, 0.5, 0.5 },
    softplus = { 0, inf, math.log(2), math.log(2) },
  } do
    local x = pl.tensor { -inf, inf, 0.0, -0.0, nan }
    local got = x[name](x):totable()
    for i, want in ipairs(limits) do
      if not (math.abs(got[i] - want) < 1e-7 or got[i] == want or want ~= want and got[i] ~= got[i]) then
        print(name, "at", x[i], got[i])
      end
    end
    if got[5] == got[5] then print(name, "loses NaN") end
    if (name == "tanh" or name == "erf" or name == "expm1") and 1 / got[4] ~= -inf then
      print(name, "loses the sign of -0")
    end
  end
]]

local PLACES <const> = [[
  local pl = require "perilune"
  local names = {
    "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "softplus", "leaky_relu", "elu", "selu", "silu",
    "gelu",
  }
  for _, dtype in ipairs { "float32", "float64" } do
    local n = 133
    local x = pl.rng(1):randn({ n }, dtype) * 3
    local wide = pl.zeros({ n, 3 }, dtype)
    wide:select(2, 2):copy_(x)
    for _, name in ipairs(names) do
      local all = x[name](x)
      local spaced = wide:select(2, 2)
      if spaced[name](spaced):tobytes() ~= all:tobytes() then print(name, dtype, "spaced") end
      for first = 1, 20 do
        for last = first, n, 7 do
          local part = x:narrow(1, first, last - first + 1)
          if part[name](part):tobytes() ~= all:narrow(1, first, last - first + 1):tobytes() then
            print(name, dtype, first, last)
          end
        end
      end
    end
    -- rows of a softmax are as they are alone
    local rows = x:narrow(1, 1, 130):reshape(10, 13)
    for _, name in ipairs { "softmax", "log_softmax" } do
      local all = rows[name](rows, -1)
      for i = 1, 10 do
        local row = rows:narrow(1, i, 1)
        if row[name](row, -1):tobytes() ~= all:narrow(1, i, 1):tobytes() then print(name, dtype, i) end
      end
    end
  end
]]

-- Where squares and cubes of x overflow, the functions that come near to x or 0 are that, with slopes 1 or 0.
local LARGE <const> = [[
  local pl = require "perilune"
  for dtype, largest in pairs { float32 = 0x1.fffffep127, float64 = 0x1.fffffffffffffp1023 } do
    local x = pl.tensor({ largest, largest / 2, 1e13, 200, -200, -1e13, -largest / 2, -largest }, dtype)
    for name, f in pairs {
      gelu = function(v) return v:gelu() end, silu = function(v) return v:silu() end,
      gelu_tanh = function(v) return v:gelu { approximate = true } end,
      elu = function(v) return v:elu() end, softplus = function(v) return v:softplus() end,
    } do
      local _, slope = pl.value_and_grad(function(v) return f(v):sum() end, x)
      local want = name == "elu" and x:clamp(-1) or x:relu()
      if not f(x):allclose(want) then print(name, dtype, f(x)) end
      if not slope:allclose(x:gt(0):to(dtype)) then print(name, dtype, "slope", slope) end
    end
  end
]]

for _, isa in ipairs { "avx512", "avx2", "baseline" } do
  describe("elementary functions on " .. isa .. ", or what is nearest to it,", function()
    it("are near the reference in every binade", function()
      assert.equal("", (child.run(ACCURACY, "PERILUNE_ISA=" .. isa)))
    end)

    it("neither overflow nor lose their slopes far from 0", function()
      assert.equal("", (child.run(LARGE, "PERILUNE_ISA=" .. isa)))
    end)

    it("give a number the same bits wherever it stands", function()
      assert.equal("", (child.run(PLACES, "PERILUNE_ISA=" .. isa)))
    end)
  end)
end
