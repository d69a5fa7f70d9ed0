-- Layer: what every layer is. A layer says which weights it has (build) and what it computes (forward), in
-- methods of its input, and knows nothing of gradients. A layer of one's own is made like ours:
--
--   local Scale = nn.Layer:extend("Scale", { "start", trainable = true })     -- options, see nn/class.lua
--   function Scale:build(shape)                                  -- of the input, without the batch axis
--     self.factor = self:weight("factor", { shape[#shape] }, nn.initializers.Constant{self.start})
--   end
--   function Scale:forward(x, training) return x * self.factor end
--
-- Optional besides: init() checks the options when the layer is made; cost(input, output) counts
-- multiply-adds and arithmetic(input, output) explains the output's shape, for explain(); a layer made of
-- layers lists them in self.layers; one that draws random numbers has stochastic = true and uses self.rng.
local core = require "perilune.core"
local check = require "perilune.check"
local class = require "perilune.nn.class"
local initializers = require "perilune.nn.initializers"
local random = require "perilune.random"
local regularizers = require "perilune.nn.regularizers"

---@class Weight
---@field name string the layer's field in which it stands
---@field tensor Tensor
---@field trainable boolean
---@field regularizer table? with loss(w)
---@field initializer fun(shape: integer[], rng: Generator, dtype: string): Tensor
---@field number integer its place among the model's weights, which its initial values depend on

---@class Layer: Object
---@field name string|false
---@field trainable boolean false freezes the layer: the optimizer leaves its weights alone
---@field dtype string "float32" or "float64"; false until it is built
---@field weights Weight[]
---@field built boolean
---@field input_shape integer[]? without the batch axis, when built
---@field output_shape integer[]?
---@field rng Generator? of a stochastic layer
local Layer = class.root("Layer", { name = false, trainable = true, dtype = false })

-- What the layers that are being built have in common: the seed, the dtype, how many weights there are.
local building

local RANDOM_STREAMS <const> = 1 << 32 -- weights draw from streams below

local function context_of(options)
  options.seed, options.dtype = options.seed or 0, options.dtype or "float32"
  options.weights, options.generators = options.weights or 0, options.generators or 0
  return options
end

--- What every layer starts with; the options are those that all layers have.
function Layer:created()
  local fn, name, dtype = self.__name, self.name, self.dtype
  check.arg(name == false or type(name) == "string" and name ~= "" and not name:find "[/%c]", fn, "name",
    "a name without slashes", name)
  check.arg(not dtype or dtype == "float32" or dtype == "float64", fn, "dtype", '"float32" or "float64"',
    dtype)
  check.arg(type(self.trainable) == "boolean", fn, "trainable", "true or false", self.trainable)
  self.weights, self.built = {}, false
end

-- ---- building --------------------------------------------------------------------------------------

--- Raises `Conv2D: expected …, got …; fix`. For mistakes that show when the layer is built.
---@param expected string
---@param shape integer[] what came
---@param fix? string
function Layer:fail(expected, shape, fix)
  check.raise("%s: expected %s, got {%s}%s", self.__name, expected, table.concat(shape, ", "),
    fix and "; " .. fix or "")
end

--- Makes a weight, and registers it. The layer keeps it in the field of that name.
---@param name string
---@param shape integer[]
---@param initializer string|table|function|Tensor
---@param options? { trainable: boolean?, regularizer: any }
---@return Tensor
function Layer:weight(name, shape, initializer, options)
  options = check.options("weight", options, { "trainable", "regularizer" })
  check.arg(type(name) == "string" and not name:find "[/%c]", "weight", "name", "a name without slashes",
    name)
  building.weights = building.weights + 1
  local weight = {
    name = name, trainable = options.trainable ~= false, number = building.weights,
    initializer = initializers.get(initializer) or initializers.get "glorot_uniform",
    regularizer = regularizers.get(options.regularizer),
  }
  weight.tensor = weight.initializer(shape, random.rng(building.seed, weight.number), self.dtype)
  local made = core.is_tensor(weight.tensor) and table.concat(weight.tensor:shape(), ", ")
  if made ~= table.concat(shape, ", ") then
    check.raise("%s: the initializer of '%s' was to make a tensor {%s} %s, and made %s", self.__name, name,
      table.concat(shape, ", "), self.dtype, core.describe(weight.tensor))
  end
  self.weights[#self.weights + 1] = weight
  return weight.tensor
end

-- The shape without its first axis.
local function tail(shape) return table.move(shape, 2, #shape, 1, {}) end

--- Builds the layer, if it is not, for inputs like x, and returns what it makes of x.
---@param x Tensor a batch of one
---@param options? { seed: integer?, dtype: string? } of the outermost layer; keeps count in this table, so
---  that the same one serves for layers that are added later
---@return Tensor
function Layer:prepare(x, options)
  local outermost = building == nil
  if outermost then building = context_of(options or {}) end
  local ok, y = pcall(self.prepare_within, self, x)
  if outermost then building = nil end
  if not ok then error(y, 0) end
  return y
end

function Layer:prepare_within(x)
  if not self.built then
    self.dtype = self.dtype or building.dtype
    self.weights = {}
    if self.stochastic then
      building.generators = building.generators + 1
      self.generator_number = building.generators
      self.rng = random.rng(self.seed or building.seed, RANDOM_STREAMS + self.generator_number)
    end
    self:build(tail(x:shape()))
  end
  local y = self:forward(x, false)
  if not core.is_tensor(y) or y:rank() == 0 or y:size(1) ~= x:size(1) then
    check.raise("%s: forward was to return a tensor {%d, …}, the batch as its first axis, and returned %s",
      self.__name, x:size(1), core.describe(y))
  end
  if not self.built then
    self.input_shape, self.output_shape, self.built = tail(x:shape()), tail(y:shape()), true
  end
  return y
end

--- Makes the weights, for inputs of that shape (without the batch axis). A layer without weights has none.
---@param shape integer[]
function Layer:build(shape) end -- luacheck: ignore 212

--- The layer's output.
---@param x Tensor {N, …}
---@param training boolean
---@return Tensor
function Layer:forward(x, training) -- luacheck: ignore 212
  check.raise("%s: has no forward; write function %s:forward(x, training) … end", self.__name, self.__name)
end

--- Builds the layer, if it is not, for inputs like x: one zero image goes through it.
---@param x Tensor|Variable {N, …}
function Layer:build_for(x)
  if self.built then return end
  local shape = (core.is_tensor(x) or type(x) == "table" and x.shape) and x:shape()
  check.arg(shape and #shape > 0, self.__name, "x", "a tensor {N, …}", x)
  shape[1] = 1
  local dtype = x:dtype()
  self:prepare(core.full(shape, 0, dtype), { dtype = dtype:find "float" and dtype or nil })
end

--- layer(x): what the layer makes of x, building it first if need be.
---@param x Tensor {N, …}
---@param training? boolean false by default
---@return Tensor
function Layer:__call(x, training)
  self:build_for(x)
  return self:forward(x, training or false)
end

-- ---- what is inside --------------------------------------------------------------------------------

-- Calls visit(layer, path) for a layer and all that it is made of.
local function walk(layer, visit, path, seen)
  if seen[layer] then return end
  seen[layer] = true
  visit(layer, path)
  local children = layer.layers
  for i = 1, children and #children or 0 do
    local child = children[i]
    if not child then
      check.raise("%s: layers[%d]: expected a layer, got %s", layer.__name, i, check.describe(child))
    end
    local name = child.name or class.snake_case(child.__name) .. "_" .. i
    walk(child, visit, path and path .. "/" .. name or name, seen)
  end
end

--- This layer and all that it is made of, each once, containers before what they hold.
---@return { layer: Layer, path: string? }[] path: names from the outermost container's children down
function Layer:all_layers()
  local list = {}
  walk(self, function(layer, path) list[#list + 1] = { layer = layer, path = path } end, nil, {})
  return list
end

--- Calls f with each weight, in the order of the layers.
---@param f fun(weight: Weight, layer: Layer, trains: boolean, path: string?) trains: also says whether the
---  layer is frozen; path: the layer's
function Layer:each_weight(f)
  walk(self, function(layer, path)
    local weights = layer.weights
    for i = 1, #weights do
      local weight = weights[i]
      f(weight, layer, weight.trainable and layer.trainable, path)
    end
  end, nil, {})
end

--- The weights of this layer and of all that it is made of.
---@return { layer: Layer, name: string, path: string, tensor: Tensor, trainable: boolean, regularizer:
---  table? }[]
--- path as in "conv2d_1/kernel"; trainable also says whether the layer is frozen
function Layer:all_weights()
  local list = {}
  self:each_weight(function(weight, layer, trains, path)
    list[#list + 1] = {
      layer = layer, name = weight.name, tensor = weight.tensor, regularizer = weight.regularizer,
      path = (path and path .. "/" or "") .. weight.name, trainable = trains, weight = weight,
    }
  end)
  return list
end

--- How many numbers there are in the weights.
---@return integer total, integer trainable
function Layer:count_params()
  local total, trainable = 0, 0
  for _, weight in ipairs(self:all_weights()) do
    local n = weight.tensor:numel()
    total = total + n
    if weight.trainable then trainable = trainable + n end
  end
  return total, trainable
end

--- What the regularizers add to the loss; nil when there are none. During a recorded pass it is recorded.
---@return number|Variable?
function Layer:regularization()
  local total
  self:each_weight(function(weight, layer, trains)
    if weight.regularizer and trains then
      local loss = weight.regularizer:loss(layer[weight.name])
      total = total and total + loss or loss
    end
  end)
  return total
end

--- Draws the initial weights anew, in place, from a seed.
---@param seed? integer 0 by default
---@return Layer self
function Layer:reset_weights(seed)
  for _, entry in ipairs(self:all_weights()) do
    local weight = entry.weight
    local rng = random.rng(seed or 0, weight.number)
    weight.tensor:copy_(weight.initializer(weight.tensor:shape(), rng, weight.tensor:dtype()))
  end
  return self
end

--- Gives the layers that draw random numbers new generators.
---@param seed integer
---@return Layer self
function Layer:set_seed(seed)
  for _, entry in ipairs(self:all_layers()) do
    local layer = entry.layer
    if layer.stochastic then
      layer.rng = random.rng(layer.seed or seed, RANDOM_STREAMS + (layer.generator_number or 0))
    end
  end
  return self
end

-- ---- for explain() ---------------------------------------------------------------------------------

--- The multiply-adds that one image costs.
function Layer:cost(input, output) return 0 end -- luacheck: ignore 212

--- How the output's shape comes about, or nil.
function Layer:arithmetic(input, output) end -- luacheck: ignore 212

--- What is likely not meant, or nil.
function Layer:advice(input, output) end -- luacheck: ignore 212

function Layer:__tostring()
  if not self.built then return class.Object.__tostring(self) end
  local function text(shape) return "{" .. table.concat(shape, ", ") .. "}" end
  return ("%s (%s) %s -> %s, %d parameters"):format(self.name or class.snake_case(self.__name), self.__name,
    text(self.input_shape), text(self.output_shape), (self:count_params()))
end

return Layer
