---@meta
-- The methods that layers are made of (lua/perilune/ops/), as meta/tensor.lua has the others; never run.
-- Images are {N, height, width, channels}. Each also takes Variables, and then is recorded.

---@class Tensor
local Tensor = {}

--- Convolution of images: a window slides over them, and each of its places gives D sums. Source: Keras's
--- conv2d; "same" pads as Keras pads, the odd pixel after. 3×3 kernels of 16 channels and more go by
--- Winograd's F(2×2, 3×3), 3×3 and 5×5 ones of up to 8 channels by F(2, 3) and F(2, 5): a NaN or an infinity
--- in x may then reach pixels next to those that see it.
---@param kernel Tensor {h, w, C/groups, D}
---@param bias? Tensor {D}
---@param options? table strides = 1, padding = "valid", "same" or {top, bottom, left, right}, dilation = 1,
---  groups = 1, activation = "relu" or none; max_pool = true: the largest of each 2×2 pixels of the result
---@return Tensor {N, H', W', D}
function Tensor:conv2d(kernel, bias, options) end

--- Convolution of each channel by itself, with as many results as the multiplier.
---@param kernel Tensor {h, w, C, multiplier}
---@param bias? Tensor {C·multiplier}
---@param options? table strides = 1, padding = "valid", dilation = 1
---@return Tensor {N, H', W', C·multiplier}
function Tensor:depthwise_conv2d(kernel, bias, options) end

--- The largest number in each window of an image. With padding "same" a window over the edge counts only the
--- pixels that are there.
---@param options? table pool_size = 2, strides = the pool's size, padding = "valid"
---@return Tensor {N, H', W', C}
function Tensor:max_pool2d(options) end

--- The mean of each window of an image; options as for max_pool2d.
---@param options? { pool_size: integer|integer[], strides: integer|integer[], padding: string }
---@return Tensor {N, H', W', C}
function Tensor:avg_pool2d(options) end

--- x·kernel + bias, and max(0, ·) of it if asked for, in one go.
---@param kernel Tensor {D, U}
---@param bias? Tensor {U}
---@param options? { activation: string } "relu" or none
---@return Tensor {…, U} for x {…, D}
function Tensor:dense(kernel, bias, options) end

--- Drops each number with a chance of `rate`, and divides the others by 1 - rate, so that the mean stays.
---@param rate number from 0 to below 1
---@param rng Generator draws what is dropped, and moves on
---@return Tensor
function Tensor:dropout(rate, rng) end

--- Dropout of whole channels of an image.
---@param rate number from 0 to below 1
---@param rng Generator
---@return Tensor {N, H, W, C}
function Tensor:spatial_dropout2d(rate, rng) end

--- gamma·(x − mean)/√(variance + epsilon) + beta, with each channel's mean and variance over the batch.
--- Source: Ioffe and Szegedy 2015.
---@param gamma? Tensor {C}; 1 by default
---@param beta? Tensor {C}; 0 by default
---@param options? { epsilon: number } 1e-3
---@return Tensor {…, C}
---@return Tensor mean {C}
---@return Tensor variance {C}: divided by the count
function Tensor:batch_norm(gamma, beta, options) end

--- batch_norm with a mean and a variance that are given.
---@param gamma? Tensor {C}
---@param beta? Tensor {C}
---@param mean Tensor {C}
---@param variance Tensor {C}
---@param options? { epsilon: number } 1e-3
---@return Tensor {…, C}
function Tensor:batch_norm_inference(gamma, beta, mean, variance, options) end

--- gamma·(x − mean)/√(variance + epsilon) + beta, with mean and variance of each sample over its last axes.
--- Source: Ba, Kiros and Hinton 2016.
---@param gamma? Tensor of the shape of those axes
---@param beta? Tensor
---@param options? { epsilon: number, axes: integer|integer[] } 1e-3, -1
---@return Tensor
function Tensor:layer_norm(gamma, beta, options) end

--- Images with zeros around them.
---@param padding integer[] {top, bottom, left, right}
---@return Tensor {N, H + top + bottom, W + left + right, C}
function Tensor:zero_pad2d(padding) end

--- Images with each pixel as a block, or with pixels between them.
---@param size? integer|integer[] times higher and wider; 2
---@param options? { interpolation: string } "nearest" or "bilinear"
---@return Tensor {N, H·size, W·size, C}
function Tensor:upsample2d(size, options) end

--- The mean over the samples of −Σ target · log softmax(logits), without overflow.
---@param labels Tensor classes int32 {N} from 1 to C, or distributions {N, C}
---@param options? { label_smoothing: number, weights: Tensor } 0; a weight {N} for each sample
---@return number for Variables: a Variable
function Tensor:softmax_cross_entropy(labels, options) end

--- x where it is positive, slope·x elsewhere.
---@param slope? number 0.3
---@return Tensor
function Tensor:leaky_relu(slope) end

--- x where it is positive, alpha·(eˣ − 1) elsewhere.
---@param alpha? number 1
---@return Tensor
function Tensor:elu(alpha) end

--- elu, scaled so that means and variances keep to 0 and 1. Source: Klambauer et al. 2017.
---@return Tensor
function Tensor:selu() end

--- x·sigmoid(x), which is called swish too.
---@return Tensor
function Tensor:silu() end

--- x·Φ(x), Φ the normal distribution's. Source: Hendrycks and Gimpel 2016.
---@param options? { approximate: boolean } by tanh; false
---@return Tensor
function Tensor:gelu(options) end

return Tensor
