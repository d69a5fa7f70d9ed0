-- core's file functions and the JSON reader, on made-up files: what the world refuses is nil and a message
-- that names the file, a wrong argument raises, and nothing half done is left behind.
local pl = require "perilune"
local core = require "perilune.core"
local json = require "perilune.data.json"
local shell = require "tests.shell"
local world = require "tests.world"
local sh, list, refused, raises = world.sh, world.list, world.refused, world.raises

local temp -- this spec's own folder

setup(function() temp = world.new() end)
teardown(function() world.remove(temp) end)

local function put(name, content) return world.put(temp, name, content) end

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
    assert.equal("new", shell.read(path))
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
    assert.equal("old", shell.read(folder .. "/file"))
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
    assert.equal("x", shell.read(plain))
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
