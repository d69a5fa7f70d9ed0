-- CIFAR-10 and its fetching, on the sample in data/sample and on made-up archives and packages.
local pl = require "perilune"
local core = require "perilune.core"
local files = require "perilune.data.cifar10_files"
local shell = require "tests.shell"
local world = require "tests.world"
local fetch = dofile("data/fetch.lua")
local sh, list, refused, raises = world.sh, world.list, world.refused, world.raises

local temp -- this spec's own folder

setup(function() temp = world.new() end)
teardown(function() world.remove(temp) end)

local function put(name, content) return world.put(temp, name, content) end

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
    local bytes = shell.read("data/sample/data_batch_2.bin")
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
      local content = change(shell.read(path))
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
      { { train = 49001 }, "train + val" },
      { { sample = true, train = 301 }, "'train'", "the sample has 300 images to train", "100 to test" },
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
    local content = shell.read(path)
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
    local bad = shell.read("data/sample/data_batch_3.bin")
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
