-- perilune: an embeddable neural-network framework. This table is all that a script sees; its larger
-- parts are loaded when first used, every tensor method is also a function (pl.exp(t) is t:exp()),
-- and no global is set.
local core = require "perilune.core"
core.mark_library()
local check = require "perilune.check"
local tensor = require "perilune.tensor"

local pl = {
  version = core.version,
  where = core.where,
  concatenate = core.concatenate,
  stack = core.stack,
  frombytes = core.frombytes,
  is_tensor = core.is_tensor,
  threads = core.threads,
  set_threads = core.set_threads,
  isa = core.isa,
  clock = core.clock,
}
for name, constructor in pairs(tensor) do pl[name] = constructor end

-- Tensor methods that come with the differentiable operations.
local unknown_method = core.metatable.missing
function core.metatable.missing(t, name)
  require "perilune.ops"
  return core.methods[name] or unknown_method(t, name)
end

-- Parts that are a module of their own, and functions that come out of one.
local modules = {
  autograd = "perilune.autograd",
  nn = "perilune.nn",
  data = "perilune.data",
  gradcheck = "perilune.gradcheck",
  optim = "perilune.optim",
  plot = "perilune.plot",
}
local members = {
  nearest = "perilune.check",
  rng = "perilune.random",
  numpy_rng = "perilune.random",
  save = "perilune.data.safetensors",
  load = "perilune.data.safetensors",
  value_and_grad = "perilune.autograd",
}

return setmetatable(pl, {
  parts = { modules, members, core.methods }, -- for the prompt's completion
  __index = function(self, name)
    local value = core.methods[name]
    if modules[name] then value = require(modules[name]) end
    if members[name] then value = require(members[name])[name] end
    if value == nil then
      check.no_field("perilune has no field", name, self, modules, members, core.methods)
    end
    self[name] = value
    return value
  end,
})
