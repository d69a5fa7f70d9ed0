-- Loss: what every loss is, an object called with targets, predictions and sample weights. A loss says in
-- per_sample what each sample costs; how these become one number is the same for all. Nothing broadcasts:
-- shapes that do not fit raise and say how to mend it.
local core = require "perilune.core"
local check = require "perilune.check"
local class = require "perilune.nn.class"

---@class Loss: Object
---@field reduction string
local Loss = class.root("Loss", { name = false, reduction = "sum_over_batch_size" })

-- One number from the losses of the samples and their weights, when there are any.
local reductions = {
  sum = function(l, w) return (w and l * w or l):sum() end,
  sum_over_batch_size = function(l, w) return (w and l * w or l):mean() end,
  mean_with_sample_weight = function(l, w) return w and (l * w):sum() / w:sum() or l:mean() end,
  none = function(l, w) return w and l * w or l end,
}
reductions.mean = reductions.sum_over_batch_size

function Loss:created()
  self.name = self.name or class.snake_case(self.__name)
  check.arg(reductions[self.reduction], self.__name, "reduction",
    '"sum_over_batch_size", "mean", "sum", "mean_with_sample_weight" or "none"', self.reduction)
end

local function text(t) return "{" .. table.concat(t:shape(), ", ") .. "}" end

local function is_tensor(value) return core.is_tensor(value) or type(value) == "table"
  and value.shape ~= nil end

--- y_true in y_pred's dtype, when both have the same shape; otherwise raises.
---@return Tensor
function Loss.same_shape(fn, y_true, y_pred)
  check.arg(is_tensor(y_true), fn, "y_true", "a tensor", y_true)
  check.arg(is_tensor(y_pred), fn, "y_pred", "a tensor", y_pred)
  local a, b = y_true:shape(), y_pred:shape()
  if table.concat(a, ",") ~= table.concat(b, ",") then
    local fix = "give both the same shape"
    if y_true:numel() == y_pred:numel() then
      fix = ("reshape one of them, y_true:reshape(%s)"):format(table.concat(b, ", "))
    elseif #a == #b - 1 then
      fix = ("the layer before it gives %d numbers a sample: is Dense{1} meant?"):format(b[#b])
    end
    check.raise("%s: y_true %s and y_pred %s differ in shape, and nothing broadcasts here; %s", fn,
      text(y_true),
      text(y_pred), fix)
  end
  return y_true:dtype() == y_pred:dtype() and y_true or y_true:to(y_pred:dtype())
end

--- The mean over the last axis; what has one axis only holds a number a sample already.
function Loss.mean_over_last(losses)
  return losses:rank() > 1 and losses:mean(-1) or losses
end

--- weights in the dtype of the losses, when there is one for each of n samples; otherwise raises.
---@return Tensor
function Loss.check_weights(fn, weights, shape, dtype)
  if core.is_tensor(weights) and table.concat(weights:shape(), ",") == table.concat(shape, ",") then
    return weights:dtype() == dtype and weights or weights:to(dtype)
  end
  check.raise("%s: argument 'weights': expected a tensor {%s}, one for each sample, got %s%s", fn,
    table.concat(shape, ", "), core.describe(weights),
    core.is_tensor(weights) and ("; reshape it, weights:reshape(%s)"):format(table.concat(shape, ", ")) or "")
end

--- The loss of a batch.
---@param y_true Tensor
---@param y_pred Tensor|Variable
---@param weights? Tensor one for each sample
---@return number|Variable|Tensor loss a tensor {N} when the reduction is "none"
function Loss:__call(y_true, y_pred, weights)
  local losses = self:per_sample(y_true, y_pred)
  if weights ~= nil then weights = Loss.check_weights(self.name, weights, losses:shape(), losses:dtype()) end
  return reductions[self.reduction](losses, weights)
end

--- The loss as a function of y_true, y_pred and options: those of the class, and `weights`.
---@return fun(y_true: Tensor, y_pred: Tensor|Variable, options?: table): number|Variable
function Loss.as_function(of)
  return function(y_true, y_pred, options)
    local own, weights = {}, nil
    check.arg(options == nil or type(options) == "table", class.snake_case(of.__name), "options",
      "a table of options", options)
    for key, value in pairs(options or {}) do
      if key == "weights" then weights = value else own[key] = value end
    end
    return of(own)(y_true, y_pred, weights)
  end
end

return Loss
