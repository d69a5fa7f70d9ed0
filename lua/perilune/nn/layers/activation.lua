-- nn.Activation{"relu"}: an activation as a layer of its own.
--   activation   a name (see pl.nn.activations) or a function of a tensor
local Layer = require "perilune.nn.layer"
local activations = require "perilune.nn.activations"

---@class Activation: Layer
local Activation = Layer:extend("Activation", { "activation" })

function Activation:init() self.activate = activations.get(self.activation) or activations.linear end

function Activation:forward(x) return self.activate(x) end

return Activation
