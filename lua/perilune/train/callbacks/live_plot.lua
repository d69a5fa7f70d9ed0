-- LivePlot: the curves so far, drawn anew after every epoch.
local check = require "perilune.check"
local Callback = require "perilune.train.callbacks.callback"

--- Writes the curves of the history to a PNG file after every epoch, atomically. An image viewer that
--- watches its file shows them grow.
---@class LivePlot: Callback
---@field filepath string "history.png" by default
---@field title string|false
---@field every integer draws every so many epochs, 1 by default
local LivePlot = Callback:extend("LivePlot", { "filepath", title = false, every = 1 })

-- pl.plot.history, which lives beside this room; perilune/init.lua puts it here.
LivePlot.draw = nil

function LivePlot:init(fn)
  self.filepath = self.filepath or "history.png"
  check.arg(type(self.filepath) == "string", fn, "filepath", "a path", self.filepath)
  self.every = check.integer(self.every, fn, "every", 1)
end

local function draw(self)
  local figure = LivePlot.draw(self.model.history, { title = self.title or nil })
  local ok, message = figure:save(self.filepath)
  if not ok then self:warn(message) end
  self.fresh = true
end

function LivePlot:on_epoch_end(epoch)
  self.fresh = false
  if epoch % self.every == 0 then draw(self) end
end

function LivePlot:on_train_end()
  if self.fresh == false then draw(self) end
end

return LivePlot
