-- CIFAR-10 for the scripts, or, loudly, the small sample that comes with perilune.
local pl = require "perilune"

local cifar = {}

--- Loads what is wanted of the real data; where it is not, or the sample is asked for, the sample.
---@param options { dir: string?, sample: boolean? } an empty dir is none
---@param wanted table as for pl.data.cifar10; the sample goes by it but for its counts
---@return Cifar data, boolean is_real
function cifar.load(options, wanted)
  local full, few = {}, { sample = true }
  for name, value in pairs(wanted) do
    full[name] = value
    if math.type(value) ~= "integer" then few[name] = value end
  end
  if not options.sample then
    full.dir = options.dir ~= "" and options.dir or nil
    local data, problem = pl.data.cifar10(full)
    if data then return data, true end
    local bar = ("!"):rep(100)
    print(bar .. "\n!! CIFAR-10 is not here: " .. problem)
    print("!! Working on the committed sample of 400 images instead. Its accuracies mean nothing.\n" .. bar)
  end
  return assert(pl.data.cifar10(few)), false
end

return cifar
