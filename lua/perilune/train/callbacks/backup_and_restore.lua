-- BackupAndRestore: a training that is killed goes on where its last backup was made.
local check = require "perilune.check"
local Callback = require "perilune.train.callbacks.callback"

--- Keeps all that the rest of the training depends on in `filepath`: weights, optimizer, generators, epoch
--- and step, the state of the other callbacks, history. When fit starts and the file is there, it goes on
--- from it, and ends with the very bits of a training that was never killed. The file is removed at the
--- end, unless Ctrl-C was the end.
---@class BackupAndRestore: Callback
---@field filepath string
---@field save_freq "epoch"|integer an integer: after every so many steps, too
---@field delete_checkpoint boolean true
---@field verbose integer 1 says where it goes on
---@field resumed { epoch: integer, step: integer }? where this fit went on
local BackupAndRestore = Callback:extend("BackupAndRestore", {
  "filepath", save_freq = "epoch", delete_checkpoint = true, verbose = 1,
})

BackupAndRestore.last = true -- called after the others, whose state it keeps

function BackupAndRestore:init(fn)
  check.arg(type(self.filepath) == "string", fn, "filepath", "a path", self.filepath)
  if self.save_freq ~= "epoch" then
    check.arg(math.type(self.save_freq) == "integer" and self.save_freq > 0, fn, "save_freq",
      '"epoch" or a number of steps', self.save_freq)
  end
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

function BackupAndRestore:on_train_begin()
  self.resumed = nil
  if not exists(self.filepath) then return end
  local ok, message = self.run:restore(self.filepath)
  if not ok then
    check.raise("BackupAndRestore: cannot go on from the backup: %s; remove it to start anew", message)
  end
  self.resumed = { epoch = self.run.epoch, step = self.run.step }
  self:say("BackupAndRestore: going on after epoch %d%s, from %s", self.run.epoch,
    self.run.step > 0 and (", step %d"):format(self.run.step) or "", self.filepath)
end

local function save(self)
  local ok, message = self.run:backup(self.filepath)
  if not ok then self:warn(message) end
end

function BackupAndRestore:on_batch_end(step)
  if self.save_freq ~= "epoch" and step % self.save_freq == 0 and step < self.params.steps then save(self) end
end

function BackupAndRestore:on_epoch_end() save(self) end

function BackupAndRestore:on_train_end(logs)
  if self.delete_checkpoint and not logs.interrupted then os.remove(self.filepath) end
end

return BackupAndRestore
