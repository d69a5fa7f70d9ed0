---@meta
-- The losses as functions (lua/perilune/nn/losses/ makes them from the classes); never run.
-- Each returns the mean over the batch; for Variables a Variable.

---@class losses
local losses = {}

--- −log of the probability of each sample's class. The logits behind a recorded softmax are found.
---@param y_true Tensor classes int32 {N} from 1 to C
---@param y_pred Tensor probabilities {N, C}, or logits
---@param options? { from_logits: boolean, label_smoothing: number } false, 0
---@return number
function losses.sparse_categorical_crossentropy(y_true, y_pred, options) end

--- −Σ target · log probability.
---@param y_true Tensor distributions {N, C}, as one-hot ones
---@param y_pred Tensor probabilities {N, C}, or logits
---@param options? { from_logits: boolean, label_smoothing: number } false, 0
---@return number
function losses.categorical_crossentropy(y_true, y_pred, options) end

--- −y·log(p) − (1 − y)·log(1 − p), the mean over a sample's numbers.
---@param y_true Tensor {N, …} of zeros and ones
---@param y_pred Tensor {N, …} probabilities, or logits
---@param options? { from_logits: boolean, label_smoothing: number } false, 0
---@return number
function losses.binary_crossentropy(y_true, y_pred, options) end

--- (y − p)², the mean over a sample's numbers.
---@param y_true Tensor {N, …}
---@param y_pred Tensor {N, …}
---@return number
function losses.mean_squared_error(y_true, y_pred) end

--- |y − p|, the mean over a sample's numbers.
---@param y_true Tensor {N, …}
---@param y_pred Tensor {N, …}
---@return number
function losses.mean_absolute_error(y_true, y_pred) end

--- (y − p)²/2 up to delta, delta·|y − p| − delta²/2 beyond.
---@param y_true Tensor {N, …}
---@param y_pred Tensor {N, …}
---@param options? { delta: number } 1
---@return number
function losses.huber(y_true, y_pred, options) end

--- max(0, 1 − y·p), the mean over a sample's numbers.
---@param y_true Tensor {N, …} of −1 and 1 (zeros count as −1)
---@param y_pred Tensor {N, …}
---@return number
function losses.hinge(y_true, y_pred) end

return losses
