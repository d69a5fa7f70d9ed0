-- Every differentiable operation. Each family adds its entries to the one table.
require "perilune.ops.elementwise"
require "perilune.ops.reduce"
require "perilune.ops.shape"
require "perilune.ops.linalg"
require "perilune.ops.conv"
require "perilune.ops.activation"
require "perilune.ops.dense"
require "perilune.ops.pool"
require "perilune.ops.dropout"
require "perilune.ops.loss"

return require "perilune.ops.registry"
