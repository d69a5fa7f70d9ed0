-- Every differentiable operation. Each family adds its entries to the one table.
require "perilune.ops.elementwise"
require "perilune.ops.reduce"
require "perilune.ops.shape"
require "perilune.ops.linalg"

return require "perilune.ops.registry"
