-- pl.data: datasets, what normalises them, and the files tensors are kept in.
local check = require "perilune.check"

return check.module({
  cifar10 = require "perilune.data.cifar10",
  Normalizer = require "perilune.data.normalizer",
}, "pl.data")
