-- Files, safetensors, CIFAR-10 and its fetching: on the sample in data/sample and on made-up files in a
-- folder of their own. What the world refuses is nil and a message that names the file; nothing half done
-- is left behind.
local pl = require "perilune"
local core = require "perilune.core"
local json = require "perilune.data.json"
local files = require "perilune.data.cifar10_files"
local shell = require "tests.shell"
local fetch = dofile("data/fetch.lua")

local temp -- this file's own folder

--- What a shell command writes.
local function sh(format, ...)
  local pipe = assert(io.popen(format:format(...), "r"))
  local text = pipe:read("a")
  pipe:close()
  return text
end

local function put(name, content)
  local path = temp .. "/" .. name
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  assert(file:close())
  return path
end

local function get(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("a")
  file:close()
  return content
end

--- All names in a folder, hidden ones too.
local function list(folder)
  return sh("ls -A '%s'", folder)
end

--- A refusal: nil and a message that holds every one of the texts.
local function refused(result, message, ...)
  assert.is_nil(result)
  assert.is_string(message)
  for _, text in ipairs { ... } do
    assert.is_truthy(message:find(text, 1, true), ("%q lacks %q"):format(message, text))
  end
end

--- A mistake of the caller: raised at this file's line, with every one of the texts.
local function raises(f, ...)
  local ok, message = pcall(f)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find("data_spec.lua:%d+: "), message)
  for _, text in ipairs { ... } do
    assert.is_truthy(message:find(text, 1, true), ("%q lacks %q"):format(message, text))
  end
end

setup(function()
  temp = os.tmpname()
  os.remove(temp)
  temp = temp .. ".d"
  assert(core.mkdirs(temp))
end)

teardown(function()
  os.execute("rm -rf '" .. temp .. "'")
end)

describe("core's files", function()
  local everything = ("\0\1\254\255\r\n"):rep(50000)

  it("write strings and tensors, and read them back", function()
    local path = temp .. "/new/folders/file"
    local view = pl.arange(1, 6, 1, "int32"):reshape(2, 3):transpose(1, 2)
    assert.is_true(core.write_file(path, { "ab", "", view, everything }))
    assert.equal("ab" .. string.pack("<i4i4i4i4i4i4", 1, 4, 2, 5, 3, 6) .. everything, core.read_file(path))
    assert.equal(26 + #everything, core.file_size(path))
    assert.is_true(core.read_tensor(path, 2, "int32", { 3, 2 }):equal(view))
    assert.is_true(core.write_file(path, "short"))
    assert.equal("short", core.read_file(path))
    assert.is_true(core.write_file(path, {}))
    assert.equal("", core.read_file(path))
    assert.equal("file\n", list(temp .. "/new/folders"))
  end)

  it("keep permissions and links when they replace a file", function()
    local path, link = put("kept", "old"), temp .. "/link"
    sh("chmod 640 '%s'; ln -s kept '%s'", path, link)
    assert.is_true(core.write_file(link, "new"))
    assert.equal("new", get(path))
    assert.equal("640 regular file\n", sh("stat -c '%%a %%F' '%s'", path))
    assert.equal("symbolic link\n", sh("stat -c %%F '%s'", link))
  end)

  it("leave the old content and nothing else when a write fails", function()
    local folder = temp .. "/full"
    assert(core.mkdirs(folder))
    assert.is_true(core.write_file(folder .. "/file", "old"))
    -- A limit on the size of files stands in for a full disk; the signal it sends has to be ignored.
    local script = put("write.lua", ([[
      local core = require "perilune.core"
      io.write(tostring(select(2, core.write_file("%s/file", ("x"):rep(1 << 20)))))
    ]]):format(folder))
    local message = sh("trap '' XFSZ; ulimit -f 100; '%s' '%s' 2>&1", shell.perilune, script)
    assert.equal(folder .. "/file: cannot write: File too large", message)
    assert.equal("old", get(folder .. "/file"))
    assert.equal("file\n", list(folder))
  end)

  it("refuse what cannot be written", function()
    local plain = put("plain", "x")
    for path, reason in pairs {
      [plain .. "/below/file"] = "Not a directory", [plain .. "/below"] = "Not a directory",
      ["/proc/nowhere/file"] = "/proc/nowhere", [temp] = "Is a directory",
      ["/dev/full"] = "not a regular file",
      [temp .. "/" .. ("n"):rep(300)] = "File name too long", [("n/"):rep(3000)] = "File name too long",
    } do
      refused(select(1, core.write_file(path, "x")), select(2, core.write_file(path, "x")), reason)
    end
    assert.equal("x", get(plain))
    local made, message = core.mkdirs(plain)
    refused(made, message, plain, "Not a directory")
    assert.equal("", sh("find '%s' -name '*.tmp'", temp))
  end)

  it("refuse what cannot be read", function()
    sh("mkfifo '%s/pipe'", temp)
    for path, reason in pairs {
      [temp .. "/missing"] = "No such file", [temp] = "Is a directory",
      [temp .. "/pipe"] = "not a regular file", ["/dev/zero"] = "not a regular file",
    } do
      for _, f in ipairs { core.read_file, core.file_size, core.md5_file } do
        local result, message = f(path)
        refused(result, message, path .. ": ", reason)
      end
      local result, message = core.read_tensor(path, 0, "uint8", { 1 })
      refused(result, message, path .. ": ", reason)
    end
    local path = put("ten", "0123456789")
    local result, message = core.read_file(path, 9)
    refused(result, message, path .. ": expected at most 9 bytes, got 10")
    assert.equal("0123456789", core.read_file(path, 10))
    for _, case in ipairs {
      { 0, "uint8", { 11 }, "expected 11 bytes from offset 0 on, got 10" },
      { 3, "float64", { 1 }, "expected 8 bytes from offset 3 on, got 7" },
      { 11, "uint8", { 0 }, "from offset 11 on, got 0" },
      { math.maxinteger, "uint8", { 1 }, "got 0" },
      { 0, "float32", { 1 << 40 }, "got 10" },
    } do
      result, message = core.read_tensor(path, case[1], case[2], case[3])
      refused(result, message, path .. ": ", case[4])
    end
  end)

  it("raise on arguments of a wrong type", function()
    local t = pl.zeros(2)
    local names = { "write_file", "read_file", "read_tensor", "file_size", "mkdirs", "md5_file" }
    for _, wrong in ipairs { false, 1, {}, t, print, "", "a\0b" } do
      for _, name in ipairs(names) do
        raises(function() core[name](wrong, "x", "uint8", { 1 }) end, "core." .. name, "expected a path")
      end
    end
    for _, name in ipairs(names) do
      raises(function() core[name]() end, "core." .. name, "'path'", "got nil")
    end
    for _, wrong in ipairs { false, 1, print, { 1 }, { "a", {} }, { "a", t, io.stdout } } do
      raises(function() core.write_file(temp .. "/w", wrong) end, "core.write_file", "'content'")
      raises(function() core.md5(wrong) end, "core.md5", "'content'")
    end
    raises(function() core.md5() end, "got nil")
    for _, wrong in ipairs { -1, 1.5, "x", {}, 0 / 0 } do
      raises(function() core.read_file(temp, wrong) end, "'max_bytes'")
      raises(function() core.read_tensor(temp, wrong, "uint8", { 1 }) end, "'offset'")
    end
    raises(function() core.read_tensor(temp, 0, "float16", { 1 }) end, "float16")
    for _, wrong in ipairs { { -1 }, { 1.5 }, { "x" }, { 1, 1, 1, 1, 1, 1, 1 }, { 1 << 62, 1 << 62 }, "x" } do
      raises(function() core.read_tensor(temp, 0, "uint8", wrong) end, "'shape'")
    end
    assert.is_nil((core.file_size(temp .. "/w")))
  end)

  it("give MD5 sums", function()
    for text, sum in pairs {
      [""] = "d41d8cd98f00b204e9800998ecf8427e", abc = "900150983cd24fb0d6963f7d28e17f72",
      ["message digest"] = "f96b697d7cb7938d525a2f31aaf161d0",
      [("1234567890"):rep(8)] = "57edf4a22be3c955ac49da2e2107b67a",
    } do
      assert.equal(sum, core.md5(text))
      assert.equal(sum, core.md5_file(put("md5", text)))
    end
    assert.equal(core.md5("abc"), core.md5 { "a", "", pl.tensor({ 98, 99 }, "uint8") })
    assert.equal(core.md5(everything), core.md5_file(put("md5", everything)))
  end)
end)

describe("json", function()
  it("reads what is JSON", function()
    local value = json.decode(' {"a":[1,-0.5e1,true,false,null,"\\u00e9\\ud83c\\udf19\\n\\/"],"b":{}} ')
    assert.equal(1, value.a[1])
    assert.equal("integer", math.type(value.a[1]))
    assert.equal(-5, value.a[2])
    assert.is_true(value.a[3])
    assert.is_false(value.a[4])
    assert.equal(json.null, value.a[5])
    assert.equal("é🌙\n/", value.a[6])
    assert.equal(json.object, getmetatable(value.b))
    assert.is_false(json.decode("false"))
    assert.equal(9007199254740993, json.decode("9007199254740993"))
    local text = 'q"\\\0\1\n\127é'
    assert.equal(text, json.decode(json.quote(text)))
  end)

  it("refuses what is not", function()
    for _, text in ipairs {
      "", " ", "{", "[", "]", "[1,]", "[,]", "{,}", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", "'a'", '"',
      '"\n"', '"\\x"', '"\\u12"', '"\\ud800"', '"\\ud800\\u0041"', '"\\udc00"', "01", "-", "+1", "1.", ".5",
      "1e", "1e999", "NaN", "Infinity", "-Infinity", "nul", "truex", "True", "1 2", "{}{}", "[1 2]",
      '{"a":1 "b":2}', '{"a":1,"a":2}', '{"a":null,"\\u0061":2}', '"\xff"',
      '"\xed\xa0\x80"', "\xef\xbb\xbf{}", "[1]\0", "// x\n1", "0x10",
      ("["):rep(65) .. ("]"):rep(65), ("["):rep(1000000),
    } do
      local value, message = json.decode(text)
      refused(value, message, "byte ")
    end
    assert.is_table(json.decode(("["):rep(64) .. ("]"):rep(64)))
  end)
end)

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
    assert.equal(get(one), get(two))
    assert.equal(0, string.unpack("<I8", get(one)) % 8)
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
    local content = get(path)
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
    local content, random = get(path), pl.rng(1)
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
      refused(got, message, path .. ": expected a header of 2 to 2 bytes")
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

describe("cifar10", function()
  --- A copy of the sample to be damaged.
  local function copy_of_sample()
    local folder = temp .. "/sample"
    sh("rm -rf '%s'; cp -r data/sample '%s'", folder, folder)
    return folder
  end

  it("loads the sample", function()
    local cifar = assert(pl.data.cifar10 { sample = true })
    for name, n in pairs { train = 250, val = 50, test = 100 } do
      assert.same({ n, 32, 32, 3 }, cifar[name].x:shape())
      assert.equal("uint8", cifar[name].x:dtype())
      assert.same({ n }, cifar[name].y:shape())
      assert.equal("int32", cifar[name].y:dtype())
    end
    -- The first labels on disk are 6 9 9 4 1 1 2 7 8 3.
    assert.same({ 7, 10, 10, 5, 2, 2, 3, 8, 9, 4 }, cifar.train.y:narrow(1, 1, 10):totable())
    assert.same({ "frog", "truck" }, { cifar.names[7], cifar.names[10] })
    assert.is_nil(cifar.normalizer)
    for class = 1, 10 do
      assert.equal(10, cifar.test.y:eq(class):sum())
    end
    -- All 50,000 have 125.3, 123.0, 113.9.
    local means = cifar.train.x:mean({ 1, 2, 3 }):totable()
    for channel, expected in ipairs { 125.3, 123.0, 113.9 } do
      assert.is_true(math.abs(means[channel] - expected) < 8, means[channel])
    end
  end)

  it("puts every pixel in its place", function()
    local cifar = assert(pl.data.cifar10 { sample = true })
    local bytes = get("data/sample/data_batch_2.bin")
    -- Record 3 of the second file is image 63.
    for _, place in ipairs { { 1, 1, 1 }, { 1, 2, 1 }, { 2, 1, 1 }, { 32, 32, 3 }, { 17, 5, 2 } } do
      local row, column, channel = table.unpack(place)
      local at = 2 * 3073 + 1 + (channel - 1) * 1024 + (row - 1) * 32 + column
      assert.equal(bytes:byte(at + 0), cifar.train.x[63][row][column][channel])
    end
  end)

  it("cuts its splits one after another", function()
    local all = assert(pl.data.cifar10 { sample = true, train = 300, val = 0, test = 100 })
    local cut = assert(pl.data.cifar10 { sample = true, train = 70, val = 60, test = 3 })
    assert.is_true(cut.train.x:equal(all.train.x:narrow(1, 1, 70)))
    assert.is_true(cut.val.x:equal(all.train.x:narrow(1, 71, 60)))
    assert.is_true(cut.val.y:equal(all.train.y:narrow(1, 71, 60)))
    assert.is_true(cut.test.x:equal(all.test.x:narrow(1, 1, 3)))
    assert.same({ 0, 32, 32, 3 }, all.val.x:shape())
    assert.same({ 0 }, all.val.y:shape())
  end)

  it("normalises all splits by the training split", function()
    local raw = assert(pl.data.cifar10 { sample = true })
    local x = raw.train.x:double()
    local image_mean, channel_mean = x:mean(1), x:mean({ 1, 2, 3 })
    local centred = x - image_mean
    local function near(expected, got)
      assert.equal("float32", got:dtype())
      assert.is_true(got:double():allclose(expected, { rtol = 1e-5, atol = 1e-4 }))
    end
    for _, case in ipairs {
      { { center = "image" }, image_mean, 1 },
      { { center = "channel" }, channel_mean, 1 },
      { { standardize = true }, image_mean, centred:std() },
      { { center = "image", scale = "channel" }, image_mean, centred:std({ 1, 2, 3 }) },
      { { center = "channel", scale = "channel" }, channel_mean, x:std({ 1, 2, 3 }) },
      { { scale = "scalar" }, 0, x:std() },
      { { scale = "channel" }, 0, x:std({ 1, 2, 3 }) },
      { { scale = 255 }, 0, 255 },
    } do
      local options, mean, std = table.unpack(case)
      options.sample = true
      local cifar = assert(pl.data.cifar10(options))
      for _, name in ipairs { "train", "val", "test" } do
        local expected = (raw[name].x:double() - mean) / std
        near(expected, cifar[name].x)
        near(expected, cifar.normalizer:apply(raw[name].x))
        near(expected[2], cifar.normalizer:apply(raw[name].x[2]))
        local n = expected:size(1)
        near(expected:reshape(n, 3072), cifar.normalizer:apply(raw[name].x:reshape(n, 3072)))
      end
      -- Bytes kept and rows normalised a batch at a time are the same.
      options.dtype, options.flatten = "uint8", true
      local bytes = assert(pl.data.cifar10(options))
      assert.equal("uint8", bytes.train.x:dtype())
      assert.same({ 250, 3072 }, bytes.train.x:shape())
      local some = pl.tensor({ 250, 1, 7, 7 }, "int32")
      local batch, classes = bytes.train:batch(some)
      assert.is_true(batch:equal(cifar.train.x:index_select(1, some):reshape(4, 3072)))
      assert.is_true(classes:equal(raw.train.y:index_select(1, some)))
      assert.is_true(bytes.val:batch():equal(cifar.val.x:reshape(50, 3072)))
      assert.is_true(cifar.val:batch():equal(cifar.val.x))
    end
    local floats = assert(pl.data.cifar10 { sample = true, dtype = "float32", flatten = true })
    assert.is_true(floats.test.x:equal(raw.test.x:float():reshape(100, 3072)))
    assert.is_true(raw.test:batch():equal(raw.test.x:float()))
  end)

  it("has a normaliser that never divides by zero", function()
    local flat = pl.full({ 4, 2, 2, 3 }, 7, "uint8")
    for _, scale in ipairs { "scalar", "channel" } do
      local out = pl.data.Normalizer.fit(flat, { center = "image", scale = scale }):apply(flat)
      assert.is_true(out:equal(pl.zeros(4, 2, 2, 3)))
    end
  end)

  it("refuses damaged files and says what is wrong with which", function()
    local function damage(change)
      local folder = copy_of_sample()
      local path = folder .. "/data_batch_3.bin"
      local content = change(get(path))
      if content then
        assert(core.write_file(path, content))
      else
        os.remove(path)
      end
      local cifar, message = pl.data.cifar10 { sample = true, dir = folder }
      refused(cifar, message, path .. ": ")
      return message
    end
    assert.is_truthy(pl.data.cifar10 { sample = true, dir = copy_of_sample() })
    assert.matches("expected 184380 bytes, got 184379", damage(function(s) return s:sub(1, -2) end))
    assert.matches("expected 184380 bytes, got 184381", damage(function(s) return s .. "\0" end))
    assert.matches("expected 184380 bytes, got 0", damage(function() return "" end))
    assert.matches("No such file", damage(function() return nil end))
    assert.matches("labels from 0 to 9, got 10", damage(function(s) return "\10" .. s:sub(2) end))
    local function flip(s) return s:sub(1, 5000) .. string.char(s:byte(5001) ~ 1) .. s:sub(5002) end
    assert.matches("expected MD5 f07bb4a019bc6e92fe1f4bdfc80b6237, got %x+", damage(flip))
    -- Files that are not asked for are not read.
    damage(function() return "" end)
    assert.is_truthy(pl.data.cifar10 { sample = true, dir = temp .. "/sample", train = 100, val = 20 })
    local cifar, message = pl.data.cifar10 { dir = temp .. "/nowhere" }
    refused(cifar, message, temp .. "/nowhere/data_batch_1.bin: ", "No such file")
    cifar, message = pl.data.cifar10 { dir = "data/sample" }
    refused(cifar, message, "data/sample/data_batch_1.bin: expected 30730000 bytes, got 184380")
  end)

  it("raises on wrong options", function()
    for _, case in ipairs {
      { { tran = 5 }, "tran", "train" }, { { train = 0 }, "'train'" }, { { train = 1.5 }, "'train'" },
      { { train = "5" }, "'train'" }, { { val = -1 }, "'val'" }, { { test = 10001 }, "'test'", "10000" },
      { { train = 49001 }, "train + val" }, { { sample = true, train = 301 }, "'train'", "300" },
      { { train = 0 / 0 }, "'train'" }, { { train = 1 << 53 }, "'train'" },
      { { center = "pixel" }, "'center'" },
      { { scale = "image" }, "'scale'" }, { { scale = 0 }, "'scale'" }, { { scale = -1 }, "'scale'" },
      { { scale = 0 / 0 }, "'scale'" }, { { standardize = 1 }, "'standardize'" },
      { { flatten = "x" }, "'flatten'" }, { { standardize = true, center = "image" }, "'standardize'" },
      { { dtype = "float64" }, "'dtype'" }, { { sample = 1 }, "'sample'" }, { { dir = 5 }, "'dir'" },
      { 5 }, { "sample" }, { pl.zeros(1) },
    } do
      raises(function() pl.data.cifar10(case[1]) end, "cifar10", table.unpack(case, 2))
    end
    local Normalizer = pl.data.Normalizer
    raises(function() Normalizer.fit(5) end, "'x'")
    raises(function() Normalizer.fit(pl.zeros(0, 2, 2, 3)) end, "'x'")
    raises(function() Normalizer.fit(pl.zeros(2, 3)) end, "'x'")
    raises(function() Normalizer.fit(pl.zeros(1, 2, 2, 3), { centre = "image" }) end, "center")
    raises(function() Normalizer.new { mean = 5 } end, "'mean'")
    raises(function() Normalizer.new { std = "x" } end, "'std'")
    local normalizer = Normalizer.fit(pl.ones(1, 2, 2, 3), { center = "image" })
    for _, wrong in ipairs { 5, pl.zeros(3), pl.zeros(1, 2, 2, 4), pl.zeros(2, 11), pl.zeros(1, 2, 3, 3) } do
      raises(function() normalizer:apply(wrong) end, "'x'")
    end
  end)
end)

describe("data/fetch.lua", function()
  local set = files.sample
  local folder, work

  before_each(function()
    folder, work = temp .. "/final", temp .. "/work"
    sh("rm -rf '%s' '%s'", folder, work)
    assert(core.mkdirs(folder))
    assert(core.mkdirs(work))
    fetch.say = function() end
  end)

  --- The sample as an archive.
  local function archive()
    sh("rm -rf '%s/a'; mkdir '%s/a'; cp -r data/sample '%s/a/cifar-10-batches-bin'", temp, temp, temp)
    sh("cd '%s/a' && tar -czf ../sample.tar.gz cifar-10-batches-bin", temp)
    return temp .. "/sample.tar.gz"
  end

  --- The sample as the npm package has it: a picture a file, an image a row.
  local function make_package()
    local source, whole = temp .. "/package", temp .. "/whole"
    if core.file_size(whole .. "/test_lables.json") then
      sh("rm -rf '%s'; cp -r '%s' '%s'", source, whole, source)
      return source
    end
    assert(core.mkdirs(source))
    local labels = { {}, {} }
    for i, file in ipairs(set) do
      local records = assert(files.read("data/sample/" .. file.name, file))
      local pixels = pl.empty({ file.count, 1024, 3 }, "uint8")
      files.unpack_images(records, pixels)
      assert(core.write_file(source .. "/" .. file.name:gsub("bin$", "png"), core.png_encode(pixels)))
      local some = labels[i < #set and 1 or 2]
      for _, label in ipairs(records:select(2, 1):totable()) do some[#some + 1] = label end
    end
    put("package/train_lables.json", "[" .. table.concat(labels[1], ",") .. "]")
    put("package/test_lables.json", "[" .. table.concat(labels[2], ",") .. "]")
    sh("cp -r '%s' '%s'", source, whole)
    return source
  end

  it("packs records as it unpacks them", function()
    local records = assert(files.read("data/sample/test_batch.bin", set[6]))
    local images = pl.empty({ 100, 32, 32, 3 }, "uint8")
    files.unpack_images(records, images)
    local again = files.pack_records(images:reshape(100, 1024, 3), records:select(2, 1))
    assert.is_true(again:equal(records))
  end)

  it("takes an archive from a URL", function()
    local path = archive()
    assert.is_true(fetch.official("file://" .. path, core.md5_file(path), folder, work, set))
    assert.is_true(files.verify(folder, set))
    assert.equal(6, select(2, list(folder):gsub("\n", "")))
  end)

  it("refuses a broken archive", function()
    local path = archive()
    local content = get(path)
    local md5 = core.md5(content)
    local url = "file://" .. temp .. "/broken.tar.gz"
    for _, broken in ipairs { content:sub(1, #content // 2), content .. "x", "" } do
      put("broken.tar.gz", broken)
      local ok, message = fetch.official(url, md5, folder, work, set)
      refused(ok, message, url)
    end
    put("broken.tar.gz", content:sub(1, #content // 2))
    local ok, message = fetch.official(url, false, folder, work, set)
    refused(ok, message, "archive.tar.gz: cannot unpack it: ")
    ok, message = fetch.official("file://" .. temp .. "/missing.tar.gz", md5, folder, work, set)
    refused(ok, message, "missing.tar.gz: no such file")
    assert.equal("", list(folder))
    -- One bad byte in the third file: the two before it are good, it and those after it are not there.
    local bad = get("data/sample/data_batch_3.bin")
    put("a/cifar-10-batches-bin/data_batch_3.bin", bad:sub(1, 99) .. "\255" .. bad:sub(101))
    sh("cd '%s/a' && tar -czf ../broken.tar.gz cifar-10-batches-bin", temp)
    ok, message = fetch.official(url, false, folder, work, set)
    refused(ok, message, "data_batch_3.bin: damaged: expected MD5")
    assert.equal("data_batch_1.bin\ndata_batch_2.bin\n", list(folder))
  end)

  it("converts the package", function()
    assert.is_true(fetch.from_package(make_package(), folder, set))
    assert.is_true(files.verify(folder, set))
  end)

  it("refuses a broken package", function()
    local function broken(name, content, ...)
      local source = make_package()
      if content then
        put("package/" .. name, content)
      else
        os.remove(source .. "/" .. name)
      end
      local ok, message = fetch.from_package(source, folder, set)
      refused(ok, message, "package/" .. name, ...)
      assert.is_nil((core.file_size(folder .. "/test_batch.bin")))
    end
    broken("train_lables.json", nil, "No such file")
    broken("train_lables.json", "[1,2", "byte")
    broken("train_lables.json", "{}", "expected a list")
    broken("train_lables.json", "[10]", "label 1: expected an integer from 0 to 9")
    broken("train_lables.json", "[1]", "expected at least 60 labels, got 1")
    broken("data_batch_1.png", nil, "No such file")
    broken("data_batch_1.png", "no picture")
    broken("data_batch_1.png", core.png_encode(pl.zeros({ 60, 1023, 3 }, "uint8")), "1024 x 60")
    broken("data_batch_1.png", core.png_encode(pl.zeros({ 60, 1024, 3 }, "uint8")), "expected MD5")
    broken("test_lables.json", "[1]", "expected at least 100 labels")
  end)

  it("tries one source after another and leaves nothing half done", function()
    local dir = temp .. "/dir"
    local path = archive()
    sh("rm -rf '%s'; mkdir -p '%s/.fetch-999999999' '%s/.fetch-1'", dir, dir, dir)
    local function failing(_, place)
      assert.is_truthy(place:find("/%.fetch%-%d+$"))
      assert(core.write_file(place .. "/half", "half"))
      return nil, "failing: no network"
    end
    local function good(...) return fetch.official("file://" .. path, false, ...) end
    local ok, message = fetch.get(dir, set, { failing, failing })
    refused(ok, message, "failing: no network\n  failing: no network")
    assert.equal(".fetch-1\n", list(dir)) -- process 1 still runs; the other is gone
    assert.has_error(function() fetch.get(dir, set, { function() error("stopped", 0) end }) end, "stopped")
    assert.equal(".fetch-1\n", list(dir))
    assert.is_true(fetch.get(dir, set, { failing, good }))
    assert.equal(".fetch-1\ncifar-10-batches-bin\n", list(dir))
    -- A damaged file is replaced.
    assert(core.write_file(dir .. "/cifar-10-batches-bin/test_batch.bin", "damaged"))
    assert.is_true(fetch.get(dir, set, { good }))
    assert.is_true(files.verify(dir .. "/cifar-10-batches-bin", set))
    local plain = put("plain", "x")
    ok, message = fetch.get(plain .. "/dir", set, { good })
    refused(ok, message, plain, "Not a directory")
  end)

  it("as a program says what failed and exits with 1", function()
    -- A house without data, and a path with no npm and no apt-get: nothing is downloaded or installed.
    local house, bin = temp .. "/house", temp .. "/bin"
    sh("mkdir -p '%s/data' '%s/build/bin' '%s'", house, house, bin)
    sh("cp data/fetch.lua '%s/data'; cp -r lua '%s'; cp '%s' '%s/build/bin/perilune'", house, house,
      shell.perilune, house)
    sh("for p in sh rm curl tar gzip; do ln -s \"$(command -v $p)\" '%s'/; done", bin)
    local function program(arguments, data)
      return sh("cd '%s' && unset LUA_PATH LUA_CPATH && PERILUNE_DATA='%s' "
        .. "PERILUNE_CIFAR10_URL='file://%s/none.tar.gz' PATH='%s' "
        .. "build/bin/perilune data/fetch.lua %s 2>&1; echo $?", house, data or "", temp, bin, arguments)
    end
    local said = program("")
    for _, text in ipairs { "none.tar.gz: no such file", "npm is not installed", "By hand:", "\n1\n" } do
      assert.is_truthy(said:find(text, 1, true), said)
    end
    assert.equal("fetch.lua\n", list(house .. "/data"))
    -- Files of the wrong size under the right names are named, not used and not touched.
    said = program("--dir new", shell.root .. "/data/sample")
    assert.matches("not usable: .*/data/sample/data_batch_1.bin: expected 30730000 bytes, got 184380", said)
    assert.equal("", list(house .. "/new"))
    assert.is_true(files.verify("data/sample", set))
    assert.matches("plain: .*Not a directory.*\n1\n$", program("--dir '" .. put("plain", "x") .. "/new'"))
    assert.matches("usage: .*\n2\n$", program("--frob"))
    assert.matches("usage: .*\n2\n$", program("--dir"))
    assert.matches("usage: .*\n0\n$", program("--help"))
  end)
end)
