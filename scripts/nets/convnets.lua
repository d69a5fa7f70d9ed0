-- The course's convolutional nets for CIFAR-10, by hand and in its notation. What is made of a notation and
-- what is written by hand is the same net: the same weights from the same seed.
local pl = require "perilune"
local nn = pl.nn

local convnets = {}

--- Every option a net takes.
---@class ConvnetOptions
---@field padding? "valid"|"same" of the convolutions, "valid" by default
---@field dropout? number 0.5; only near the fully connected layers
---@field seed? integer 1, of the initial weights and of the dropout

local function with_defaults(options)
  options = options or {}
  return options.padding or "valid", options.dropout or 0.5, options.seed or 1
end

convnets.notation = {
  a = "INPUT -> CONV-12(5x5) -> RELU -> POOL -> DROPOUT -> FCS",
  b = "INPUT -> CONV-32 -> RELU -> CONV-64 -> RELU -> POOL -> DROPOUT -> FC-128 -> DROPOUT -> FCS",
  c = "INPUT -> [CONV-32 -> RELU]*2 -> POOL -> [CONV-64 -> RELU]*2 -> POOL -> DROPOUT -> FC-512 -> RELU"
    .. " -> DROPOUT -> FCS",
}

--- One convolution of 12 filters.
---@param options? ConvnetOptions
---@return Sequential
function convnets.a(options)
  local padding, dropout, seed = with_defaults(options)
  return nn.Sequential {
    name = "net_a", seed = seed,
    nn.Input { 32, 32, 3 },
    nn.Conv2D { 12, kernel_size = 5, padding = padding, activation = "relu" },
    nn.MaxPooling2D {},
    nn.Flatten {},
    nn.Dropout { dropout },
    nn.Dense { 10, activation = "softmax" },
  }
end

--- Two convolutions and a wide linear layer.
---@param options? ConvnetOptions
---@return Sequential
function convnets.b(options)
  local padding, dropout, seed = with_defaults(options)
  return nn.Sequential {
    name = "net_b", seed = seed,
    nn.Input { 32, 32, 3 },
    nn.Conv2D { 32, kernel_size = 3, padding = padding, activation = "relu" },
    nn.Conv2D { 64, kernel_size = 3, padding = padding, activation = "relu" },
    nn.MaxPooling2D {},
    nn.Flatten {},
    nn.Dropout { dropout },
    nn.Dense { 128 },
    nn.Dropout { dropout },
    nn.Dense { 10, activation = "softmax" },
  }
end

--- Two pairs of convolutions, each followed by a pooling.
---@param options? ConvnetOptions
---@return Sequential
function convnets.c(options)
  local padding, dropout, seed = with_defaults(options)
  return nn.Sequential {
    name = "net_c", seed = seed,
    nn.Input { 32, 32, 3 },
    nn.Conv2D { 32, kernel_size = 3, padding = padding, activation = "relu" },
    nn.Conv2D { 32, kernel_size = 3, padding = padding, activation = "relu" },
    nn.MaxPooling2D {},
    nn.Conv2D { 64, kernel_size = 3, padding = padding, activation = "relu" },
    nn.Conv2D { 64, kernel_size = 3, padding = padding, activation = "relu" },
    nn.MaxPooling2D {},
    nn.Flatten {},
    nn.Dropout { dropout },
    nn.Dense { 512, activation = "relu" },
    nn.Dropout { dropout },
    nn.Dense { 10, activation = "softmax" },
  }
end

--- The same nets from their notation.
---@param name "a"|"b"|"c"
---@param options? ConvnetOptions
---@return Sequential
function convnets.parse(name, options)
  local padding, dropout, seed = with_defaults(options)
  return nn.parse(convnets.notation[name], {
    name = "net_" .. name, input = { 32, 32, 3 }, padding = padding, dropout = dropout, seed = seed,
  })
end

return convnets
