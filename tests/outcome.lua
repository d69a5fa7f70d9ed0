-- busted's output for tests/run.lua: what busted prints anyway, and each outcome, as it comes, as a line
-- of the file named by the handler's argument: success, failure, error or pending; at the very end, end.

return function(options)
  local busted = require "busted"
  local path = options.arguments[1]
  local shown = require("busted.outputHandlers." .. options.defaultOutput)(options)

  local function note(outcome)
    local file = assert(io.open(path, "a"))
    file:write(outcome, "\n")
    file:close()
    return nil, true
  end

  busted.subscribe({ "test", "end" }, function(_, _, status) return note(status) end)
  busted.subscribe({ "error" }, function(element) -- a test's own error comes with its end
    if element.descriptor ~= "it" then note("error") end
    return nil, true
  end)
  busted.subscribe({ "failure" }, function(element)
    if element.descriptor ~= "it" then note("error") end
    return nil, true
  end)
  busted.subscribe({ "suite", "end" }, function() return note("end") end)
  return shown
end
