-- safetensors: named tensors in one file, the format that Python's `safetensors` reads and writes.
--   8 bytes: length of the header, little-endian; the header: JSON, {"name": {"dtype", "shape",
--   "data_offsets"}} and "__metadata__" (strings); then the numbers, row-major, little-endian, without gaps.
-- What save writes carries an MD5 over header and numbers in its metadata, so load finds any flipped bit;
-- files from elsewhere do without. load trusts nothing: every length is checked before it is used.

local core = require "perilune.core"
local check = require "perilune.check"
local json = require "perilune.data.json"

local safetensors = {}

-- In the order in which the format's own writer puts them: wide ones first, so that all are aligned.
local FORMAT_NAMES = { float64 = "F64", float32 = "F32", int32 = "I32", uint8 = "U8" }
local ORDER = { float64 = 1, float32 = 2, int32 = 3, uint8 = 4 }
local DTYPES = { F64 = "float64", F32 = "float32", I32 = "int32", U8 = "uint8" }
local SIZES = { float64 = 8, float32 = 4, int32 = 4, uint8 = 1 }

local MAX_HEADER = 100000000 -- the limit of the format's own reader
local MAX_RANK = 6
local MAX_ELEMENTS = 1 << 53
-- Two keys, so that a bit flipped in either name still leaves the other to give it away.
local MARK, MARK_VALUE, CHECKSUM = "perilune", "1", "perilune.md5"
local BLANK = ("0"):rep(32)

-- ---- writing ---------------------------------------------------------------------------------------

local function check_tensors(tensors)
  check.arg(type(tensors) == "table", "save", "tensors", "a table of tensors by name", tensors)
  for name, tensor in pairs(tensors) do
    check.arg(type(name) == "string" and utf8.len(name) ~= nil, "save", "tensors",
      "names that are UTF-8 strings", name)
    check.arg(name ~= "__metadata__", "save", "tensors", "a name other than the format's own", name)
    check.arg(core.is_tensor(tensor), "save", ("tensors[%q]"):format(name), "a tensor", tensor)
  end
end

local function check_metadata(metadata)
  check.arg(type(metadata) == "table", "save", "metadata", "a table of strings by name", metadata)
  for key, value in pairs(metadata) do
    check.arg(type(key) == "string" and utf8.len(key) ~= nil, "save", "metadata",
      "keys that are UTF-8 strings", key)
    check.arg(key ~= MARK and key ~= CHECKSUM, "save", "metadata", "a key other than perilune's own", key)
    check.arg(type(value) == "string" and utf8.len(value) ~= nil, "save", ("metadata[%q]"):format(key),
      "a UTF-8 string", value)
  end
end

local function sorted_names(tensors)
  local names = {}
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local order_a, order_b = ORDER[tensors[a]:dtype()], ORDER[tensors[b]:dtype()]
    if order_a ~= order_b then return order_a < order_b end
    return a < b
  end)
  return names
end

local function metadata_json(metadata, checksum)
  local keys, values = {}, {}
  for key, value in pairs(metadata) do
    keys[#keys + 1], values[key] = key, value
  end
  keys[#keys + 1], values[MARK] = MARK, MARK_VALUE
  keys[#keys + 1], values[CHECKSUM] = CHECKSUM, checksum
  table.sort(keys)
  for i, key in ipairs(keys) do keys[i] = json.quote(key) .. ":" .. json.quote(values[key]) end
  return "{" .. table.concat(keys, ",") .. "}"
end

--- The file's first bytes: length and header, padded so that the numbers start at a multiple of 8.
local function header_bytes(entries, metadata, checksum)
  local header = '{"__metadata__":' .. metadata_json(metadata, checksum)
  if #entries > 0 then header = header .. "," .. table.concat(entries, ",") end
  header = header .. "}"
  header = header .. (" "):rep(-#header % 8)
  return string.pack("<I8", #header) .. header
end

--- Writes tensors to a safetensors file, atomically: the path holds its old content or all of the new.
--- Missing folders are made. The same tensors give the same bytes.
---@param path string
---@param tensors table<string, Tensor> any shapes and dtypes, views too
---@param metadata? table<string, string> free text kept with them
---@return true? ok nil when the file could not be written
---@return string? message why not
function safetensors.save(path, tensors, metadata)
  check.arg(type(path) == "string", "save", "path", "a string", path)
  metadata = metadata or {}
  check_tensors(tensors)
  check_metadata(metadata)
  local entries, pieces, offset = {}, { "" }, 0
  for i, name in ipairs(sorted_names(tensors)) do
    local tensor = tensors[name]
    local stop = offset + tensor:numel() * SIZES[tensor:dtype()]
    entries[i] = ('%s:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'):format(
      json.quote(name), FORMAT_NAMES[tensor:dtype()], table.concat(tensor:shape(), ","), offset, stop)
    pieces[i + 1] = tensor
    offset = stop
  end
  pieces[1] = header_bytes(entries, metadata, BLANK)
  pieces[1] = header_bytes(entries, metadata, core.md5(pieces))
  return core.write_file(path, pieces)
end

-- ---- reading ---------------------------------------------------------------------------------------

-- How other files begin, for those who open one by mistake.
local OTHERS <const> = {
  { "PK\3\4", "a zip archive: .npz, .keras, or PyTorch's .pt" }, { "\x93NUMPY", "a NumPy array, .npy" },
  { "\x89HDF\r\n", "HDF5, such as Keras's .h5" }, { "GGUF", "GGUF" }, { "\x89PNG", "a PNG image" },
  { "\xff\xd8\xff", "a JPEG image" }, { "\x1f\x8b", "gzip" }, { "\x80[\2-\5]", "Python's pickle" },
  { "\x7fELF", "a program" }, { "[\t\r\n -~]+$", "text" },
}

local function not_ours(first_bytes, why)
  for _, other in ipairs(OTHERS) do
    if first_bytes:find("^" .. other[1]) then
      return ("not a safetensors file, it looks like %s (%s)"):format(other[2], why)
    end
  end
  return "not a safetensors file, or damaged: " .. why
end

--- The header's text and the offset of the numbers.
local function read_header(path, size)
  if size < 8 then return nil, ("expected at least 8 bytes, got %d"):format(size) end
  local bytes, message = core.read_tensor(path, 0, "uint8", { 8 })
  if not bytes then return nil, message end
  local first = bytes:tobytes()
  local length = string.unpack("<i8", first)
  if length < 2 or length > MAX_HEADER or length > size - 8 then
    return nil, not_ours(first, ("expected a header of 2 to %d bytes, its length reads %u"):format(
      math.min(MAX_HEADER, size - 8), length))
  end
  bytes, message = core.read_tensor(path, 8, "uint8", { length })
  if not bytes then return nil, message end
  local text = bytes:tobytes()
  if text:sub(1, 1) ~= "{" then return nil, not_ours(first, "the header does not start with '{'") end
  return text, 8 + length
end

local function is_count(value)
  return math.type(value) == "integer" and value >= 0
end

local function is_array(value)
  return getmetatable(value) == json.array
end

local function is_object(value)
  return getmetatable(value) == json.object
end

--- Checks one tensor's entry; returns { name, dtype, shape, begin, stop } or nil and what is wrong.
local function check_entry(name, entry, data_size)
  if not is_object(entry) then return nil, "expected an object" end
  for key in pairs(entry) do
    if key ~= "dtype" and key ~= "shape" and key ~= "data_offsets" then
      return nil, ("unknown key %q"):format(key)
    end
  end
  local dtype = DTYPES[entry.dtype]
  if not dtype then
    return nil, ("expected dtype F64, F32, I32 or U8, got %s"):format(
      type(entry.dtype) == "string" and entry.dtype or "none")
  end
  if not is_array(entry.shape) then return nil, "expected a list as shape" end
  if #entry.shape > MAX_RANK then
    return nil, ("expected at most %d axes, got %d"):format(MAX_RANK, #entry.shape)
  end
  -- room guards the products that {0, 2^60, 2^60} would overflow on the way to 0.
  local shape, numel, room = {}, 1, MAX_ELEMENTS
  for axis, count in ipairs(entry.shape) do
    if not is_count(count) then return nil, ("axis %d of its shape is no size"):format(axis) end
    if count > room then return nil, "its shape is too large" end
    if count > 0 then room = room // count end
    shape[axis], numel = count, numel * count
  end
  local offsets = entry.data_offsets
  if not (is_array(offsets) and #offsets == 2 and is_count(offsets[1]) and is_count(offsets[2])
    and offsets[1] <= offsets[2]) then
    return nil, "expected two rising data_offsets"
  end
  if offsets[2] > data_size then
    return nil, ("ends at byte %d of the data, which has %d"):format(offsets[2], data_size)
  end
  local bytes = numel * SIZES[dtype]
  if offsets[2] - offsets[1] ~= bytes then
    return nil, ("its shape needs %d bytes, its data_offsets span %d"):format(bytes, offsets[2] - offsets[1])
  end
  return { name = name, dtype = dtype, shape = shape, begin = offsets[1], stop = offsets[2] }
end

--- Every entry, in the order of the data, which they have to fill from end to end.
local function check_entries(header, data_size)
  local entries = {}
  for name, value in pairs(header) do
    if name ~= "__metadata__" then
      local entry, message = check_entry(name, value, data_size)
      if not entry then return nil, ("tensor %q: %s"):format(name, message) end
      entries[#entries + 1] = entry
    end
  end
  table.sort(entries, function(a, b)
    if a.begin ~= b.begin then return a.begin < b.begin end
    if a.stop ~= b.stop then return a.stop < b.stop end
    return a.name < b.name
  end)
  local offset = 0
  for _, entry in ipairs(entries) do
    if entry.begin ~= offset then
      return nil, ("tensor %q: starts at byte %d of the data, expected %d (%s)"):format(
        entry.name, entry.begin, offset, entry.begin < offset and "tensors overlap" or "a gap")
    end
    offset = entry.stop
  end
  if offset ~= data_size then
    return nil, ("expected %d bytes of data, got %d"):format(offset, data_size)
  end
  return entries
end

local function check_file_metadata(metadata)
  if metadata == nil then return {} end
  if not is_object(metadata) then return nil, "__metadata__: expected an object" end
  local copy = {}
  for key, value in pairs(metadata) do
    if type(value) ~= "string" then return nil, ("__metadata__: %q: expected a string"):format(key) end
    copy[key] = value
  end
  return copy
end

--- Compares the checksum, which was taken with zeros in its own place.
local function check_sum(text, metadata, pieces)
  local expected = metadata[CHECKSUM]
  if not expected then
    if metadata[MARK] then return nil, ("damaged: its metadata lacks %s"):format(CHECKSUM) end
    return true
  end
  local entry = json.quote(CHECKSUM) .. ':"'
  local before = text:find(entry .. expected .. '"', 1, true)
  if not before or not expected:find("^" .. ("[0-9a-f]"):rep(32) .. "$") then
    return nil, ("damaged: %s is not written as perilune writes it"):format(CHECKSUM)
  end
  before = before + #entry
  pieces[1] = string.pack("<I8", #text) .. text:sub(1, before - 1) .. BLANK .. text:sub(before + 32)
  local got = core.md5(pieces)
  if got ~= expected then
    return nil, ("damaged: expected MD5 %s, got %s"):format(expected, got)
  end
  return true
end

--- load without the path in its messages.
local function load(path, size)
  local text, start = read_header(path, size)
  if not text then return nil, start end
  local header, message = json.decode(text, 8)
  if not header then return nil, "header: " .. message end
  local metadata, entries
  metadata, message = check_file_metadata(header["__metadata__"])
  if not metadata then return nil, message end
  entries, message = check_entries(header, size - start)
  if not entries then return nil, message end
  local tensors, pieces = {}, { "" }
  for i, entry in ipairs(entries) do
    local tensor
    tensor, message = core.read_tensor(path, start + entry.begin, entry.dtype, entry.shape)
    if not tensor then return nil, message end
    tensors[entry.name], pieces[i + 1] = tensor, tensor
  end
  local ok
  ok, message = check_sum(text, metadata, pieces)
  if not ok then return nil, message end
  metadata[MARK], metadata[CHECKSUM] = nil, nil
  return tensors, metadata
end

--- Reads a safetensors file, whoever wrote it. dtypes F64, F32, I32 and U8; up to 6 axes.
--- A program that rewrites a file of ours has to drop the metadata keys "perilune" and "perilune.md5".
---@param path string
---@return table<string, Tensor>? tensors nil when the file cannot be read or is damaged in any way
---@return table<string, string>|string metadata the strings kept with them; or what is wrong, with the path
function safetensors.load(path)
  check.arg(type(path) == "string", "load", "path", "a string", path)
  local size, message = core.file_size(path)
  if not size then return nil, message end
  local tensors, rest = load(path, size)
  if not tensors then
    -- What core says begins with the path already.
    if rest:sub(1, #path + 1) ~= path .. ":" then rest = path .. ": " .. rest end
    return nil, rest
  end
  return tensors, rest
end

return safetensors
