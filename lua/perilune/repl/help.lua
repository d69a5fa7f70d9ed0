--- help: the documentation of a function, made from the LuaCATS comments above it in the source.
-- What is written in C has its comments in lua/perilune/meta/. Returns texts, prints nothing.

local check = require "perilune.check"
local complete = require "perilune.repl.complete"
local core = require "perilune.core"

local help = {}

local tour = [[
Tensors
  x = pl.zeros(2, 3)             also ones, full, eye, arange(1, 9), linspace(0, 1, 5)
  x = pl.tensor{ {1, 2}, {3, 4} }
  r = pl.rng(1); x = r:randn(4, 5)
  x:sum()  x:mean(1)  x:max(-1)  axes and indices count from 1; -1 is the last axis
  x + 1, x * x, x:matmul(y)      arithmetic broadcasts; comparison is x:gt(0)
  x[2], x[{ {1, 3}, {} }]        a row, a slice: views that share their numbers

The prompt
  an expression prints its value, and _ is the last one printed; a line may go on over several
  a local lives on after its line, as a global does
  Tab completes names, fields and methods; the arrow keys walk through what was typed before
  Ctrl-C stops a computation; Ctrl-D leaves

Help
  help(pl.zeros)   help "tensor.reshape"   help(x.sum)   help(pl.plot)   help(pl)]]

-- ---- the comments in a source file ------------------------------------------------------------

local files = {}

--- The definitions of a file: list of {line, name, args, comment = {lines}}, and its banner.
local function read_source(path)
  if files[path] then return files[path] end
  local file = io.open(path, "r")
  if not file then return { definitions = {}, banner = {} } end
  local definitions, banner, comment, number, in_banner = {}, {}, {}, 0, true
  for line in file:lines() do
    number = number + 1
    local text = line:match("^%s*%-%-%-?(.*)$")
    if text then
      if in_banner then banner[#banner + 1] = text:gsub("^ ", "") else comment[#comment + 1] = text end
    else
      if in_banner and line:match("^%s*$") == nil and #banner > 0 then comment = banner end
      in_banner = false
      local name, args = line:match("^%s*function%s+([%w_.:]+)%s*%((.-)%)")
      if not name then name, args = line:match("^%s*local%s+function%s+([%w_]+)%s*%((.-)%)") end
      if not name then name, args = line:match("^%s*([%w_.]+)%s*=%s*function%s*%((.-)%)") end
      if not name then name = line:match("^%s*([%w_.]+)%s*=") end
      if name then
        definitions[#definitions + 1] = { line = number, name = name, args = args, comment = comment }
      end
      comment = {}
    end
  end
  file:close()
  files[path] = { definitions = definitions, banner = banner }
  return files[path]
end

--- The definitions in the files that document what is written in C or made by a function.
local function meta_definitions()
  local definitions = {}
  for _, name in ipairs { "tensor", "layers", "functions", "random", "losses" } do
    local path = package.searchpath("perilune.meta." .. name, package.path)
    local found = path and read_source(path).definitions or {}
    table.move(found, 1, #found, #definitions + 1, definitions)
  end
  return definitions
end

local function last_name(name) return name:match("([%w_]+)$") end

-- ---- from a value to its definition -----------------------------------------------------------

--- Where the library offers a function: its name, what to call it by, and the class it belongs to.
local function public_name(value)
  for name, method in pairs(core.methods) do
    if rawequal(method, value) then return name, "t:" .. name, "Tensor" end
  end
  local pl = require "perilune"
  for name, field in next, pl do
    if rawequal(field, value) then return name, "pl." .. name, "pl" end
  end
  local found -- of two names for one function the longer says more: mean_squared_error, mse
  for module, loaded in pairs(package.loaded) do
    if module:match("^perilune%.") and type(loaded) == "table" then
      for name, field in next, loaded do
        if rawequal(field, value) and (not found or #name > #found[1]) then
          found = { name, module:gsub("^perilune", "pl") .. "." .. name }
        end
      end
    end
  end
  if found then return found[1], found[2] end
  for name, method in pairs(core.generator or {}) do
    if rawequal(method, value) then return name, "r:" .. name, "Generator" end
  end
end

--- The comment above a Lua function; for one written in C, the comment that stands in for it.
local IN_PLACE <const> = " In place: the tensor itself gets the result, and is returned."

local function find_definition(value, name, class)
  local info = debug.getinfo(value, "S")
  if info.source:sub(1, 1) == "@" then
    for _, definition in ipairs(read_source(info.source:sub(2)).definitions) do
      if definition.line == info.linedefined and #definition.comment > 0 then return definition end
    end
  end
  local in_place = name and core.methods[name] and name:match("^(.+)_$")
  if in_place and core.methods[in_place] then
    local definition = find_definition(core.methods[in_place], in_place, "Tensor")
    if definition then
      local comment = table.move(definition.comment, 1, #definition.comment, 2, { IN_PLACE })
      return { name = definition.name, args = definition.args, comment = comment }
    end
  end
  for _, definition in ipairs(name and meta_definitions() or {}) do
    local owner, own_name = definition.name:match("^(.-)[.:]?([%w_]+)$")
    local fits = own_name == name and (class == nil or owner == class)
    if fits and #definition.comment > 0 then return definition end
  end
end

-- ---- from a definition to text ----------------------------------------------------------------

local function wrapped(text, indent, width)
  local lines, line = {}, indent
  for word in text:gmatch("%S+") do
    if #line > #indent and #line + #word + 1 > width then
      lines[#lines + 1], line = line, indent
    end
    line = line .. (#line > #indent and " " or "") .. word
  end
  if #line > #indent then lines[#lines + 1] = line end
  return table.concat(lines, "\n")
end

--- A LuaCATS type ends at the first blank that is not inside brackets or after a comma, | or :.
local function split_type(text)
  local depth, i = 0, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c:match("[%(%{%[<]") then depth = depth + 1 end
    if c:match("[%)%}%]>]") then depth = depth - 1 end
    if c == " " and depth == 0 and not text:sub(1, i - 1):match("[,|:]$") then break end
    i = i + 1
  end
  return text:sub(1, i - 1), text:sub(i + 1)
end

--- The lines of a comment, those of a tag whose brackets are still open joined to it.
local function logical_lines(comment)
  local lines, open = {}, 0
  for _, line in ipairs(comment) do
    if open > 0 then
      lines[#lines] = lines[#lines] .. " " .. line:match("^%s*(.-)%s*$")
    else
      lines[#lines + 1] = line
    end
    local last = lines[#lines]
    local _, opened = last:gsub("[%(%[{]", "")
    local _, closed = last:gsub("[%)%]}]", "")
    open = last:match("^%s*@") and opened - closed or 0
  end
  return lines
end

local function parse_comment(comment)
  local doc = { prose = {}, params = {}, returns = {}, overloads = {} }
  for _, line in ipairs(logical_lines(comment)) do
    local tag, rest = line:match("^%s*@(%a+)%s*(.*)$")
    if tag == "param" then
      local name, after = rest:match("^(%S+)%s*(.*)$")
      local kind, text = split_type(after or "")
      doc.params[#doc.params + 1] = { name = name, kind = kind, text = text }
    elseif tag == "return" then
      local kind, text = split_type(rest)
      doc.returns[#doc.returns + 1] = { kind = kind, text = text }
    elseif tag == "overload" then
      doc.overloads[#doc.overloads + 1] = rest:gsub("^fun", "")
    elseif not tag then
      doc.prose[#doc.prose + 1] = line:gsub("^%s", "")
    end
  end
  return doc
end

local function signature(title, definition, doc)
  local names = {}
  for _, param in ipairs(doc.params) do
    if param.name ~= "self" then
      names[#names + 1] = param.name:sub(-1) == "?" and "[" .. param.name:sub(1, -2) .. "]" or param.name
    end
  end
  local args = #names > 0 and table.concat(names, ", ") or definition.args or ""
  return ("%s(%s)"):format(title, (args:gsub("^self,?%s*", "")))
end

local function append_prose(out, prose, width)
  local paragraph = {}
  local function flush()
    if #paragraph > 0 then out[#out + 1] = wrapped(table.concat(paragraph, " "), "  ", width) end
    paragraph = {}
  end
  for _, line in ipairs(prose) do
    if line:match("^%s*$") or line:match("^%s%s") then -- a blank or an indented line stands alone
      flush()
      if line:match("%S") then out[#out + 1] = "  " .. line end
    else
      paragraph[#paragraph + 1] = line
    end
  end
  flush()
end

local function definition_text(title, definition, width)
  local doc = parse_comment(definition.comment)
  local out = { signature(title, definition, doc) }
  for _, overload in ipairs(doc.overloads) do out[#out + 1] = "also: " .. title .. overload end
  append_prose(out, doc.prose, width)
  for _, param in ipairs(doc.params) do
    local optional = param.name:sub(-1) == "?" and ", optional" or ""
    local line = ("%s: %s%s"):format(param.name:gsub("%?$", ""), param.kind, optional)
    out[#out + 1] = wrapped(line .. (param.text ~= "" and "; " .. param.text or ""), "    ", width)
  end
  for _, result in ipairs(doc.returns) do
    out[#out + 1] = wrapped("returns " .. result.kind .. (result.text ~= "" and ": " .. result.text or ""),
      "    ", width)
  end
  return table.concat(out, "\n")
end

-- ---- what can be asked -------------------------------------------------------------------------

local function first_sentence(definition)
  local prose = definition and table.concat(parse_comment(definition.comment).prose, " ") or ""
  return (prose:match("^(.-[.:])%s") or prose):gsub(":$", "")
end

local function function_text(value, asked, width)
  local name, title, class = public_name(value)
  local definition = find_definition(value, name or (asked and last_name(asked)), class)
  title = title or asked or (definition and definition.name) or "this function"
  if definition then return definition_text(title, definition, width) end
  local info = debug.getinfo(value, "S")
  if info.what == "C" then return title .. ": a function written in C, without documentation here" end
  return ("%s: a function without a comment, at %s:%d"):format(title, info.short_src, info.linedefined)
end

--- One line a name: what a module, a class or a tensor offers. Of a class of layers, losses, … without what
--- it only has for its own use, which has no comment.
local function listing(owner, mark, width, class)
  local out, widest, names = {}, 0, complete.names_in(owner)
  if rawget(owner, "options") and rawget(owner, "__name") then
    for i = #names, 1, -1 do
      local value = owner[names[i]]
      if type(value) ~= "function" or not find_definition(value, names[i]) then table.remove(names, i) end
    end
  end
  for _, name in ipairs(names) do widest = math.max(widest, #name) end
  for _, name in ipairs(names) do
    local ok, value = pcall(function() return owner[name] end)
    local method_too = owner == require "perilune" and core.methods[name]
    if ok and name:sub(1, 1) ~= "_" and not method_too then
      local definition = type(value) == "function" and find_definition(value, name, class)
      local about = definition and first_sentence(definition) or "a " .. type(value)
      local line = ("  %s%s%s  %s"):format(mark, name, (" "):rep(widest - #name), about)
      local cut = #line > width and utf8.offset(line, width - 1)
      out[#out + 1] = cut and line:sub(1, cut - 1) .. "…" or line
    end
  end
  return table.concat(out, "\n")
end

local function table_text(value, width)
  local out = {}
  for module, loaded in pairs(package.loaded) do
    if rawequal(loaded, value) then
      local path = package.searchpath(module, package.path)
      if path then append_prose(out, read_source(path).banner, width) end
      break
    end
  end
  out[#out + 1] = listing(value, "", width)
  if value == require "perilune" then
    out[#out + 1] = "  Every method of a tensor is a function here too, see help 'tensor'."
  end
  return table.concat(out, "\n")
end

local function tensor_text(width)
  local methods = listing(core.methods, "t:", width, "Tensor")
  return "A tensor: numbers of one dtype in a shape. Its methods:\n" .. methods
end

local function named_value(name)
  local value = require "perilune"
  for part in name:gsub("^pl%f[.:]", ""):gmatch("[%w_]+") do
    local ok, field = pcall(function() return value[part] end)
    if not ok or field == nil then return nil end
    value = field
  end
  return value
end

local MOST <const> = 8 -- names that are told

-- What there is under names that have this one in them, layers first.
local function names_with(name)
  local pl, part, found = require "perilune", name:lower(), {}
  for _, place in ipairs { { "nn.", pl.nn }, { "pl.", pl } } do
    for _, known in ipairs(complete.names_in(place[2])) do
      if known:lower():find(part, 1, true) and #found < MOST then found[#found + 1] = place[1] .. known end
    end
  end
  return found
end

local function text_for_name(asked, width)
  local name = asked:match("^%s*(.-)%s*$"):gsub("%(.*$", "")
  if name == "pl" or name == "perilune" then return table_text(require "perilune", width) end
  if name:lower() == "tensor" then
    return function_text(require("perilune").tensor, "pl.tensor", width) .. "\n\n" .. tensor_text(width)
  end
  local method = name:match("^[%a_][%w_]*[.:]([%w_]+)$")
  local value = method and not name:match("^pl%.") and core.methods[method] or named_value(name)
  if value == nil then value = rawget(_G, name) end
  if type(value) == "function" then return function_text(value, name, width) end
  if type(value) == "table" then return table_text(value, width) end
  local known = complete.names_in(require "perilune")
  local near = check.nearest(last_name(name) or name, known)
  local like = not near and names_with(name) or {}
  local hint = near and ("; did you mean %s?"):format(near)
    or #like > 0 and ("; there are %s"):format(table.concat(like, ", ")) or ""
  return ("nothing is known under the name %q%s"):format(name, hint)
end

--- The text that help(...) prints.
---@param width integer
---@param ... any  nothing, a function, a name, a module or a tensor
---@return string
function help.text(width, ...)
  require "perilune.ops" -- gives tensors the methods of layers
  if select("#", ...) == 0 then return tour end
  local what = ...
  width = math.min(width, 100)
  if what == nil then return "help(nil): the name asked for stands for nothing; help() is a short tour" end
  if type(what) == "string" then return text_for_name(what, width) end
  if type(what) == "function" then return function_text(what, nil, width) end
  if core.is_tensor(what) then return core.describe(what) .. "\n" .. tensor_text(width) end
  local mt = debug.getmetatable(what)
  if type(mt) == "table" and core.generator and rawequal(rawget(mt, "__index"), core.generator) then
    return tostring(what) .. "\n" .. listing(core.generator, "r:", width, "Generator")
  end
  if type(what) == "table" or type(what) == "userdata" then return table_text(what, width) end
  return ("%s: a %s"):format(tostring(what), type(what))
end

return help
