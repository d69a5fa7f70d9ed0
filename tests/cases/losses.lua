-- Losses: { loss = class, options = {…}, targets, predictions = kinds of numbers (see losses_spec.lua),
-- of = function(target, prediction, options) -> the loss of one sample, from rows of numbers in plain Lua }.
-- Each class of pl.nn.losses has a row at least; losses_spec.lua fails otherwise.
local EPSILON <const> = 1e-7

local function mean_of(term)
  return function(target, prediction, options)
    local sum = 0
    for i, p in ipairs(prediction) do sum = sum + term(target[i], p, options) end
    return sum / #prediction
  end
end

local function clipped(p) return math.min(math.max(p, EPSILON), 1 - EPSILON) end

-- −Σ target · log(probability), the target smoothed.
local function cross_entropy(target, prediction, options)
  local total, smoothing, loss = 0, options.label_smoothing or 0, 0
  for _, p in ipairs(prediction) do total = total + (options.from_logits and math.exp(p) or p) end
  for i, p in ipairs(prediction) do
    local share = type(target) == "table" and target[i] or target == i and 1 or 0
    local log_p = options.from_logits and p - math.log(total) or math.log(clipped(p / total))
    loss = loss - (share * (1 - smoothing) + smoothing / #prediction) * log_p
  end
  return loss
end

local binary = mean_of(function(y, p, options)
  local smoothing = options.label_smoothing or 0
  p = clipped(options.from_logits and 1 / (1 + math.exp(-p)) or p)
  y = y * (1 - smoothing) + smoothing / 2
  return -y * math.log(p) - (1 - y) * math.log(1 - p)
end)

local rows = {
  { loss = "MeanSquaredError", of = mean_of(function(y, p) return (y - p) ^ 2 end) },
  { loss = "MeanAbsoluteError", of = mean_of(function(y, p) return math.abs(y - p) end) },
  { loss = "Hinge", targets = "sign", of = mean_of(function(y, p) return math.max(0, 1 - y * p) end) },
}

for _, delta in ipairs { 1, 0.4 } do
  rows[#rows + 1] = {
    loss = "Huber", options = { delta = delta }, of = mean_of(function(y, p)
      local e = math.abs(y - p)
      return e <= delta and e ^ 2 / 2 or delta * e - delta ^ 2 / 2
    end),
  }
end

for _, from_logits in ipairs { true, false } do
  local predictions = not from_logits and "shares" or nil
  for _, smoothing in ipairs { 0, 0.2 } do
    local options = { from_logits = from_logits, label_smoothing = smoothing }
    rows[#rows + 1] = { loss = "SparseCategoricalCrossentropy", targets = "classes", of = cross_entropy,
      options = options, predictions = predictions }
    rows[#rows + 1] = { loss = "CategoricalCrossentropy", targets = "probabilities", of = cross_entropy,
      options = options, predictions = predictions }
    rows[#rows + 1] = { loss = "BinaryCrossentropy", targets = "bits", of = binary,
      options = options, predictions = not from_logits and "chances" or nil }
  end
end

return rows
