-- Learning-rate schedules: what an optimizer's learning_rate may be instead of a number. A schedule is
-- called with the number of steps done, 0 at first, and keeps nothing: the same step gives the same rate.
-- Names, defaults and formulas are those of keras.optimizers.schedules; OneCycle is torch's OneCycleLR.
local check = require "perilune.check"
local options = require "perilune.optim.options"

local kinds, REQUIRED = options.kinds, options.REQUIRED

---@class Schedule
---@operator call(integer): number
local Schedule = { classes = {} }
Schedule.__index = Schedule

--- A new class of schedules; give it a method at(step) and it can be called, saved and read by its name.
---@param name string
---@param rows table[] options, as in optim/options.lua
---@return table class
function Schedule:extend(name, rows)
  local class = setmetatable({ name = name, rows = rows }, {
    __index = self,
    __call = function(class, given)
      local fn = "schedules." .. name
      local object = setmetatable({}, class)
      options.read(fn, rows, given, object)
      if object.check then object:check(fn) end
      return object
    end,
  })
  class.__index, class.__name, class.__tostring = class, "schedules." .. name, Schedule.tostring
  class.__call = function(object, step)
    check.arg(type(step) == "number" and step >= 0, class.__name, "step", "a number from 0 up", step)
    return object:at(step)
  end
  Schedule.classes[name] = class
  return class
end

--- The options as a plain table, from which schedules.get makes the same schedule.
---@return table { class = "CosineDecay", … }
function Schedule:config()
  local config = options.write(self.rows, self)
  config.class = self.name
  return config
end

--- `schedules.ExponentialDecay{initial_learning_rate = 0.1, …}`
function Schedule:tostring()
  local parts = {}
  for i, row in ipairs(self.rows) do
    local value = self[row[1]]
    local text = type(value) == "table" and "{" .. table.concat(value, ", ") .. "}" or tostring(value)
    parts[i] = row[1] .. " = " .. text
  end
  return ("%s{%s}"):format(self.__name, table.concat(parts, ", "))
end

local schedules = { Schedule = Schedule }

-- From one rate to another along half a cosine, fraction = 0 … 1.
local function cosine(from, to, fraction)
  return to + (from - to) * 0.5 * (1 + math.cos(math.pi * fraction))
end

local initial <const> = { "initial_learning_rate", REQUIRED, kinds.not_negative }
local decay_steps <const> = { "decay_steps", REQUIRED, kinds.positive }

--- The same rate always.
schedules.Constant = Schedule:extend("Constant", { { "learning_rate", REQUIRED, kinds.not_negative } })

function schedules.Constant:at() return self.learning_rate end

--- initial * decay_rate ^ floor(step / decay_steps): halved every decay_steps by default.
schedules.StepDecay = Schedule:extend("StepDecay", {
  initial, decay_steps, { "decay_rate", 0.5, kinds.not_negative },
})

function schedules.StepDecay:at(step)
  return self.initial_learning_rate * self.decay_rate ^ (step // self.decay_steps)
end

--- initial * decay_rate ^ (step / decay_steps), the exponent rounded down with staircase.
schedules.ExponentialDecay = Schedule:extend("ExponentialDecay", {
  initial, decay_steps, { "decay_rate", REQUIRED, kinds.not_negative }, { "staircase", false, kinds.boolean },
})

function schedules.ExponentialDecay:at(step)
  local p = step / self.decay_steps
  return self.initial_learning_rate * self.decay_rate ^ (self.staircase and math.floor(p) or p)
end

--- initial / (1 + decay_rate * step / decay_steps), the quotient rounded down with staircase.
schedules.InverseTimeDecay = Schedule:extend("InverseTimeDecay", {
  initial, decay_steps, { "decay_rate", REQUIRED, kinds.not_negative }, { "staircase", false, kinds.boolean },
})

function schedules.InverseTimeDecay:at(step)
  local p = step / self.decay_steps
  return self.initial_learning_rate / (1 + self.decay_rate * (self.staircase and math.floor(p) or p))
end

--- end + (initial - end) * (1 - step / decay_steps) ^ power until decay_steps, then the end rate; with cycle
--- decay_steps grows by itself whenever it is reached.
schedules.PolynomialDecay = Schedule:extend("PolynomialDecay", {
  initial, decay_steps, { "end_learning_rate", 1e-4, kinds.not_negative }, { "power", 1, kinds.positive },
  { "cycle", false, kinds.boolean },
})

function schedules.PolynomialDecay:at(step)
  local steps, last = self.decay_steps, self.end_learning_rate
  if self.cycle then
    steps = steps * math.max(1, math.ceil(step / steps))
  else
    step = math.min(step, steps)
  end
  return last + (self.initial_learning_rate - last) * (1 - step / steps) ^ self.power
end

--- values[i] for the steps after boundaries[i - 1], up to boundaries[i] and with it:
--- PiecewiseConstantDecay{ {1000, 2000}, {0.1, 0.01, 0.001} }.
schedules.PiecewiseConstantDecay = Schedule:extend("PiecewiseConstantDecay", {
  { "boundaries", REQUIRED, kinds.numbers }, { "values", REQUIRED, kinds.numbers },
})

function schedules.PiecewiseConstantDecay:check(fn)
  if #self.values ~= #self.boundaries + 1 then
    check.raise("%s: expected one value more than boundaries, got %d and %d", fn, #self.values,
      #self.boundaries)
  end
  for i = 2, #self.boundaries do
    if self.boundaries[i] <= self.boundaries[i - 1] then
      check.raise("%s: boundaries must grow, but %s follows %s", fn, self.boundaries[i],
        self.boundaries[i - 1])
    end
  end
  for _, value in ipairs(self.values) do
    check.arg(value >= 0, fn, "values", "rates from 0 up", value)
  end
end

function schedules.PiecewiseConstantDecay:at(step)
  local i = 1
  while self.boundaries[i] and step > self.boundaries[i] do i = i + 1 end
  return self.values[i]
end

--- Along half a cosine from the initial rate to alpha times it in decay_steps; with a warmup_target first a
--- straight line from the initial rate to the target in warmup_steps, and the cosine starts there.
--- Loshchilov and Hutter, "SGDR", ICLR 2017; Goyal et al., "Accurate, large minibatch SGD", 2017.
schedules.CosineDecay = Schedule:extend("CosineDecay", {
  initial, decay_steps, { "alpha", 0, kinds.not_negative }, { "warmup_target", nil, kinds.not_negative },
  { "warmup_steps", 0, kinds.not_negative },
})

function schedules.CosineDecay:check(fn)
  if self.warmup_steps > 0 and not self.warmup_target then
    check.raise("%s: warmup_steps needs warmup_target, the rate to warm up to", fn)
  end
end

function schedules.CosineDecay:at(step)
  local top = self.initial_learning_rate
  if self.warmup_target then
    local target, warmup = self.warmup_target, self.warmup_steps
    if step < warmup then return top + (target - top) * step / warmup end
    top, step = target, step - warmup
  end
  return cosine(top, self.alpha * top, math.min(step / self.decay_steps, 1))
end

--- Half cosines down to alpha times the initial rate, again and again: each period is t_mul times as long as
--- the one before and starts m_mul times as high. The first takes first_decay_steps.
--- Loshchilov and Hutter, "SGDR", ICLR 2017.
schedules.CosineDecayRestarts = Schedule:extend("CosineDecayRestarts", {
  initial, { "first_decay_steps", REQUIRED, kinds.positive },
  { "t_mul", 2, { function(v) return kinds.number[1](v) and v >= 1 end, "a number from 1 up" } },
  { "m_mul", 1, kinds.not_negative }, { "alpha", 0, kinds.not_negative },
})

function schedules.CosineDecayRestarts:at(step)
  local period, restarts = self.first_decay_steps, 0
  if self.t_mul == 1 then
    restarts, step = step // period, step % period
  else
    while step >= period do
      step, period, restarts = step - period, period * self.t_mul, restarts + 1
    end
  end
  local height = self.m_mul ^ restarts
  local top, bottom = self.initial_learning_rate, self.initial_learning_rate * self.alpha
  return bottom + (top - bottom) * cosine(height, 0, step / period)
end

--- Up from max_learning_rate / div_factor to max_learning_rate in the first pct_start of total_steps, then
--- down to the initial rate / final_div_factor at the last step, total_steps - 1, and no further.
--- Smith and Topin, "Super-convergence", 2018; torch.optim.lr_scheduler.OneCycleLR.
schedules.OneCycle = Schedule:extend("OneCycle", {
  { "max_learning_rate", REQUIRED, kinds.not_negative }, { "total_steps", REQUIRED, kinds.several },
  { "pct_start", 0.3, kinds.fraction }, { "anneal_strategy", "cos", options.one_of("cos", "linear") },
  { "div_factor", 25, kinds.positive }, { "final_div_factor", 1e4, kinds.positive },
})

function schedules.OneCycle:at(step)
  local top = self.max_learning_rate
  local first = top / self.div_factor
  local from, to, start, stop = first, top, 0, self.pct_start * self.total_steps - 1
  if step > stop then
    from, to, start, stop = top, first / self.final_div_factor, math.max(stop, 0), self.total_steps - 1
  end
  local fraction = math.min((step - start) / (stop - start), 1)
  if self.anneal_strategy == "linear" then return from + (to - from) * fraction end
  return cosine(from, to, fraction)
end

--- A schedule from the table that config() gives, or as it is.
---@param what table { class = "CosineDecay", … }
---@return Schedule
function schedules.get(what)
  check.arg(type(what) == "table", "schedules.get", "what", "a schedule or its config", what)
  if what.class == nil then return what end
  local given = {}
  for key, value in pairs(what) do given[key] = value end
  given.class = nil
  local class = Schedule.classes[what.class]
  if not class then
    local near = check.nearest(what.class, schedules.names)
    check.raise("schedules.get: no schedule is called %s%s", check.describe(what.class),
      near and ("; did you mean '%s'?"):format(near) or "")
  end
  return class(given)
end

schedules.names = {}
for name in pairs(Schedule.classes) do schedules.names[#schedules.names + 1] = name end
table.sort(schedules.names)

return check.module(schedules, "optim.schedules")
