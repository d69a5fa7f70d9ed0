-- LambdaCallback: a callback made of functions given by name.
local check = require "perilune.check"
local Callback = require "perilune.train.callbacks.callback"

local NAMES <const> = {
  "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end",
}

local options = {}
for _, name in ipairs(NAMES) do options[name] = false end

--- `LambdaCallback{ on_epoch_end = function(epoch, logs) print(epoch, logs.loss) end }`. The functions are
--- those of every callback, without `self`: on_train_begin(logs), on_epoch_begin(epoch, logs), …
---@class LambdaCallback: Callback
local LambdaCallback = Callback:extend("LambdaCallback", options)

function LambdaCallback:init(fn)
  for _, name in ipairs(NAMES) do
    local given = rawget(self, name)
    check.arg(not given or type(given) == "function", fn, name, "a function", given)
    if given then self[name] = function(_, ...) return given(...) end end
  end
end

return LambdaCallback
