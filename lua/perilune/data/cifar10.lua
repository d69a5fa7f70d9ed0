-- pl.data.cifar10: 60,000 small photographs of ten classes, as splits ready for a net. Reads the official
-- binary files (data/fetch.lua gets them), checks their MD5s, and normalises as fitted on the training split.

local core = require "perilune.core"
local check = require "perilune.check"
local files = require "perilune.data.cifar10_files"
local Normalizer = require "perilune.data.normalizer"

local FN = "cifar10"
local OPTIONS = {
  "train", "val", "test", "center", "scale", "standardize", "flatten", "dtype", "sample", "dir",
}

---@class CifarSplit
---@field x Tensor images {n, 32, 32, 3} or, flattened, rows {n, 3072}; uint8 or float32
---@field y Tensor int32 {n}, classes 1 to 10
local Split = {}
Split.__index = Split
Split.__name = "CifarSplit"

--- What a net takes: float32 images, normalised as asked for, with their classes.
---@param indices? Tensor int32 {b}, which ones (1 to n); all of them by default
---@param out? Tensor float32 {b, …}, contiguous: memory for the images, which may be used
---@return Tensor x float32
---@return Tensor y int32
function Split:batch(indices, out)
  local x, y = self.x, self.y
  if indices ~= nil then y = y:index_select(1, indices) end
  if x:dtype() == "uint8" and self.normalizer then return self.normalizer:apply(x, indices, out), y end
  if indices ~= nil then x = x:index_select(1, indices) end
  return x:dtype() == "uint8" and x:float() or x, y
end

-- ---- options ---------------------------------------------------------------------------------------

local function one_of(options, name, ...)
  local value, expected = options[name], {}
  for i, allowed in ipairs { ... } do
    if value == allowed then return value end
    expected[i] = ('"%s"'):format(allowed)
  end
  check.arg(value == nil, FN, name, table.concat(expected, " or ") .. " or nil", value)
end

local function boolean(options, name)
  local value = options[name]
  check.arg(value == nil or type(value) == "boolean", FN, name, "true or false", value)
  return value or false
end

local function check_options(options)
  options = check.options(FN, options, OPTIONS)
  local sample = boolean(options, "sample")
  local set = sample and files.sample or files.official
  local tests, total = set[#set].count, 0
  for i = 1, #set - 1 do total = total + set[i].count end
  local function count(name, default, low, high)
    if options[name] == nil then return default end
    local value = type(options[name]) == "number" and math.tointeger(options[name])
    check.arg(value and value >= low and value <= high, FN, name,
      ("an integer from %d to %d (the %s has %d images to train and validate on, %d to test on)"):format(
        low, high, sample and "sample" or "full set", total, tests), options[name])
    return value
  end
  local o = {
    set = set,
    sample = sample,
    dir = options.dir,
    train = count("train", sample and 250 or 49000, 1, total),
    val = count("val", sample and 50 or 1000, 0, total),
    test = count("test", sample and 100 or 1000, 0, tests),
    standardize = boolean(options, "standardize"),
    flatten = boolean(options, "flatten"),
    center = one_of(options, "center", "image", "channel"),
    scale = options.scale,
    dtype = one_of(options, "dtype", "uint8", "float32"),
  }
  if o.train + o.val > total then
    check.raise("%s: train + val: expected at most the %d images of the %straining files, got %d + %d",
      FN, total, sample and "sample's " or "", o.train, o.val)
  end
  check.arg(o.dir == nil or type(o.dir) == "string", FN, "dir", "a folder", o.dir)
  if type(o.scale) == "number" then
    check.arg(o.scale > 0 and o.scale < math.huge, FN, "scale", "a positive number", o.scale)
  else
    one_of(options, "scale", "scalar", "channel")
  end
  if o.standardize then
    check.arg(not o.center and not o.scale, FN, "standardize", "no center or scale beside it", true)
    o.center, o.scale = "image", "scalar"
  end
  o.dtype = o.dtype or ((o.center or o.scale) and "float32" or "uint8")
  return o
end

-- ---- loading ---------------------------------------------------------------------------------------

--- Fills images and labels from a list of files until they are full; nil, message when a file is bad.
local function fill(folder, set, first_file, last_file, x, y)
  local done, wanted = 0, x:size(1)
  for i = first_file, last_file do
    if done == wanted then break end
    local records, message = files.read(folder .. "/" .. set[i].name, set[i])
    if not records then return nil, message end
    local count = math.min(records:size(1), wanted - done)
    records = records:narrow(1, 1, count)
    files.unpack_images(records, x:narrow(1, done + 1, count))
    -- On disk classes count from 0.
    y:narrow(1, done + 1, count):copy_(records:select(2, 1):int() + 1)
    done = done + count
  end
  return true
end

--- All that was asked for, as bytes, from one folder.
local function read(folder, o)
  local both, side = o.train + o.val, files.SIDE
  local x, y = core.empty({ both, side, side, 3 }, "uint8"), core.empty({ both }, "int32")
  local ok, message = fill(folder, o.set, 1, #o.set - 1, x, y)
  if not ok then return nil, message end
  local test_x, test_y = core.empty({ o.test, side, side, 3 }, "uint8"), core.empty({ o.test }, "int32")
  ok, message = fill(folder, o.set, #o.set, #o.set, test_x, test_y)
  if not ok then return nil, message end
  return {
    train = { x = x:narrow(1, 1, o.train), y = y:narrow(1, 1, o.train) },
    val = { x = x:narrow(1, o.train + 1, o.val), y = y:narrow(1, o.train + 1, o.val) },
    test = { x = test_x, y = test_y },
  }
end

--- Reads the first folder that holds good files; else one message about all of them.
local function find(o)
  local folders = o.dir and { o.dir } or files.folders(o.sample)
  local problems = {}
  for _, folder in ipairs(folders) do
    if o.dir or files.present(folder, o.set) then
      local splits, message = read(folder, o)
      if splits then return splits, folder end
      problems[#problems + 1] = message
    end
  end
  if #problems > 0 then return nil, FN .. ": " .. table.concat(problems, "; ") end
  return nil, ("%s: no files in %s; %s"):format(FN, table.concat(folders, ", "),
    o.sample and "they come with perilune's sources" or "`perilune data/fetch.lua` fetches them")
end

---@class Cifar
---@field train CifarSplit
---@field val CifarSplit
---@field test CifarSplit
---@field names string[] of the classes 1 to 10
---@field normalizer Normalizer? when center or scale were asked for
---@field mean Tensor? the normalizer's
---@field std number|Tensor? the normalizer's
---@field dir string the folder that was read

--- Loads CIFAR-10. train is the first rows of the training files, val the rows after them, test the first
--- rows of the test file. Images are uint8 {n, 32, 32, 3} (row, column, red green blue) as they come, and
--- float32, normalised, once center or scale are asked for; dtype = "uint8" then keeps the bytes (a quarter
--- of the memory) and leaves it to split:batch(indices) to normalise what it returns.
---@param options? { train: integer?, val: integer?, test: integer?, center: string?, scale: string|number?,
---  standardize: boolean?, flatten: boolean?, dtype: string?, sample: boolean?, dir: string? }
---  train (49000, at least 1), val (1000), test (1000): how many images.
---  center: subtract the training "image" mean or "channel" mean. scale: divide by one standard deviation
---  ("scalar"), by one a "channel", or by a number. standardize = true: center "image", scale "scalar".
---  flatten: rows {n, 3072} instead of images. dtype: of x, "uint8" or "float32".
---  sample: the 400 images in data/sample instead (250, 50 and 100 by default). dir: the one folder to look
---  in; by default PERILUNE_DATA (or its cifar-10-batches-bin), then data/cifar-10-batches-bin.
---@return Cifar? cifar nil when there are no files or one is damaged
---@return string? message which file, what was expected, what was found
local function cifar10(options)
  local o = check_options(options)
  local cifar, message = find(o)
  if not cifar then return nil, message end
  cifar.dir, cifar.names = message, table.move(files.class_names, 1, 10, 1, {})
  local normalizer
  if o.center or o.scale then
    normalizer = Normalizer.fit(cifar.train.x, { center = o.center, scale = o.scale })
    cifar.normalizer, cifar.mean, cifar.std = normalizer, normalizer.mean, normalizer.std
  end
  for _, name in ipairs { "train", "val", "test" } do
    local split = setmetatable(cifar[name], Split)
    split.normalizer = normalizer
    if o.dtype == "float32" then split.x = split:batch() end
    if o.flatten then split.x = split.x:reshape(split.x:size(1), files.RECORD - 1) end
  end
  return cifar
end

return cifar10
