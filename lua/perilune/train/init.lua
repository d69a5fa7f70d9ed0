-- Training: gives nn.Sequential compile, fit, evaluate, predict, save and the like. The layers know nothing
-- of it; perilune/init.lua loads this along with pl.nn.
local nn = require "perilune.nn"
local fit = require "perilune.train.fit"
local model = require "perilune.train.model"

for name, method in pairs(model.methods) do nn.Sequential[name] = method end
nn.Sequential.fit = fit.fit

return { rebuild = require("perilune.train.saving").rebuild }
