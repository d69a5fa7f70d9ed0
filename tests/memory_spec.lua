-- Memory: exhaustion is an ordinary Lua error and the state goes on; temporaries are given back; the module
-- can be opened again and again. PERILUNE_TEMPORARIES says how many temporaries of 1 MB to make (2,000).
local child = require "tests.child"
local pl = require "perilune"
local shell = require "tests.shell"

-- What each child begins with
local PREAMBLE <const> = [[
local pl = require "perilune"
local function peak() -- MB
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmHWM:%s*(%d+)")
    if kilobytes then return kilobytes // 1000 end
  end
end
]]

local function run(script, settings)
  local output, success = child.run(PREAMBLE .. script, settings)
  assert.is_true(success, output)
  return output
end

-- The limit leaves room for libraries, threads and 800 MB, but not for 700 MB more.
local LIMIT <const> = "ulimit -v 1400000; PERILUNE_THREADS=2 OPENBLAS_NUM_THREADS=1"

describe("out of memory", function()
  local exhausting = {
    zeros = "pl.zeros(700, 1000, 1000)",
    empty = 'pl.empty({ 400, 1000, 1000 }, "float64")',
    full = 'pl.full({ 3000000000 }, 7, "uint8")',
    arange = "pl.arange(1, 700000000)",
    add = "big + big",
    exp = "wide:exp()",
    clone = "wide:clone()",
    to = 'wide:to("int32")',
    matmul = "tall:matmul(tall:t())",
    sort = "big:view(-1):sort()",
    concatenate = "pl.concatenate({ big, big, big })",
    gather = 'wide:index_select(1, pl.ones({ 30000 }, "int32"))',
    nonzero = "wide:nonzero()",
    totable = "big:totable()",
    tobytes = "wide:tobytes()",
  }
  local names = {}
  for name in pairs(exhausting) do names[#names + 1] = name end
  table.sort(names)

  if child.asan then
    pending("is not provoked under the sanitizers")
  else
    it("raises a clear error at the caller's line, and the state goes on", function()
      local script = { [[
        local big = pl.empty(200, 1000, 1000)
        local wide, tall = pl.ones(1, 16000):expand(16000, 16000), pl.ones(16000, 1)
        local function try(name, f)
          for _ = 1, 2 do
            local good, message = pcall(f)
            print(name, good, message)
          end
          assert(pl.arange(1, 100):reshape(10, 10):matmul(pl.ones(10, 10)):sum() == 50500)
        end
      ]] }
      for _, name in ipairs(names) do
        local line = "try(%q, function() local t = %s return t end)"
        script[#script + 1] = line:format(name, exhausting[name])
      end
      script[#script + 1] = 'big = nil collectgarbage() print("end", #pl.ones(100, 1000, 1000))'
      local output = run(table.concat(script, "\n"), LIMIT)
      local seen = {}
      for line in output:gmatch("[^\n]+") do
        local name, good, message = line:match("^([^\t]+)\t(%a+)\t(.*)$")
        if name then
          seen[name] = (seen[name] or 0) + 1
          assert.equal("false", good, line)
          assert.matches("not enough memory", message, 1, true, line)
          if name ~= "totable" and name ~= "tobytes" then assert.matches("^[^ ]+:%d+: ", message, line) end
        end
      end
      for _, name in ipairs(names) do assert.equal(2, seen[name], name .. " in\n" .. output) end
      assert.matches("end\t100\n$", output)
    end)

    it("names function, shape and size", function()
      local output = run([[
        print(select(2, pcall(function() local t = pl.zeros(700, 1000, 1000) return t end)))
      ]], LIMIT)
      assert.matches("zeros: not enough memory for a tensor {700, 1000, 1000} float32", output, 1, true)
      assert.matches("2800", output)
    end)

    it("first collects garbage", function()
      local output = run([[
        for _ = 1, 30 do local t = pl.empty(200, 1000, 1000) end
        print(peak() < 1400)
      ]], LIMIT)
      assert.equal("true\n", output)
    end)
  end

  it("by a size that no memory holds is raised before anything is asked for", function()
    for _, shape in ipairs { { 2 ^ 40 }, { 2 ^ 45 }, { 2 ^ 20, 2 ^ 20, 2 ^ 10 } } do
      local good, message = pcall(function() local t = pl.zeros(shape) return t end)
      assert.is_false(good)
      assert.matches("memory", message)
    end
    assert.equal(6, pl.ones(2, 3):sum())
  end)
end)

describe("temporaries", function()
  local count = math.tointeger(tonumber(os.getenv("PERILUNE_TEMPORARIES") or 2000))

  local function loop(body)
    local output = run(([[
      local kept = pl.ones(25, 1000, 1000) -- 100 MB that live on
      local x = pl.ones(250, 1000) -- 1 MB
      for i = 1, %d do %s end
      print(peak(), kept:numel())
    ]]):format(count, body))
    return math.tointeger(tonumber(output:match("^(%d+)\t25000000\n$")) or error(output))
  end

  if child.asan then
    pending("are not counted under the sanitizers, which keep what is freed")
  else
    it("of 1 MB keep the process under 300 MB", function()
      assert.is_true(loop("local y = x + i") < 300)
    end)

    it("of 1 MB that views hold, too", function()
      assert.is_true(loop("local y = (x * 2)[{ { 1, 100 } }]:t():reshape(1000, 100)") < 300)
    end)

    it("that errors cut short, too", function()
      assert.is_true(loop("pcall(function() return (x + 1):matmul(x + 2) end)") < 300)
    end)
  end
end)

describe("in the interpreter, temporaries", function()
  -- The most that Lua held at the end of a turn beyond what it held before the first, in MB.
  local function held(turns, body, before)
    local out, err = shell.run(shell.quote(shell.perilune) .. " -e " .. shell.quote(([[
      local pl = require "perilune"
      %s
      local kept = pl.ones(100, 1000, 1000) -- 400 MB that live on
      collectgarbage()
      local start, most = collectgarbage "count", 0
      for i = 1, %d do
        %s
        most = math.max(most, collectgarbage "count" - start)
      end
      print(most // 1000, kept:numel())
    ]]):format(before or "", turns, body)))
    return tonumber(out:match "^([%d.]+)\t100000000\n$") or error(out .. err)
  end

  if child.asan then
    pending("are freed more seldom under the sanitizers: a collection takes too long there")
  else
    it("are freed soon, however much lives on beside them", function()
      assert.is_true(held(400, "local y = pl.ones(250, 1000)") < 40)
    end)

    it("are freed soon again after tensors that all live on", function()
      local body = "local y = pl.ones(250, 1000) if i == 1500 then most = 0 end"
      local before = "local all = {} for k = 1, 400 do all[k] = pl.ones(250, 1000) end"
      assert.is_true(held(2000, body, before) < 40)
    end)
  end

  it("of a large step are freed in the end", function()
    assert.is_true(held(30, "local t = {} for k = 1, 300 do t[k] = pl.ones(250, 1000) end") < 1500)
  end)

  it("wait while the collector is stopped", function()
    assert.is_true(held(100, "local y = pl.empty(250, 1000)", 'collectgarbage "stop"') > 90)
  end)
end)

describe("the module", function()
  local function forget()
    for name in pairs(package.loaded) do
      if name:find("^perilune") then package.loaded[name] = nil end
    end
  end

  it("opens again and again, and tensors cross from one to the next", function()
    local kept = {}
    for name, value in pairs(package.loaded) do
      if name:find("^perilune") then kept[name] = value end
    end
    local old = pl.arange(1, 6):reshape(2, 3)
    for _ = 1, 20 do
      forget()
      local new = require "perilune"
      assert.is_false(rawequal(new, pl))
      assert.is_true(new.is_tensor(old))
      local made = new.ones(2, 3)
      assert.is_true(pl.is_tensor(made))
      assert.same({ { 2, 3, 4 }, { 5, 6, 7 } }, (made + old):totable())
      assert.same({ { 2, 3, 4 }, { 5, 6, 7 } }, pl.add(old, made):totable())
      assert.equal(21, new.sum(old))
      assert.is_truthy(tostring(old):find("{2, 3}", 1, true))
      local good, message = pcall(function() local t = old:matmul(made) return t end)
      assert.is_false(good)
      assert.matches("^tests/memory_spec.lua:", message)
      old = made:clone():copy_(old)
    end
    forget()
    for name, value in pairs(kept) do package.loaded[name] = value end
  end)

  it("lives in several coroutines", function()
    local produce = coroutine.wrap(function()
      local t = pl.zeros(3)
      while true do coroutine.yield(t:add_(1)) end
    end)
    assert.same({ 1, 1, 1 }, produce():totable())
    assert.same({ 2, 2, 2 }, produce():totable())
    local good, message = coroutine.resume(coroutine.create(function() local t = pl.zeros(-1) return t end))
    assert.is_false(good)
    assert.matches("^tests/memory_spec.lua:", message)
  end)

  it("leaves nothing behind that grows", function()
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 200 do
      local t = pl.ones(100, 10)
      local u = t[{ { 1, 50 } }]:t():matmul(t[{ { 51, 100 } }])
      pcall(function() return u + pl.ones(7) end)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage("count") - before < 50)
  end)
end)
