-- What the two-layer scripts share in talking to a person: options, a progress line, tables, targets.
local pl = require "perilune"

local console = {}

--- Reads `--name value` and `--flag` from the command line; prints a help page for --help. What cannot be
--- read ends the program with status 2.
---@param purpose string first line of the help page
---@param known { [1]: string, [2]: any, [3]: string }[] name, default (false for a flag), meaning
---@return table<string, any> options by name; numbers where the default is one
function console.options(purpose, known)
  local options, defaults = {}, {}
  for _, option in ipairs(known) do
    options[option[1]], defaults[option[1]] = option[2], option[2]
  end
  local function fail(...)
    io.stderr:write(string.format(...), "; --help lists the options\n")
    os.exit(2, true)
  end
  local i = 1
  while arg[i] do
    local name = arg[i]:match("^%-%-(.+)$")
    local default = defaults[name]
    if arg[i] == "--help" or arg[i] == "-h" then
      print(purpose)
      for _, option in ipairs(known) do
        local note = option[2] and option[2] ~= "" and (" (%s)"):format(option[2]) or ""
        print(("  --%-10s %s%s"):format(option[1], option[3], note))
      end
      os.exit(0, true)
    elseif default == nil then
      fail("unknown option %s", arg[i])
    elseif default == false then
      options[name] = true
    else
      i = i + 1
      local value = arg[i]
      if type(default) == "number" then value = math.tointeger(tonumber(value)) end
      if not value or (type(value) == "number" and value < 0) then
        fail("--%s needs a %s", name, type(default) == "number" and "whole number" or "value")
      end
      options[name] = value
    end
    i = i + 1
  end
  return options
end

local on_terminal

--- A line that says how far a task is: rewritten in place on a terminal, and elsewhere (a file, a pipe)
--- written anew every ten seconds.
---@param label string
---@return fun(done: integer, total: integer, note: string) update; with done == total it ends the line
function console.progress(label)
  if on_terminal == nil then on_terminal = os.execute("test -t 1") == true end
  local start = pl.clock()
  local last = on_terminal and 0 or start
  return function(done, total, note)
    local now = pl.clock()
    if done < total and now - last < (on_terminal and 0.1 or 10) then return end
    last = now
    local time = done < total and ("%.0f s left"):format((now - start) / done * (total - done))
      or ("%.1f s"):format(now - start)
    local line = ("  %s  %3d %%  %s  %s"):format(label, 100 * done // total, note, time)
    io.write(on_terminal and "\r\27[K" or "", line, on_terminal and done < total and "" or "\n")
    io.flush()
  end
end

--- Ends the program with status 1 and the message when the world refused (a disk full, a folder not ours).
---@param ok any
---@param message? string
---@return any ok
function console.must(ok, message)
  if not ok then
    io.stderr:write("\n", message, "\n")
    os.exit(1, true)
  end
  return ok
end

--- Text filled up with spaces to a width in characters.
function console.pad(text, width)
  return text .. (" "):rep(width - utf8.len(text))
end

function console.heading(text)
  print("\n" .. text .. "\n" .. ("-"):rep(utf8.len(text)))
end

--- A Markdown table with aligned columns, numbers to the right.
---@param rows string[][] the first one holds the headings
---@return string
function console.table(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for column, cell in ipairs(row) do widths[column] = math.max(widths[column] or 3, utf8.len(cell)) end
  end
  for i, row in ipairs(rows) do
    local cells, rule = {}, {}
    for column, cell in ipairs(row) do
      local space = (" "):rep(widths[column] - utf8.len(cell))
      local is_text = column == 1
      cells[column] = is_text and cell .. space or space .. cell
      rule[column] = is_text and ("-"):rep(widths[column]) or ("-"):rep(widths[column] - 1) .. ":"
    end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
    if i == 1 then lines[#lines + 1] = "| " .. table.concat(rule, " | ") .. " |" end
  end
  return table.concat(lines, "\n")
end

--- 0.5312 as "53.1 %".
function console.percent(fraction)
  return ("%.1f %%"):format(100 * fraction)
end

return console
