-- nn.MaxPooling2D{2}: the largest number of each window, of each channel.
--   pool_size   2, a number or {h, w}
--   strides     pool_size by default          padding     "valid" or "same"
local pooling = require "perilune.nn.pooling"

---@class MaxPooling2D: Layer
return pooling("MaxPooling2D", "max_pool2d")
