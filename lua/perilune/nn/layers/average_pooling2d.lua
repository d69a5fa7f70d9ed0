-- nn.AveragePooling2D{2}: the mean of each window, with "same" padding over real pixels only, of each
-- channel.   pool_size   2, a number or {h, w}
--   strides     pool_size by default          padding     "valid" or "same"
local pooling = require "perilune.nn.pooling"

---@class AveragePooling2D: Layer
return pooling("AveragePooling2D", "avg_pool2d")
