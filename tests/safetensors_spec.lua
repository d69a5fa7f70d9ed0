-- safetensors: what is saved comes back, Python's files are read, and any damage is found and named.
local pl = require "perilune"
local core = require "perilune.core"
local shell = require "tests.shell"
local world = require "tests.world"
local list, refused, raises = world.list, world.refused, world.raises

local temp -- this spec's own folder

setup(function() temp = world.new() end)
teardown(function() world.remove(temp) end)

local function put(name, content) return world.put(temp, name, content) end

describe("safetensors", function()
  local tensors, metadata

  setup(function()
    tensors = {
      W1 = pl.arange(1, 12, 1, "float64"):reshape(3, 4):transpose(1, 2),
      b1 = pl.tensor { 0.5, -1, 1e30 },
      images = pl.arange(0, 23, 1, "uint8"):reshape(2, 3, 4):slice(3, 1, 4, 2),
      labels = pl.tensor({ -2147483648, 2147483647 }, "int32"),
      scalar = pl.tensor(3.5),
      empty = pl.zeros(0, 3),
      ['é "quoted"\n'] = pl.zeros({ 1, 1, 1, 1, 1, 1 }, "uint8"),
    }
    metadata = { epoch = "12", ["é"] = 'a "word"\n' }
  end)

  local function same(expected, got)
    for name, tensor in pairs(expected) do
      assert.is_truthy(got[name], name)
      assert.equal(tensor:dtype(), got[name]:dtype())
      assert.same(tensor:shape(), got[name]:shape())
      assert.is_true(tensor:equal(got[name]), name)
    end
    for name in pairs(got) do assert.is_truthy(expected[name], name) end
  end

  --- A file with that header over that many bytes of data.
  local function raw(header, data)
    return put("raw.safetensors", string.pack("<I8", #header) .. header .. (data or ""))
  end

  it("gives back every dtype, shape and name, and the metadata", function()
    local path = temp .. "/folder/a.safetensors"
    assert.is_true(pl.save(path, tensors, metadata))
    local got, strings = pl.load(path)
    same(tensors, got)
    assert.same(metadata, strings)
    assert.equal("a.safetensors\n", list(temp .. "/folder"))
    assert.is_true(pl.save(path, {}))
    got, strings = pl.load(path)
    assert.same({}, got)
    assert.same({}, strings)
  end)

  it("writes the same bytes for the same tensors, numbers aligned", function()
    local one, two = temp .. "/one.safetensors", temp .. "/two.safetensors"
    assert.is_true(pl.save(one, tensors, metadata))
    assert.is_true(pl.save(two, (pl.load(one)), metadata))
    assert.equal(shell.read(one), shell.read(two))
    assert.equal(0, string.unpack("<I8", shell.read(one)) % 8)
  end)

  it("keeps not-a-number and infinities", function()
    local path = temp .. "/nan.safetensors"
    assert.is_true(pl.save(path, { x = pl.tensor { 0 / 0, math.huge, -math.huge, -0.0 } }))
    local x = assert(pl.load(path)).x:totable()
    assert.is_true(x[1] ~= x[1])
    assert.equal(math.huge, x[2])
    assert.equal(-math.huge, x[3])
    assert.equal(-math.huge, 1 / x[4])
  end)

  it("reads a file that Python wrote", function()
    local got, strings = assert(pl.load("tests/fixtures/python.safetensors"))
    same({
      weight = pl.arange(0, 11):reshape(3, 4) / 8,
      bias = pl.tensor({ -1.5, 1e300 }, "float64"),
      images = pl.arange(0, 29, 1, "uint8"):reshape(2, 3, 5),
      labels = pl.tensor({ -2147483648, 0, 2147483647 }, "int32"),
      step = pl.tensor(7, "int32"),
      empty = pl.zeros(0, 4),
      ['größe "1"'] = pl.tensor({ 255 }, "uint8"),
    }, got)
    assert.same({ format = "np", quote = 'say "hi"\n' }, strings)
  end)

  it("finds every truncation", function()
    local path = temp .. "/whole.safetensors"
    assert.is_true(pl.save(path, tensors, metadata))
    local content = shell.read(path)
    for i = 0, 199 do
      local cut = put("cut.safetensors", content:sub(1, #content * i // 200))
      local got, message = pl.load(cut)
      refused(got, message, cut .. ": ")
    end
    local longer = put("cut.safetensors", content .. "\0")
    local got, message = pl.load(longer)
    refused(got, message, longer .. ": expected")
  end)

  it("finds every flipped bit", function()
    local path = temp .. "/whole.safetensors"
    assert.is_true(pl.save(path, tensors, metadata))
    local content, random = shell.read(path), pl.rng(1)
    for _, bit in ipairs(random:randint(0, 8 * #content, 1000):totable()) do
      local at = bit // 8 + 1
      local byte = string.char(content:byte(at) ~ (1 << bit % 8))
      local bad = put("flip.safetensors", content:sub(1, at - 1) .. byte .. content:sub(at + 1))
      local got, message = pl.load(bad)
      refused(got, message, bad .. ": ")
    end
  end)

  it("refuses hostile headers, each for its reason", function()
    local function entry(fields) return '{"a":{' .. fields .. "}}" end
    local good = '"dtype":"U8","shape":[4],"data_offsets":[0,4]'
    assert.is_truthy(pl.load(raw(entry(good), "1234")))
    assert.is_truthy(pl.load(raw(entry(good) .. "   ", "1234")))
    for _, case in ipairs {
      { entry(good), "123", "ends at byte 4 of the data, which has 3" },
      { entry(good), "12345", "expected 4 bytes of data, got 5" },
      { " " .. entry(good), "1234", "does not start with '{'" },
      { entry(good) .. "x", "1234", "expected the end" },
      { entry(good):sub(1, -2), "1234", "header: byte" },
      { '{"a":{' .. good .. '},"a":{' .. good .. "}}", "1234", 'key "a" twice' },
      { '{"a":{' .. good .. '},"b":{' .. good .. "}}", "1234", "overlap" },
      { '{"a":{' .. good .. '},"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}}', "123456", "a gap" },
      { '{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', "12", "a gap" },
      { '{"a":1}', "", "expected an object" },
      { '{"a":[]}', "", "expected an object" },
      { entry '"shape":[4],"data_offsets":[0,4]', "1234", "got none" },
      { entry '"dtype":"F16","shape":[2],"data_offsets":[0,4]', "1234", "got F16" },
      { entry '"dtype":8,"shape":[2],"data_offsets":[0,4]', "1234", "expected dtype" },
      { entry(good .. ',"more":1'), "1234", 'unknown key "more"' },
      { entry '"dtype":"U8","data_offsets":[0,4]', "1234", "expected a list as shape" },
      { entry '"dtype":"U8","shape":{},"data_offsets":[0,4]', "1234", "expected a list as shape" },
      { entry '"dtype":"U8","shape":[-4],"data_offsets":[0,4]', "1234", "axis 1 of its shape" },
      { entry '"dtype":"U8","shape":[4.0],"data_offsets":[0,4]', "1234", "axis 1 of its shape" },
      { entry '"dtype":"U8","shape":["4"],"data_offsets":[0,4]', "1234", "axis 1 of its shape" },
      { entry '"dtype":"U8","shape":[NaN],"data_offsets":[0,4]', "1234", "header: byte" },
      { entry '"dtype":"U8","shape":[4,1,1,1,1,1,1],"data_offsets":[0,4]', "1234", "at most 6 axes, got 7" },
      { entry '"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,4]', "1234", "too large" },
      { entry '"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]', "", "too large" },
      { entry '"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,4]', "1234", "axis 1" },
      { entry '"dtype":"U8","shape":[3],"data_offsets":[0,4]', "1234", "needs 3 bytes" },
      { entry '"dtype":"U8","shape":[4],"data_offsets":[0]', "1234", "data_offsets" },
      { entry '"dtype":"U8","shape":[4],"data_offsets":[4,0]', "1234", "data_offsets" },
      { entry '"dtype":"U8","shape":[4],"data_offsets":[-4,0]', "1234", "data_offsets" },
      { entry '"dtype":"U8","shape":[4],"data_offsets":[0,9223372036854775807]', "1234", "ends at byte" },
      { '{"__metadata__":[]}', "", "__metadata__" },
      { '{"__metadata__":{"a":1}}', "", "__metadata__" },
      { '{"__metadata__":{"perilune":"1"}}', "", "damaged" },
      { '{"__metadata__":{"perilune.md5":"xyz"}}', "", "damaged" },
      { '{"__metadata__":{"perilune.md5":"' .. ("0"):rep(32) .. '"}}', "", "expected MD5" },
      { '{"a":' .. ("["):rep(20) .. ("]"):rep(20) .. "}", "", "nested too deeply" },
      { '{"\xff":{' .. good .. "}}", "1234", "not UTF-8" },
    } do
      local path = raw(case[1], case[2])
      local got, message = pl.load(path)
      refused(got, message, path .. ": ", case[3])
    end
    for _, length in ipairs { 0, 1, 3, 100000001, math.maxinteger, -1, math.mininteger } do
      local path = put("length.safetensors", string.pack("<i8", length) .. "{}")
      local got, message = pl.load(path)
      refused(got, message, path .. ": not a safetensors file, or damaged: expected a header of 2 to 2 bytes")
    end
    for first_bytes, kind in pairs {
      ["PK\3\4\20\0\0\0"] = "a zip archive: .npz", ["\x93NUMPY\1\0"] = "a NumPy array, .npy",
      ["\x89HDF\r\n\x1a\n"] = "HDF5", ["\x80\2}q\0X\2\0"] = "Python's pickle", ["# Readme"] = "text",
      ["\x89PNG\r\n\x1a\n"] = "a PNG image",
    } do
      local path = put("other", first_bytes .. ("x"):rep(100))
      local got, message = pl.load(path)
      refused(got, message, path .. ": not a safetensors file, it looks like " .. kind)
    end
    for _, path in ipairs { temp .. "/missing", temp, "/dev/zero", put("short", "1234567") } do
      local got, message = pl.load(path)
      refused(got, message, path .. ": ")
    end
  end)

  it("raises on what cannot be saved", function()
    local path, t = temp .. "/never.safetensors", pl.zeros(1)
    raises(function() pl.save(nil, {}) end, "'path'")
    raises(function() pl.load({}) end, "'path'")
    raises(function() pl.save(path) end, "'tensors'")
    raises(function() pl.save(path, t) end, "'tensors'")
    raises(function() pl.save(path, { t }) end, "'tensors'")
    raises(function() pl.save(path, { a = 1 }) end, "a tensor", "got 1")
    raises(function() pl.save(path, { ["\xff"] = t }) end, "UTF-8")
    raises(function() pl.save(path, { __metadata__ = t }) end, "own")
    raises(function() pl.save(path, { a = t }, "x") end, "'metadata'")
    raises(function() pl.save(path, { a = t }, { a = 1 }) end, "string")
    raises(function() pl.save(path, { a = t }, { "x" }) end, "'metadata'")
    raises(function() pl.save(path, { a = t }, { ["perilune.md5"] = "x" }) end, "own")
    assert.is_nil((core.file_size(path)))
    local plain = put("plain", "x")
    local ok, message = pl.save(plain .. "/a", { a = t })
    refused(ok, message, plain, "Not a directory")
  end)
end)
