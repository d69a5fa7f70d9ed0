-- What all optimizers share: options, clipping, weight decay, accumulated gradients, averages of the
-- weights, state. An optimizer itself says which update rule it runs (core/kernels/optimizer.h has the
-- formulas, each one pass over memory) and with which numbers:
--     Optimizer:extend(name, rows)   rows of options, as in optim/options.lua
--     o:rule()                       name of the rule, names of its states, their first value (0)
--     o:scalars(c, rate, t)          sets c[1], c[2], … for update t = 1, 2, … at that learning rate
-- Names, defaults and the order of operations are Keras 3's: gradients are clipped, weights decay
-- (w -= learning_rate * weight_decay * w), then the rule.
local core = require "perilune.core"
local check = require "perilune.check"
local options = require "perilune.optim.options"

local step, norm_of = core.nn.optimizer_step, core.nn.norm
local kinds = options.kinds

---@class Optimizer
---@field learning_rate number|function|table a number, a schedule (pl.optim.schedules) or a function of the
---  number of steps done, 0 at first; may be set at any time
---@field iterations integer updates done
local Optimizer = { name = "Optimizer", classes = {} }
Optimizer.__index = Optimizer
Optimizer.__name = "Optimizer"

local function is_callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or (type(meta) == "table" and meta.__call ~= nil)
end

--- The kind of option that a learning rate is.
Optimizer.rate = {
  function(value) return kinds.not_negative[1](value) or is_callable(value) end,
  "a number from 0 up, a schedule, or a function of the step",
}

local shared <const> = {
  { "learning_rate", 0.001, Optimizer.rate },
  { "weight_decay", nil, kinds.not_negative },
  { "clipnorm", nil, kinds.positive },
  { "clipvalue", nil, kinds.positive },
  { "global_clipnorm", nil, kinds.positive },
  { "use_ema", false, kinds.boolean },
  { "ema_momentum", 0.99, kinds.fraction },
  { "ema_overwrite_frequency", nil, kinds.count },
  { "gradient_accumulation_steps", nil, kinds.several },
  { "exclude_from_weight_decay", nil, kinds.names },
}

--- A new class of optimizers, which is called to make one: `Adam{learning_rate = 1e-3}`.
---@param name string
---@param rows table[] its options, in Keras's order; the shared ones that are not among them follow
---@return table class
function Optimizer:extend(name, rows)
  local class = setmetatable({ name = name, rows = {} }, {
    __index = self,
    __call = function(class, given) return class:new(given) end,
  })
  class.__index, class.__name = class, "optim." .. name
  class.__tostring = Optimizer.tostring
  Optimizer.classes[name] = class
  local own = {}
  for i, row in ipairs(rows) do class.rows[i], own[row[1]] = row, true end
  for _, row in ipairs(shared) do
    if not own[row[1]] then class.rows[#class.rows + 1] = row end
  end
  return class
end

--- Called by the class: an optimizer that is not built yet.
---@param given? table options
---@return Optimizer
function Optimizer:new(given)
  local fn = "optim." .. self.name
  local object = setmetatable({ iterations = 0, accumulated = 0 }, self)
  options.read(fn, self.rows, given, object)
  local clips = {}
  for _, name in ipairs { "clipnorm", "clipvalue", "global_clipnorm" } do
    if object[name] then clips[#clips + 1] = name end
  end
  if #clips > 1 then
    check.raise("%s: only one of clipnorm, clipvalue and global_clipnorm can be set, got %s", fn,
      table.concat(clips, " and "))
  end
  object:check()
  return object
end

--- For a class to check what its options say together.
function Optimizer.check() end

--- `optim.Adam{learning_rate = 0.001}, 12 updates`
function Optimizer:tostring()
  local parts = {}
  for _, row in ipairs(self.rows) do
    local value = self[row[1]]
    if value ~= row[2] or row[1] == "learning_rate" then
      parts[#parts + 1] = row[1] .. " = " .. tostring(value)
    end
  end
  return ("optim.%s{%s}, %d updates"):format(self.name, table.concat(parts, ", "), self.iterations)
end

-- Building ----------------------------------------------------------------------------------------

local function is_excluded(self, name)
  for _, part in ipairs(self.exclude_from_weight_decay or {}) do
    if name:find(part, 1, true) then return true end
  end
  return false
end

--- What an optimizer keeps for one parameter. A class may override it to choose rules by parameter.
---@param parameter { name: string, tensor: Tensor, trainable: boolean? }
---@return table slot
function Optimizer:slot(parameter)
  local rule, names, first = self:rule(parameter)
  local tensor = parameter.tensor
  local slot = {
    name = parameter.name, rule = rule, names = names, states = {}, first = first or 0,
    shape = tensor:shape(), dtype = tensor:dtype(), trainable = parameter.trainable ~= false,
    decays = not is_excluded(self, parameter.name),
  }
  return slot
end

local function like(slot, value) return core.full(slot.shape, value, slot.dtype) end

--- Makes the optimizer's state for these parameters. It serves these alone from then on.
---@param parameters { name: string, tensor: Tensor, trainable: boolean? }[] names differ; float32 or float64;
---  those with trainable = false are passed over by step
function Optimizer:build(parameters)
  local fn = self.name .. ":build"
  check.arg(type(parameters) == "table" and #parameters > 0, fn, "parameters",
    "a list of {name =, tensor =}", parameters)
  local slots, seen = {}, {}
  for i, parameter in ipairs(parameters) do
    local which = ("parameters[%d]"):format(i)
    check.arg(type(parameter) == "table", fn, which, "{name =, tensor =}", parameter)
    local name, tensor = parameter.name, parameter.tensor
    check.arg(type(name) == "string", fn, which .. ".name", "a string", name)
    check.arg(core.is_tensor(tensor) and tensor:dtype():find("^float"), fn, which .. ".tensor",
      "a tensor of dtype float32 or float64", tensor)
    if seen[name] then check.raise("%s: two parameters are called '%s'; each needs a name", fn, name) end
    seen[name] = true
    slots[i] = self:slot(parameter)
  end
  for _, slot in ipairs(slots) do
    if slot.trainable then
      for k in ipairs(slot.names) do slot.states[k] = like(slot, slot.first) end
      if self.use_ema then slot.average = like(slot, 0) end
      if self.gradient_accumulation_steps then slot.sum = like(slot, 0) end
    end
  end
  self.slots, self.iterations, self.accumulated = slots, 0, 0
  self.constants = {}
end

local function check_built(self, fn)
  if not self.slots then
    check.raise("%s: not built yet; call build(parameters) first", fn)
  end
end

local function check_list(self, fn, name, list)
  if type(list) == "table" and #list == #self.slots then return end
  check.raise("%s: argument '%s': expected a list of %d tensors, in the order of build, got %s", fn, name,
    #self.slots, type(list) == "table" and ("a list of %d"):format(#list) or core.describe(list))
end

local function check_fits(slot, fn, name, i, tensor)
  if not core.fits(tensor, slot.shape, slot.dtype) then
    check.raise("%s: argument '%s[%d]' ('%s'): expected a tensor {%s} %s, as it was built for, got %s", fn,
      name, i, slot.name, table.concat(slot.shape, ", "), slot.dtype, core.describe(tensor))
  end
end

-- Stepping ----------------------------------------------------------------------------------------

--- The learning rate of the next step. Schedules count the calls of step: with accumulated gradients,
--- batches and not updates, as in Keras.
---@return number
function Optimizer:learning_rate_now()
  local rate = self.learning_rate
  if type(rate) ~= "number" then
    check.arg(is_callable(rate), self.name .. ":step", "learning_rate", Optimizer.rate[2], rate)
    rate = rate(self.iterations * (self.gradient_accumulation_steps or 1) + self.accumulated)
  end
  check.arg(kinds.not_negative[1](rate), self.name .. ":step", "learning_rate", "a number from 0 up", rate)
  return rate
end

-- What to multiply gradients by so that a norm stays within its bound; NaN stays NaN.
local function shrink(norm, bound) return norm <= bound and 1 or bound / norm end

-- The norm of all gradients as one vector.
local function global_norm(self, gradients)
  local sum = 0
  for i, slot in ipairs(self.slots) do
    if slot.trainable and gradients[i] then
      local norm = norm_of(slot.sum or gradients[i])
      sum = sum + norm * norm
    end
  end
  return math.sqrt(sum)
end

--- Updates one parameter. A class may override it.
---@param slot table
---@param parameter Tensor
---@param gradient Tensor
---@param scale number what to multiply the gradient by
---@param limit number where to cut it off, after that
---@param rate number learning rate
function Optimizer:update(slot, parameter, gradient, scale, limit, rate)
  local decay = slot.decays and self.weight_decay or 0
  step(slot.rule, parameter, gradient, slot.states, self.constants, scale, limit, rate * decay)
end

local NONE <const>, KEEP <const> = {}, {}

-- average := keep * average + (1 - keep) * weights; the first time the weights themselves.
local function average(self, parameters)
  local keep = self.iterations == 0 and 0 or self.ema_momentum
  KEEP[1], KEEP[2] = keep, 1 - keep
  for i, slot in ipairs(self.slots) do
    if slot.average then step("average", slot.average, parameters[i], NONE, KEEP) end
  end
end

local function accumulate(self, gradients)
  for i, slot in ipairs(self.slots) do
    if slot.sum and gradients[i] then slot.sum:add_(gradients[i]) end
  end
end

local function check_step(self, parameters, gradients)
  local fn = self.name .. ":step"
  check_built(self, fn)
  check_list(self, fn, "parameters", parameters)
  check_list(self, fn, "gradients", gradients)
  local any = false
  for i, slot in ipairs(self.slots) do
    check_fits(slot, fn, "parameters", i, parameters[i])
    if slot.trainable and gradients[i] then
      check_fits(slot, fn, "gradients", i, gradients[i])
      any = true
    end
  end
  if not any then check.raise("%s: no gradient for any parameter; was a loss differentiated?", fn) end
end

--- One step: parameters are updated in place, gradients are left as they are. A parameter whose gradient is
--- `false`, or that was built with trainable = false, is passed over. Nothing is allocated. With
--- gradient_accumulation_steps = k only every k-th call updates, by the mean of k gradients.
---@param parameters Tensor[] in the order of build
---@param gradients (Tensor|false)[] of the same shapes and dtypes
function Optimizer:step(parameters, gradients)
  check_step(self, parameters, gradients)
  local rate, count = self:learning_rate_now(), self.gradient_accumulation_steps
  if count then
    accumulate(self, gradients)
    self.accumulated = self.accumulated + 1
    if self.accumulated < count then return end
  end
  local mean = count and 1 / count or 1
  local scale, limit = mean, self.clipvalue or math.huge
  if self.global_clipnorm then
    scale = mean * shrink(global_norm(self, gradients) * mean, self.global_clipnorm)
  end
  self:scalars(self.constants, rate, self.iterations + 1)
  for i, slot in ipairs(self.slots) do
    local gradient = slot.trainable and gradients[i]
    if gradient then
      gradient = slot.sum or gradient
      if self.clipnorm then scale = mean * shrink(norm_of(gradient) * mean, self.clipnorm) end
      self:update(slot, parameters[i], gradient, scale, limit, rate)
    end
    if slot.sum then slot.sum:fill_(0) end
  end
  if self.use_ema then average(self, parameters) end
  self.iterations, self.accumulated = self.iterations + 1, 0
  local frequency = self.use_ema and self.ema_overwrite_frequency
  if frequency and self.iterations % frequency == 0 then self:finalize(parameters) end
end

-- Averages of the weights -------------------------------------------------------------------------

local function check_averages(self, fn, parameters)
  check_built(self, fn)
  if not self.use_ema then
    check.raise("%s: this optimizer keeps no averages; make it with use_ema = true", fn)
  end
  check_list(self, fn, "parameters", parameters)
  for i, slot in ipairs(self.slots) do check_fits(slot, fn, "parameters", i, parameters[i]) end
end

--- Ends a training: with use_ema the parameters become their averages, as Keras's fit does at its end;
--- without, nothing happens.
---@param parameters Tensor[]
function Optimizer:finalize(parameters)
  if not self.use_ema then return end
  check_averages(self, self.name .. ":finalize", parameters)
  if self.iterations == 0 then return end -- nothing is averaged yet
  for i, slot in ipairs(self.slots) do
    if slot.average then parameters[i]:copy_(slot.average) end
  end
end

--- Exchanges the parameters with their averages, to evaluate these; again, and all is as before.
---@param parameters Tensor[]
function Optimizer:swap_averages(parameters)
  check_averages(self, self.name .. ":swap_averages", parameters)
  if self.iterations == 0 then return end
  for i, slot in ipairs(self.slots) do
    if slot.average then
      local weights = parameters[i]:clone()
      parameters[i]:copy_(slot.average)
      slot.average:copy_(weights)
    end
  end
end

--- The averages of the weights by the parameters' names.
---@return table<string, Tensor>
function Optimizer:averages()
  check_built(self, self.name .. ":averages")
  local list = {}
  for _, slot in ipairs(self.slots) do list[slot.name] = slot.average end
  return list
end

-- State and configuration -------------------------------------------------------------------------

-- Numbers beyond these two that a class keeps, by name.
Optimizer.numbers = {}

-- Every tensor of the state by its key, `kernel.velocity`.
local function tensors_of(self)
  local tensors = {}
  for _, slot in ipairs(self.slots) do
    for k, name in ipairs(slot.names) do tensors[slot.name .. "." .. name] = slot.states[k] end
    tensors[slot.name .. ".average"] = slot.average
    tensors[slot.name .. ".gradient_sum"] = slot.sum
  end
  return tensors
end

local function number_names(self)
  return { "iterations", "accumulated", table.unpack(self.numbers) }
end

--- All that an exact continuation needs beside the configuration: tensors by `<parameter>.<state>` (not
--- copies: clone them to keep them) and numbers; the learning rate is among these when it is a number.
---@return { tensors: table<string, Tensor>, numbers: table<string, number> }
function Optimizer:state()
  check_built(self, self.name .. ":state")
  local numbers = {}
  for _, name in ipairs(number_names(self)) do numbers[name] = self[name] end
  if type(self.learning_rate) == "number" then numbers.learning_rate = self.learning_rate end
  return { tensors = tensors_of(self), numbers = numbers }
end

local function check_numbers(self, fn, numbers)
  check.arg(type(numbers) == "table", fn, "state.numbers", "a table of numbers", numbers)
  local known = {}
  for _, name in ipairs(number_names(self)) do
    known[name] = true
    local whole = name == "iterations" or name == "accumulated"
    check.arg((whole and kinds.steps or kinds.number)[1](numbers[name]), fn, "state.numbers." .. name,
      whole and "an integer from 0 up" or "a number", numbers[name])
  end
  check.arg(numbers.accumulated < (self.gradient_accumulation_steps or 1), fn, "state.numbers.accumulated",
    ("an integer below gradient_accumulation_steps (%d)"):format(self.gradient_accumulation_steps or 1),
    numbers.accumulated)
  if type(self.learning_rate) == "number" then
    known.learning_rate = true
    check.arg(kinds.not_negative[1](numbers.learning_rate), fn, "state.numbers.learning_rate",
      "a number from 0 up, as this optimizer has no schedule", numbers.learning_rate)
  end
  for name in pairs(numbers) do
    if not known[name] then
      check.raise("%s: state.numbers.%s is none of this optimizer's; was the state saved by another one?", fn,
        tostring(name))
    end
  end
end

--- Takes a state over, so that the next step gives the bits it would have given there. The optimizer must be
--- built for the same parameters, with the same options. A state that does not fit raises and alters nothing.
---@param state { tensors: table<string, Tensor>, numbers: table<string, number> }
function Optimizer:load_state(state)
  local fn = self.name .. ":load_state"
  check_built(self, fn)
  check.arg(type(state) == "table" and type(state.tensors) == "table", fn, "state",
    "{tensors =, numbers =}, as state() gives it", state)
  check_numbers(self, fn, state.numbers)
  local own = tensors_of(self)
  for key, tensor in pairs(own) do
    local given = state.tensors[key]
    if not (core.is_tensor(given) and given:dtype() == tensor:dtype()
      and table.concat(given:shape(), ",") == table.concat(tensor:shape(), ",")) then
      check.raise("%s: state.tensors['%s']: expected a %s, got %s", fn, key, core.describe(tensor),
        core.describe(given))
    end
  end
  for key in pairs(state.tensors) do
    if not own[key] then
      check.raise("%s: state.tensors['%s'] is none of this optimizer's; was the state saved by another one?",
        fn, tostring(key))
    end
  end
  for key, tensor in pairs(own) do tensor:copy_(state.tensors[key]) end
  for _, name in ipairs(number_names(self)) do self[name] = state.numbers[name] end
  self.iterations, self.accumulated = math.tointeger(self.iterations), math.tointeger(self.accumulated)
  self.learning_rate = state.numbers.learning_rate or self.learning_rate
end

--- The options as a plain table, from which pl.optim.get makes the same optimizer, not built. A learning
--- rate that is a function cannot be written down.
---@return table { class = "Adam", learning_rate = …, … }
function Optimizer:config()
  local rate = self.learning_rate
  if type(rate) ~= "number" and not (type(rate) == "table" and rate.config) then
    check.raise("%s:config: a learning rate that is a function cannot be saved; use one of optim.schedules",
      self.name)
  end
  local config = options.write(self.rows, self)
  config.class = self.name
  return config
end

return Optimizer
