-- One step of training: the model's weights as variables on a tape, forward, loss, backward, optimizer.
local Tape = require("perilune.autograd").Tape

---@class Stepper
---@field model Sequential
---@field weights table[] of model:all_weights(), each with its variable
---@field parameters Tensor[] all that are meant to be trained, frozen ones too
---@field gradients (Tensor|false)[] theirs, after backward; false for those that are frozen
local Stepper = {}
Stepper.__index = Stepper

-- The weights that an optimizer may move; frozen ones too, for they may thaw. The others (moving averages)
-- a layer moves itself: they stay the tensors they are.
local function trainable_weights(model)
  local list = {}
  for _, weight in ipairs(model:all_weights()) do
    if weight.weight.trainable then list[#list + 1] = weight end
  end
  return list
end

--- What an optimizer for the model is built for.
---@return { name: string, tensor: Tensor }[]
function Stepper.optimized(model)
  local list = {}
  for i, weight in ipairs(trainable_weights(model)) do
    list[i] = { name = weight.path, tensor = weight.tensor }
  end
  return list
end

---@param model Sequential built
---@return Stepper
function Stepper.new(model)
  local self = setmetatable({ model = model, parameters = {}, gradients = {} }, Stepper)
  self.tape = Tape.new()
  self.weights = trainable_weights(model)
  for i, weight in ipairs(self.weights) do
    weight.variable = weight.trainable and self.tape:leaf(weight.tensor) or self.tape:constant(weight.tensor)
    self.parameters[i] = weight.tensor
  end
  -- Puts the tensors back when the scope that holds it is left, by an error too.
  self.bound = setmetatable({}, { __close = function()
    for _, weight in ipairs(self.weights) do weight.layer[weight.name] = weight.tensor end
  end })
  return self
end

--- Whether layers were frozen, thawed or made anew since.
function Stepper:is_stale()
  local n, stale = 0, false
  self.model:each_weight(function(weight, _, trains)
    if not weight.trainable then return end
    n = n + 1
    local old = self.weights[n]
    stale = stale or not old or old.trainable ~= trains or not rawequal(old.tensor, weight.tensor)
  end)
  return stale or n ~= #self.weights
end

--- Whether any weight is to be moved.
function Stepper:trains()
  for _, weight in ipairs(self.weights) do
    if weight.trainable then return true end
  end
  return false
end

-- Puts the variables into the layers' fields.
local function bind(self)
  for _, weight in ipairs(self.weights) do weight.layer[weight.name] = weight.variable end
  return self.bound
end

--- The loss, with what the regularizers add.
---@param y_pred Variable
---@return Variable
function Stepper.objective(model, y, y_pred, sample_weight)
  local loss, penalty = model.loss(y, y_pred, sample_weight), model:regularization()
  return penalty and loss + penalty or loss
end

--- The loss, with what the regularizers add, and the predictions, which live until the next forward.
---@param sample_weight? Tensor {n}
---@return number loss
---@return Tensor y_pred
function Stepper:forward(x, y, sample_weight)
  self.tape:begin()
  local bound <close> = bind(self) -- luacheck: ignore 211
  local y_pred = self.model:forward(self.tape:constant(x), true)
  self.loss = Stepper.objective(self.model, y, y_pred, sample_weight)
  return self.loss:item(), y_pred:detach()
end

--- Fills self.gradients; they live until the next forward.
function Stepper:backward()
  self.tape:backward(self.loss)
  for i, weight in ipairs(self.weights) do
    self.gradients[i] = weight.trainable and weight.variable.grad or false
  end
end

--- Moves the weights by the gradients.
function Stepper:update()
  self.model.optimizer:step(self.parameters, self.gradients)
end

return Stepper
