-- pl.nn: layers, models, initializers, regularizers, losses and metrics, under Keras's names and with its
-- defaults. A layer is made from one table: nn.Conv2D{32, 3, activation = "relu"}; help(pl.nn.Conv2D) lists
-- its options. Layers of one's own are made with nn.Layer:extend.
local check = require "perilune.check"
local class = require "perilune.nn.class"
local fusion = require "perilune.nn.fusion"
local initializers = require "perilune.nn.initializers"
local Layer = require "perilune.nn.layer"
local losses = require "perilune.nn.losses"
local metrics = require "perilune.nn.metrics"
local regularizers = require "perilune.nn.regularizers"

local nn = {
  Layer = Layer,
  activations = require "perilune.nn.activations",
  initializers = initializers,
  losses = losses,
  metrics = metrics,
  regularizers = regularizers,
  parse = require "perilune.nn.parse",
  Sequential = require "perilune.nn.sequential",
  Residual = require "perilune.nn.residual",
  Parallel = require "perilune.nn.parallel",
}

for _, name in ipairs {
  "Input", "Dense", "Conv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D",
  "GlobalMaxPooling2D", "Flatten", "Reshape", "Dropout", "SpatialDropout2D", "GaussianNoise", "Activation",
    "ReLU",
  "LeakyReLU", "ELU", "SELU", "GELU", "SiLU", "Softmax", "BatchNormalization", "LayerNormalization",
  "ZeroPadding2D", "UpSampling2D", "Rescaling", "Normalization",
} do
  nn[name] = require("perilune.nn.layers." .. class.snake_case(name))
  fusion.add_own(nn[name])
end

--- Registers a class of layers under another name than its own, for saved models that have that name.
---@param name string
---@param of Layer
function nn.register(name, of)
  check.arg(type(name) == "string", "register", "name", "a name", name)
  check.arg(type(of) == "table" and of.options, "register", "class", "a class that extends nn.Layer", of)
  Layer.registered[name] = of
end

--- The layer, loss, … as plain data.
---@param object Object
---@return { class_name: string, config: table }
function nn.to_config(object)
  check.arg(type(object) == "table" and object.config, "to_config", "object", "a layer", object)
  return { class_name = getmetatable(object).__name, config = object:config() }
end

--- The layer, loss, … that such data describes.
---@param saved { class_name: string, config: table }
---@return Object
function nn.from_config(saved)
  return class.from_config(saved, { Layer, initializers.Initializer, regularizers.Regularizer, losses.Loss,
    metrics.Metric })
end

return check.module(nn, "pl.nn")
