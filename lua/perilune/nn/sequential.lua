-- nn.Sequential{ nn.Input{32, 32, 3}, nn.Flatten{}, nn.Dense{10} }: layers one after the other. With an Input
-- at its front it is built at once, otherwise at its first data or by model:build{32, 32, 3}.
--   name    "sequential"                      dtype   "float32"; "float64" for checks of gradients
--   seed    0: what the initial weights and the random layers depend on
-- It is a layer itself and may stand in another; one with an Input of its own then has weights of its own
-- already, from its own seed.
local core = require "perilune.core"
local check = require "perilune.check"
local Container = require "perilune.nn.container"
local fusion = require "perilune.nn.fusion"
local Input = require "perilune.nn.layers.input"

---@class Sequential: Container
---@field input Input?
---@field steps table? of plan(), as long as the layers are the same
local Sequential = Container:extend("Sequential", { "layers...", seed = 0 })

local function is_input(layer) return getmetatable(layer) == Input end

local function refuse_input(self, i)
  check.raise("%s: nn.Input stands at place %d; it belongs at the front", self.name or "Sequential", i)
end

function Sequential:init()
  self.seed = check.integer(self.seed, "Sequential", "seed", 0)
  for i = 2, #self.layers do
    if is_input(self.layers[i]) then refuse_input(self, i) end
  end
  if is_input(self.layers[1]) then self.input = table.remove(self.layers, 1) end
  self:name_layers()
  if self.input and #self.layers > 0 then self:build(self.input.shape) end
end

--- Makes the weights. A model with an Input, or that has seen data, is built already.
---@param shape integer[] of the input, without the batch axis
---@return Sequential self
function Sequential:build(shape)
  if self.built then
    if table.concat(shape, ",") ~= table.concat(self.input_shape, ",") then
      check.raise("%s: built for inputs {%s} already, and not for {%s}", self:title(),
        table.concat(self.input_shape, ", "), table.concat(shape, ", "))
    end
    return self
  end
  check.arg(#self.layers > 0, "build", "self", "a model with layers", self)
  local batch = table.move(shape, 1, #shape, 2, { 1 })
  local dtype = self.input and self.input.dtype or self.dtype or "float32"
  self:prepare(core.full(batch, 0, dtype))
  return self
end

--- Its name, "sequential" when it was given none.
function Sequential:title() return self.name or "sequential" end

function Sequential:prepare(x, options)
  self.context = options or self.context or {}
  self.context.seed = self.context.seed or self.seed
  self.context.dtype = self.dtype or self.context.dtype
  return Container.prepare(self, x, self.context)
end

function Sequential:prepare_layers(x)
  self.input_dtype = x:dtype()
  for i in ipairs(self.layers) do x = self:prepare_layer(i, x) end
  return x
end

--- Appends a layer; a model that is built builds it at once.
---@param layer Layer
---@return Sequential self
function Sequential:add(layer)
  self:check_layer(layer, #self.layers + 1)
  if is_input(layer) then
    if #self.layers > 0 or self.input then refuse_input(self, #self.layers + 1) end
    self.input = layer
    return self
  end
  self.layers[#self.layers + 1] = layer
  self:name_layers()
  if self.built then
    local shape = table.move(self.output_shape, 1, #self.output_shape, 2, { 1 })
    local zero = core.full(shape, 0, self.dtype)
    self.output_shape = self:append_prepared(#self.layers, zero)
  elseif self.input then
    self:build(self.input.shape)
  end
  return self
end

-- The new layer draws its weights after those that there are.
function Sequential:append_prepared(i, x)
  local layer = self.layers[i]
  local ok, y = pcall(layer.prepare, layer, x, self.context)
  if not ok then
    table.remove(self.layers, i)
    error(y, 0)
  end
  local shape = y:shape()
  return table.move(shape, 2, #shape, 1, {})
end

local function check_input(self, x)
  local shape = (core.is_tensor(x) or type(x) == "table" and x.shape) and x:shape()
  local good = shape and #shape == #self.input_shape + 1 and x:dtype() == self.input_dtype
  for axis, size in ipairs(self.input_shape) do good = good and shape[axis + 1] == size end
  if good then return end
  local fix = ""
  if shape and x:dtype() ~= self.input_dtype then
    fix = ("; cast it, x:to(\"%s\")%s"):format(self.input_dtype,
      x:dtype() == "uint8" and ", or start with nn.Input{…, dtype = \"uint8\"} and nn.Rescaling{1 / 255}"
        or "")
  elseif shape and #shape == #self.input_shape then
    fix = "; one sample alone is x:unsqueeze(1)"
  end
  check.raise("%s: expected an input {N, %s} %s, got %s%s", self:title(), table.concat(self.input_shape,
    ", "),
    self.input_dtype, check.describe(x), fix)
end

--- The layers as steps; several that are computed in one go are one step. See nn/fusion.lua.
---@return { first: integer, last: integer, forward: fun(x: Tensor, training?: boolean): Tensor }[]
function Sequential:plan()
  if not fusion.fits(self.steps, self.layers) then self.steps = fusion.steps(self.layers) end
  return self.steps
end

--- The model's output.
---@param x Tensor {N, …}
---@param training? boolean
---@return Tensor
function Sequential:forward(x, training)
  self:build_for(x)
  check_input(self, x)
  for _, step in ipairs(self:plan()) do x = step.forward(x, training) end
  return x
end

--- The options, with the layers, and an Input when the model is built, so that it is built again.
---@return table
function Sequential:config()
  local config = Container.config(self)
  local shape = self.built and self.input_shape or self.input and self.input.shape
  if shape then
    local dtype = self.input_dtype ~= self.dtype and self.input_dtype or self.input and self.input.dtype
      or false
    local input = { class_name = "Input", config = { shape = table.move(shape, 1, #shape, 1, {}),
      dtype = dtype } }
    table.insert(config.layers, 1, input)
  end
  return config
end

return Sequential
