--- repl: the prompt of build/bin/perilune. Reads a statement over as many lines as it takes, runs it,
-- prints what an expression gives, and goes on after any error until Ctrl-D.
-- Only here are there globals: pl, help, _ (the last value printed), and whatever is typed.

local terminal = require "perilune.terminal" -- from the interpreter, see core/terminal.h

local complete = require "perilune.repl.complete"
local help = require "perilune.repl.help"
local hints = require "perilune.repl.hints"
local history = require "perilune.repl.history"
local show = require "perilune.repl.show"

local PROMPT, CONTINUED = "> ", ">> "
local CHUNK = "=prompt"
local MAX_FRAMES = 6

local leave = { exit = true, quit = true, ["exit()"] = true, ["quit()"] = true }
local colours = terminal.isatty(2) and not os.getenv("NO_COLOR") and os.getenv("TERM") ~= "dumb"

local function say_error(text)
  io.stdout:flush()
  io.stderr:write(colours and text:gsub("^%a+:?", "\27[31m%0\27[0m", 1) or text, "\n")
end

-- ---- from text to a function ------------------------------------------------------------------

--- `local x = 1` typed as a statement of its own would be forgotten at once: it is kept as a global.
local function keep_local(text)
  local rest = text:match("^%s*local%s+(.*)$")
  if not rest then return text end
  if rest:match("^function%f[%W]") then return rest end
  local names, after = {}, rest
  repeat
    local name, tail = after:match("^([%a_][%w_]*)%s*(.*)$")
    if not name then return text end
    local attribute, behind = tail:match("^<%s*(%a+)%s*>%s*(.*)$")
    if attribute == "close" then return text end
    names[#names + 1] = name
    local comma, next_name = (behind or tail):match("^(,)%s*(.*)$")
    after = comma and next_name or behind or tail
  until not comma
  local list = table.concat(names, ", ")
  if after:match("^=[^=]") or after == "=" then return list .. " " .. after end
  return list .. " = nil " .. after
end

local function incomplete(message)
  return message:find("near '?<eof>'?$") ~= nil
end

--- A function; or nil and the message; the message is false when the text goes on in another line.
local function compile(text)
  local kept = keep_local(text)
  local chunk, expression_message = load("return " .. kept, CHUNK, "t")
  if chunk then return chunk end
  local message
  chunk, message = load(kept, CHUNK, "t")
  if chunk then return chunk end
  if incomplete(message) or incomplete(expression_message) then return nil, false end
  return nil, message
end

local function last_line_is_blank(text) return text:match("\n%s*$") ~= nil end

--- A whole statement, or nil and why there is none; with it what compile made of it.
local function read_statement()
  local text, why = terminal.readline(PROMPT)
  if not text then return nil, why end
  local pasted = text:match("^> (.*)$") -- copied from a session with its prompts
  text = pasted or text
  local chunk, message = compile(text)
  local told = false
  while not chunk and message == false do
    if last_line_is_blank(text) and not told then
      told = true
      say_error("(the statement is not finished; Ctrl-C drops it)")
    end
    local more
    more, why = terminal.readline(CONTINUED)
    if not more then
      if why == "eof" then say_error("error: the statement is not finished") end
      return nil, why
    end
    text = text .. "\n" .. (pasted and more:match("^>> (.*)$") or more)
    chunk, message = compile(text)
  end
  return text, nil, chunk, message
end

-- ---- errors -----------------------------------------------------------------------------------

local library = debug.getinfo(1, "S").source:match("^(.*/)repl/[^/]*$")

local function position(frame)
  local name = frame.name and (" in %s"):format(frame.name) or ""
  return ("  at %s:%d%s"):format(frame.short_src, frame.currentline, name)
end

--- The lines of the user's own that led to the error, when they are more than what was typed.
local function user_frames(level)
  local frames = {}
  while true do
    level = level + 1
    local frame = debug.getinfo(level, "Sln")
    if not frame or frame.source:sub(-#"repl/init.lua") == "repl/init.lua" then break end
    local own = library and frame.source:sub(1, #library) == library
    if frame.what ~= "C" and not own and frame.currentline > 0 then
      if #frames < MAX_FRAMES then frames[#frames + 1] = position(frame) end
      if #frames == MAX_FRAMES then frames[#frames + 1] = "  …" end
    end
  end
  return #frames > 1 and frames or {}
end

local function explain(problem)
  local message
  if type(problem) == "string" then
    message = problem
  else
    local mt = debug.getmetatable(problem)
    local speaks = type(mt) == "table" and rawget(mt, "__tostring")
    message = speaks and select(2, pcall(tostring, problem)) or show.value(problem)
  end
  return { message = tostring(message), frames = user_frames(2) }
end

local function report(message, frames, text, is_syntax)
  local shown = message
  if not text:find("\n") then shown = message:gsub("^prompt:1: ", "") end
  if shown:find("interrupted!$") then
    shown = "interrupted"
  else
    shown = "error: " .. shown
  end
  local lines = { shown }
  local hint = hints.find(message, text, is_syntax)
  if hint then lines[#lines + 1] = "  " .. hint end
  table.move(frames, 1, #frames, #lines + 1, lines)
  say_error(table.concat(lines, "\n"))
end

-- ---- values -----------------------------------------------------------------------------------

--- A figure or an image can draw itself on a terminal.
local function drawing(value)
  local kind = type(value)
  if (kind ~= "table" and kind ~= "userdata") or not terminal.isatty(1) then return nil end
  local ok, ansi = pcall(function() return value.ansi end)
  if not ok or type(ansi) ~= "function" then return nil end
  return ansi(value, terminal.width())
end

local function print_results(results, text)
  if results.n > 0 and results[1] ~= nil then _G._ = results[1] end
  if results.n == 0 or (results.n == 1 and results[1] == nil) then
    local word = results.n == 1 and hints.undefined(text)
    if word then io.write(word, "\n") end
    return
  end
  local picture = results.n == 1 and drawing(results[1])
  local shown = picture or show.results(results, terminal.width())
  if shown then io.write(shown, shown:sub(-1) == "\n" and "" or "\n") end
end

local function run(chunk, text)
  local ok, problem = terminal.call(function() print_results(table.pack(chunk()), text) end, explain)
  if not ok then
    if type(problem) ~= "table" then problem = { message = tostring(problem), frames = {} } end
    report(problem.message, problem.frames, text, false)
  end
  io.stdout:flush()
end

-- ---- the session ------------------------------------------------------------------------------

local function open_line_editing()
  if not terminal.edits() then return function() end end
  local entries, add = history.open(terminal.make_dir)
  for _, entry in ipairs(entries) do terminal.remember(entry) end
  terminal.on_complete(function(text) return complete.answer(text, terminal.width()) end)
  return function(entry)
    terminal.remember(entry)
    add(entry)
  end
end

--- Serves the prompt until Ctrl-D.
---@param quiet boolean  say nothing before the first prompt
return function(quiet)
  local pl = require "perilune"
  _G.pl = pl
  _G.help = function(...) io.write(help.text(terminal.width(), ...), "\n") end
  if not quiet and terminal.isatty(1) then
    io.write(("perilune %s, %s. pl is the library, help() a short tour, Ctrl-D leaves.\n")
      :format(pl.version or "", _VERSION))
  end
  local remember = open_line_editing()
  while true do
    local text, why, chunk, message = read_statement()
    if not text then
      if why == "eof" then return end
    elseif leave[text:match("^%s*(.-)%s*$")] and rawget(_G, text:match("%a+")) == nil then
      return
    elseif text:find("%S") then
      remember(text)
      if chunk then run(chunk, text) else report(message, {}, text, true) end
    end
  end
end
