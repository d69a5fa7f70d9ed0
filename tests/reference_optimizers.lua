-- Optimizers in plain Lua, one number at a time, from the papers' formulas: what optim_spec.lua compares
-- with. A rule is function(o, s, w, g, lr, t) -> new w: o the options with their defaults, s a table for
-- this one number's state, empty at first, g the gradient after clipping, t = 1, 2, …
local rules = {}

function rules.SGD(o, s, w, g, lr)
  if not o.momentum or o.momentum == 0 then return w - lr * g end
  s.m = o.momentum * (s.m or 0) - lr * g
  return o.nesterov and w + o.momentum * s.m - lr * g or w + s.m
end

function rules.Adam(o, s, w, g, lr, t)
  local b1, b2 = o.beta_1 or 0.9, o.beta_2 or 0.999
  s.m = b1 * (s.m or 0) + (1 - b1) * g
  s.v = b2 * (s.v or 0) + (1 - b2) * g ^ 2
  s.top = math.max(s.top or 0, s.v)
  local alpha = lr * math.sqrt(1 - b2 ^ t) / (1 - b1 ^ t)
  return w - alpha * s.m / (math.sqrt(o.amsgrad and s.top or s.v) + (o.epsilon or 1e-7))
end

local rates <const> = { SGD = 0.01 }
local decays <const> = {}

local function norm(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x * x end
  return math.sqrt(sum)
end

local function scaled(list, factor)
  local out = {}
  for i, x in ipairs(list) do out[i] = x * factor end
  return out
end

--- Gradients after clipping.
local function clip(o, gradients)
  local out, all = {}, {}
  for i, g in ipairs(gradients) do
    out[i] = g
    all[i] = norm(g)
    if o.clipnorm then out[i] = scaled(g, math.min(1, o.clipnorm / norm(g))) end
    if o.clipvalue then
      out[i] = {}
      for k, x in ipairs(g) do out[i][k] = math.max(-o.clipvalue, math.min(o.clipvalue, x)) end
    end
  end
  if o.global_clipnorm then
    for i, g in ipairs(gradients) do out[i] = scaled(g, math.min(1, o.global_clipnorm / norm(all))) end
  end
  return out
end

--- Runs an optimizer from its beginning.
---@param o table a row of tests/cases/optimizers.lua
---@param shapes integer[][] of the parameters
---@param weights number[][] flat; altered in place
---@param steps number[][][] for each step the gradients
return function(o, shapes, weights, steps)
  local states, rule = {}, rules[o.optimizer]
  for t, gradients in ipairs(steps) do
    local lr = o.learning_rate or rates[o.optimizer] or 0.001
    for i, g in ipairs(clip(o, gradients)) do
      local w, decay = weights[i], o.weight_decay or decays[o.optimizer] or 0
      states[i] = states[i] or {}
      for k = 1, #w do w[k] = w[k] - lr * decay * w[k] end
      for k = 1, #w do
        states[i][k] = states[i][k] or {}
        w[k] = rule(o, states[i][k], w[k], g[k], lr, t, shapes[i])
      end
    end
  end
end
