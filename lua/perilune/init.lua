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
  load = "perilune.train.load",
  value_and_grad = "perilune.autograd",
}

-- Rooms that do not know each other meet here.
local loaders = {
  nn = function()
    require "perilune.train" -- models learn to train
    return require "perilune.nn"
  end,
  callbacks = function()
    local callbacks = require "perilune.train.callbacks"
    function callbacks.LivePlot.draw(...) return require("perilune.plot").history(...) end
    return callbacks
  end,
}

-- What others keep beside their tensors and we in a generator.
local draws = { random = "uniform", randperm = "permutation" }
for name in ("choice normal permutation rand randint randn shuffle uniform"):gmatch "%a+" do
  draws[name] = name
end

return setmetatable(pl, {
  parts = { modules, members, loaders, core.methods }, -- for the prompt's completion
  __index = function(self, name)
    local value = core.methods[name]
    if modules[name] then value = require(modules[name]) end
    if members[name] then value = require(members[name])[name] end
    if loaders[name] then value = loaders[name]() end
    if value == nil then
      require "perilune.ops" -- has methods of its own
      value = core.methods[name]
    end
    local draw = draws[name]
    if value == nil and draw then
      check.raise("perilune has no field %q; random numbers come from a generator: pl.rng(seed):%s(…)", name,
        draw)
    elseif value == nil then
      check.no_field("perilune has no field", name, self, modules, members, loaders, core.methods)
    end
    self[name] = value
    return value
  end,
})
