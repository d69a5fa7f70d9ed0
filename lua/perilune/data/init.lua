-- pl.data: datasets, what normalises them, and the files tensors are kept in.

return {
  cifar10 = require "perilune.data.cifar10",
  Normalizer = require "perilune.data.normalizer",
}
