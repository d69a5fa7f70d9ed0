-- The files of CIFAR-10: where they lie, what has to be in them, how records become images.
-- A record is 1 label byte (0 to 9), then 1,024 red, 1,024 green, 1,024 blue bytes, row-major.
-- Shared by pl.data.cifar10 and data/fetch.lua; no file is used before its MD5 has been checked.

local core = require "perilune.core"

local files = {}

files.SIDE = 32
files.PIXELS = 1024
files.RECORD = 1 + 3 * files.PIXELS

files.class_names = {
  "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
}

---@class CifarFile
---@field name string
---@field count integer records in the file
---@field md5 string

--- Train files in order, then the test file.
---@type CifarFile[]
files.official = {
  { name = "data_batch_1.bin", count = 10000, md5 = "5dd7e06a14cb22eb9f671a540d1b7c25" },
  { name = "data_batch_2.bin", count = 10000, md5 = "5ea93a67294ea407fff1d09f752e9692" },
  { name = "data_batch_3.bin", count = 10000, md5 = "942cd6a4bcdd0dd3c604fbe906cb4421" },
  { name = "data_batch_4.bin", count = 10000, md5 = "ae636b3ba5c66a11e91e8cb52e771fcb" },
  { name = "data_batch_5.bin", count = 10000, md5 = "53f37980c15c3d472c316c40844f3f0d" },
  { name = "test_batch.bin", count = 10000, md5 = "803d5f7f4d78ea53de84dbe85f74fb6d" },
}

--- The sample in data/sample: of each class the first 6 of every train file, the first 10 of the test file.
---@type CifarFile[]
files.sample = {
  { name = "data_batch_1.bin", count = 60, md5 = "b0cf27c49b3de7230c2fb9962289afe3" },
  { name = "data_batch_2.bin", count = 60, md5 = "8ffa60075345ee2d61628139302b9b9e" },
  { name = "data_batch_3.bin", count = 60, md5 = "f07bb4a019bc6e92fe1f4bdfc80b6237" },
  { name = "data_batch_4.bin", count = 60, md5 = "59dc6d0608d6d62265886e782ea9d12c" },
  { name = "data_batch_5.bin", count = 60, md5 = "47ccfcecd639535a2f157903d6304e38" },
  { name = "test_batch.bin", count = 100, md5 = "30a5c29275fe6bbdfd8191279842891f" },
}

--- The folder data/ that belongs to this library, when it lies in its checkout.
local function own_data_folder()
  local source = debug.getinfo(1, "S").source:match("^@(.*)lua/perilune/data/[^/]*$")
  return source and source .. "data"
end

--- The folders that PERILUNE_DATA can mean; none when it is not set.
---@return string[] folders
function files.named_folders()
  local named = os.getenv("PERILUNE_DATA")
  if not named or named == "" then return {} end
  return { named .. "/cifar-10-batches-bin", named }
end

--- Where to look for the official files or for the sample, best first.
---@param sample boolean
---@return string[] folders
function files.folders(sample)
  local folders, seen = {}, {}
  local function add(folder)
    if not seen[folder] then
      folders[#folders + 1], seen[folder] = folder, true
    end
  end
  local own = own_data_folder()
  if sample then
    add("data/sample")
    if own then add(own .. "/sample") end
    return folders
  end
  for _, folder in ipairs(files.named_folders()) do add(folder) end
  add("data/cifar-10-batches-bin")
  if own then add(own .. "/cifar-10-batches-bin") end
  return folders
end

--- Any of the set's files is there, whatever is in it.
---@param folder string
---@param set CifarFile[]
---@return boolean
function files.present(folder, set)
  for _, file in ipairs(set) do
    if core.file_size(folder .. "/" .. file.name) then return true end
  end
  return false
end

--- Checks that bytes are what the file has to be.
---@param where string path for messages
---@param file CifarFile
---@param records Tensor uint8 {count, 3073}
---@return true? ok
---@return string? message
function files.check(where, file, records)
  local highest = records:select(2, 1):max()
  if highest > 9 then
    return nil, ("%s: expected labels from 0 to 9, got %d"):format(where, highest)
  end
  local md5 = core.md5(records)
  if md5 ~= file.md5 then
    return nil, ("%s: damaged: expected MD5 %s, got %s"):format(where, file.md5, md5)
  end
  return true
end

--- Reads one file whole and checks its size, labels and MD5.
---@param path string
---@param file CifarFile
---@return Tensor? records uint8 {count, 3073}
---@return string? message
function files.read(path, file)
  local size, message = core.file_size(path)
  if not size then return nil, message end
  if size ~= file.count * files.RECORD then
    return nil, ("%s: expected %d bytes, got %d"):format(path, file.count * files.RECORD, size)
  end
  local records
  records, message = core.read_tensor(path, 0, "uint8", { file.count, files.RECORD })
  if not records then return nil, message end
  local ok
  ok, message = files.check(path, file, records)
  if not ok then return nil, message end
  return records
end

--- Checks a whole folder.
---@param folder string
---@param set CifarFile[]
---@return true? ok
---@return string? message about the first file that is wrong
function files.verify(folder, set)
  for _, file in ipairs(set) do
    local records, message = files.read(folder .. "/" .. file.name, file)
    if not records then return nil, message end
  end
  return true
end

--- Copies records into images: planes of red, green, blue become pixels.
---@param records Tensor uint8 {n, 3073}
---@param images Tensor uint8 {n, 32, 32, 3}, contiguous: filled
function files.unpack_images(records, images)
  local n = records:size(1)
  local pixels = images:reshape(n, files.PIXELS, 3)
  for channel = 1, 3 do
    local plane = records:narrow(2, 2 + (channel - 1) * files.PIXELS, files.PIXELS)
    pixels:select(3, channel):copy_(plane)
  end
end

--- The inverse: makes records from pixels and their labels.
---@param pixels Tensor uint8 {n, 1024, 3}
---@param labels Tensor uint8 {n}: 0 to 9, as in the file
---@return Tensor records uint8 {n, 3073}
function files.pack_records(pixels, labels)
  local n = pixels:size(1)
  local records = core.empty({ n, files.RECORD }, "uint8")
  records:select(2, 1):copy_(labels)
  for channel = 1, 3 do
    local plane = records:narrow(2, 2 + (channel - 1) * files.PIXELS, files.PIXELS)
    plane:copy_(pixels:select(3, channel))
  end
  return records
end

return files
