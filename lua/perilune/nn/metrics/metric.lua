-- Metric: what is counted over the batches of an epoch. reset() forgets, update(y_true, y_pred, weights) adds
-- a batch, result() says what it came to: a number, 0 before the first batch.
local core = require "perilune.core"
local check = require "perilune.check"
local class = require "perilune.nn.class"

---@class Metric: Object
---@field name string
local Metric = class.root("Metric", { name = false })

function Metric:created()
  self.name = self.name or class.snake_case(self.__name)
  self:reset()
end

--- Forgets all batches.
function Metric:reset() self.total, self.count = 0, 0 end

--- What the batches came to; 0 before the first.
---@return number
function Metric:result() return self.count == 0 and 0 or self.total / self.count end

--- Adds the value of each sample.
---@param values Tensor {N}
---@param weights? Tensor {N}
function Metric:add(values, weights)
  if weights == nil then
    self.total, self.count = self.total + values:sum(), self.count + values:numel()
    return
  end
  if not core.is_tensor(weights) or table.concat(weights:shape(), ",") ~= table.concat(values:shape(),
    ",") then
    check.raise("%s: argument 'weights': expected a tensor {%s}, one for each sample, got %s", self.name,
      table.concat(values:shape(), ", "), core.describe(weights))
  end
  weights = weights:double()
  self.total, self.count = self.total + (values:double() * weights):sum(), self.count + weights:sum()
end

--- The numbers behind a recorded variable.
function Metric.plain(t) return type(t) == "table" and t.detach and t:detach() or t end

return Metric
