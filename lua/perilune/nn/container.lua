-- Container: what Sequential, Residual and Parallel have in common, layers made of layers. It names its
-- layers (conv2d, conv2d_1, …), finds them, freezes them with itself, and says in which layer an error was.
local check = require "perilune.check"
local class = require "perilune.nn.class"
local explain = require "perilune.nn.explain"
local Layer = require "perilune.nn.layer"
local summary = require "perilune.nn.summary"

---@class Container: Layer
---@field layers Layer[]
local Container = Layer:extend("Container", { "layers..." })

local function is_layer(value)
  return type(value) == "table" and type(rawget(value, "weights")) == "table" and value.forward ~= nil
end

-- ---- names -----------------------------------------------------------------------------------------

local function has_name(self, name, but)
  for _, layer in ipairs(self.layers) do
    if layer ~= but and layer.name == name then return true end
  end
  return false
end

-- Keras's: the class in snake case, the first one without a number.
local function give_name(self, layer)
  if layer.name and not has_name(self, layer.name, layer) then return end
  if layer.name and not layer.named then
    check.raise("%s: two layers have the name '%s'", self.name or self.__name, layer.name)
  end
  local base = class.snake_case(layer.__name)
  local name, n = base, 0
  while has_name(self, name, layer) do
    n = n + 1
    name = base .. "_" .. n
  end
  layer.name, layer.named = name, true
end

--- Raises unless a value is a layer that may stand at place i.
function Container:check_layer(layer, i)
  if is_layer(layer) then return end
  local fix = "a layer as nn.Dense{10} makes it"
  if type(layer) == "table" and layer.options then fix = ("a layer, as in nn.%s{…}"):format(layer.__name) end
  check.raise("%s: expected %s at place %d, got %s", self.__name, fix, i, check.describe(layer))
end

function Container:created()
  self.layers = table.move(self.layers, 1, #self.layers, 1, {})
  for i, layer in ipairs(self.layers) do self:check_layer(layer, i) end
  Layer.created(self)
  if not self.trainable then self.trainable = false end
end

--- Names those that have none; an option's explicit name wins, wherever it stands.
function Container:name_layers()
  for _, layer in ipairs(self.layers) do give_name(self, layer) end
end

--- A layer by its place or by its name; "residual/conv2d" is one inside another.
---@param which integer|string
---@return Layer
function Container:layer(which)
  if math.type(which) == "integer" then
    local found = self.layers[which < 0 and #self.layers + 1 + which or which]
    if found then return found end
    check.raise("layer: argument 'which': expected a place from 1 to %d, got %d", #self.layers, which)
  end
  local names = {}
  for _, entry in ipairs(self:all_layers()) do
    if entry.path == which and entry.layer ~= self then return entry.layer end
    names[#names + 1] = entry.path
  end
  local near = check.nearest(which, names)
  return check.raise("layer: no layer is named %s; %s", check.describe(which),
    near and ("did you mean '%s'?"):format(near) or "there are: " .. table.concat(names, ", "))
end

-- ---- freezing --------------------------------------------------------------------------------------

-- container.trainable = false freezes the layers too.
function Container.__index(self, key)
  if key == "trainable" then return rawget(self, "is_trainable") end
  return getmetatable(self)[key]
end

function Container.__newindex(self, key, value)
  if key ~= "trainable" then return rawset(self, key, value) end
  rawset(self, "is_trainable", value)
  if rawget(self, "weights") then -- made already
    for _, layer in ipairs(self.layers) do layer.trainable = value end
  end
end

-- ---- building --------------------------------------------------------------------------------------

-- The message without the position at its front, when that is the one that the next message gets anyway.
local function without_position(message)
  local _, here = pcall(check.raise, "%s", "")
  if message:sub(1, #here) == here then return message:sub(#here + 1) end
  return message
end

--- Builds layer i for inputs like x, and returns its output; an error says which layer it was.
---@param i integer
---@param x Tensor a batch of one
---@return Tensor
function Container:prepare_layer(i, x)
  local layer = self.layers[i]
  local ok, y = pcall(layer.prepare, layer, x)
  if ok then return y end
  if type(y) ~= "string" then error(y, 0) end
  return check.raise("%s: layer %d (%s): %s", self.name or class.snake_case(self.__name), i, layer.name,
    without_position(y))
end

--- Builds all layers and returns the output; each container says how.
---@param x Tensor
---@return Tensor
function Container:prepare_layers(x) return x end

function Container:prepare_within(x)
  if self.built then return self:forward(x, false) end
  self:name_layers()
  local y = self:prepare_layers(x)
  local shapes = { x:shape(), y:shape() }
  for _, shape in ipairs(shapes) do table.remove(shape, 1) end
  self.input_shape, self.output_shape = shapes[1], shapes[2]
  self.dtype, self.built = y:dtype(), true
  return y
end

function Container:cost()
  local total = 0
  for _, layer in ipairs(self.layers) do total = total + layer:cost(layer.input_shape, layer.output_shape) end
  return total
end

-- ---- looking at it ---------------------------------------------------------------------------------

local function show(fn, text, options)
  options = check.options(fn, options, { "print" })
  if options.print == false then return text end
  print(text)
end

--- Prints the table of layers, output shapes and parameters, as Keras does.
---@param options? { print: boolean? } print = false returns the text instead
---@return string?
function Container:summary(options) return show("summary", summary.text(self), options) end

--- Prints what each layer costs, for one sample, and how its output's size comes about.
---@param options? { print: boolean? } print = false returns the text instead
---@return string?
function Container:explain(options) return show("explain", explain.text(self), options) end

return Container
