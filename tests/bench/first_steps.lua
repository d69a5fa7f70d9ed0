-- A process of the bench: perilune first_steps.lua NET PADDING FILE STEPS reads 32 images from a file of
-- CIFAR-10, trains, and prints its memory at its highest, in KB.
package.path = "scripts/?.lua;" .. package.path
local core = require "perilune.core"
local pl = require "perilune"
local convnets = require "nets.convnets"

local net, padding, path, steps = table.unpack(arg)
local records = pl.frombytes(assert(core.read_file(path)):sub(1, 32 * 3073), "uint8", { 32, 3073 })
local x = records[{ {}, { 2, -1 } }]:reshape(32, 3, 32, 32):permute(1, 3, 4, 2):float() / 255
local y = records[{ {}, 1 }]:int() + 1
local model = convnets[net] { padding = padding }
model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy" }
for _ = 1, tonumber(steps) do model:train_on_batch(x, y) end
for line in io.lines "/proc/self/status" do
  local highest = line:match "^VmHWM:%s*(%d+)"
  if highest then print(highest) end
end
