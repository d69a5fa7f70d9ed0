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

rules.AdamW = rules.Adam

function rules.RMSprop(o, s, w, g, lr)
  local rho = o.rho or 0.9
  s.v = rho * (s.v or 0) + (1 - rho) * g ^ 2
  s.mean = rho * (s.mean or 0) + (1 - rho) * g
  local variance = o.centered and s.v - s.mean ^ 2 or s.v
  s.m = (o.momentum or 0) * (s.m or 0) + lr * g / math.sqrt(variance + (o.epsilon or 1e-7))
  return w - s.m
end

function rules.Adagrad(o, s, w, g, lr)
  s.sum = (s.sum or o.initial_accumulator_value or 0.1) + g ^ 2
  return w - lr * g / math.sqrt(s.sum + (o.epsilon or 1e-7))
end

function rules.Adadelta(o, s, w, g, lr)
  local rho, epsilon = o.rho or 0.95, o.epsilon or 1e-7
  s.v = rho * (s.v or 0) + (1 - rho) * g ^ 2
  local delta = -math.sqrt((s.u or 0) + epsilon) / math.sqrt(s.v + epsilon) * g
  s.u = rho * (s.u or 0) + (1 - rho) * delta ^ 2
  return w + lr * delta
end

function rules.Nadam(o, s, w, g, lr, t)
  local b1, b2 = o.beta_1 or 0.9, o.beta_2 or 0.999
  local function mu(k) return b1 * (1 - 0.5 * 0.96 ^ k) end
  local product = 1
  for k = 1, t do product = product * mu(k) end
  s.m = b1 * (s.m or 0) + (1 - b1) * g
  s.v = b2 * (s.v or 0) + (1 - b2) * g ^ 2
  local m_hat = mu(t + 1) * s.m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
  return w - lr * m_hat / (math.sqrt(s.v / (1 - b2 ^ t)) + (o.epsilon or 1e-7))
end

function rules.Lion(o, s, w, g, lr)
  local b1, b2 = o.beta_1 or 0.9, o.beta_2 or 0.99
  local c = b1 * (s.m or 0) + (1 - b1) * g
  s.m = b2 * (s.m or 0) + (1 - b2) * g
  return w - lr * (c > 0 and 1 or c < 0 and -1 or 0)
end

-- Muon's two rules. Its matrices are tables of rows.

local function multiply(a, b, transposed)
  local out = {}
  for i = 1, #a do
    out[i] = {}
    for j = 1, transposed and #b or #b[1] do
      local sum = 0
      for k = 1, #a[1] do sum = sum + a[i][k] * (transposed and b[j][k] or b[k][j]) end
      out[i][j] = sum
    end
  end
  return out
end

local function combine(a, x, b, y)
  local out = {}
  for i = 1, #x do
    out[i] = {}
    for j = 1, #x[1] do out[i][j] = a * x[i][j] + b * y[i][j] end
  end
  return out
end

local function flip(x)
  local out = {}
  for j = 1, #x[1] do
    out[j] = {}
    for i = 1, #x do out[j][i] = x[i][j] end
  end
  return out
end

local function newton_schulz(o, d, rows, columns)
  local x, sum = {}, 0
  for _, value in ipairs(d) do sum = sum + value ^ 2 end
  for i = 1, rows do
    x[i] = {}
    for j = 1, columns do x[i][j] = d[(i - 1) * columns + j] / (math.sqrt(sum) + 1e-7) end
  end
  if rows > columns then x = flip(x) end
  for _ = 1, o.ns_steps or 5 do
    local a = multiply(x, x, true)
    local b = combine(o.muon_b or -4.775, a, o.muon_c or 2.0315, multiply(a, a))
    x = combine(o.muon_a or 3.4445, x, 1, multiply(b, x))
  end
  return rows > columns and flip(x) or x
end

local function muon_matrix(o, s, w, g, lr, rows, columns)
  local mu, d = o.momentum or 0.95, {}
  for k = 1, #w do
    s[k] = s[k] or {}
    s[k].m = mu * (s[k].m or 0) + g[k]
    d[k] = o.nesterov == false and s[k].m or g[k] + mu * s[k].m
  end
  local x = newton_schulz(o, d, rows, columns)
  local adjusted = o.rms_rate == false and 1 or 0.2 * math.sqrt(math.max(rows, columns))
  for k = 1, #w do w[k] = w[k] - lr * adjusted * x[(k - 1) // columns + 1][(k - 1) % columns + 1] end
end

-- Of the parameter `w<i>`, or nil where AdamW serves it.
local function muon_sizes(o, i, shape)
  for _, part in ipairs(o.exclude_layers or {}) do
    if ("w" .. i):find(part, 1, true) then return nil end
  end
  if #shape == 2 then return shape[1], shape[2] end
  if #shape == 4 and o.reshape_kernels ~= false then return shape[1] * shape[2] * shape[3], shape[4] end
end

local rates <const> = { SGD = 0.01 }
local decays <const> = { AdamW = 0.004, Muon = 0.004 }

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
  local states = {}
  for t, gradients in ipairs(steps) do
    for i, g in ipairs(clip(o, gradients)) do
      local w, s = weights[i], states[i] or {}
      states[i] = s
      local lr, rule = o.learning_rate or rates[o.optimizer] or 0.001, rules[o.optimizer]
      local decay, settings = o.weight_decay or decays[o.optimizer] or 0, o
      local rows, columns
      if o.optimizer == "Muon" then
        rows, columns = muon_sizes(o, i, shapes[i])
        rule, settings = rules.Adam, { beta_1 = o.adam_beta_1, beta_2 = o.adam_beta_2, epsilon = o.epsilon }
        if not rows then decay = o.adam_weight_decay or decays.Muon end
      end
      for k = 1, #w do w[k] = w[k] - lr * decay * w[k] end
      if rows then
        muon_matrix(o, s, w, g, lr, rows, columns)
      else
        for k = 1, #w do
          s[k] = s[k] or {}
          w[k] = rule(settings, s[k], w[k], g[k], lr * (o.adam_lr_ratio or 1), t)
        end
      end
    end
  end
end
