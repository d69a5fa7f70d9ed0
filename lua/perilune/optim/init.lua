-- Optimizers, one file each, and learning-rate schedules: pl.optim.Adam{learning_rate = 1e-3}.
local check = require "perilune.check"
local Optimizer = require "perilune.optim.optimizer"

local files <const> = {
  Adadelta = "adadelta", Adagrad = "adagrad", Adam = "adam", AdamW = "adamw", Lion = "lion", Muon = "muon",
  Nadam = "nadam", RMSprop = "rmsprop", SGD = "sgd",
}

local optim = { Optimizer = Optimizer, names = {} }
for name in pairs(files) do optim.names[#optim.names + 1] = name end
table.sort(optim.names)

-- A class of this folder whatever the case of its name, or one that a user made with Optimizer:extend.
local function class_of(name)
  for _, known in ipairs(optim.names) do
    if type(name) == "string" and known:lower() == name:lower() then
      return require("perilune.optim." .. files[known])
    end
  end
  return name ~= nil and Optimizer.classes[name] or nil
end

--- An optimizer from its name ("adam", "SGD"), from the table that config() gives ({class = "Adam", …}, or
--- {"adam", learning_rate = 1e-3}), or as it is.
---@param what string|table|Optimizer
---@return Optimizer
function optim.get(what)
  local name, given = what, nil
  if type(what) == "table" and type(what.step) ~= "function" then
    given = {}
    for key, value in pairs(what) do given[key] = value end
    name, given.class = given.class or table.remove(given, 1), nil
  elseif type(what) == "table" then
    return what
  end
  local class = class_of(name)
  if not class then
    check.raise("optim.get: expected an optimizer or the name of one, got %s; %s", check.describe(name),
      check.hint(name, optim.names))
  end
  if given and type(given.learning_rate) == "table" and given.learning_rate.class then
    given.learning_rate = optim.schedules.get(given.learning_rate)
  end
  return class(given)
end

return setmetatable(optim, {
  parts = { files, { schedules = true } }, -- what loads when it is first used
  __index = function(self, name)
    local value
    if files[name] then value = class_of(name) end
    if name == "schedules" then value = require "perilune.optim.schedules" end
    if value == nil then check.no_field("optim has no field", name, self, files, { schedules = true }) end
    rawset(self, name, value)
    return value
  end,
})
