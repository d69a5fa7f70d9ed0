-- Rows of dense layers, activation functions and cross-entropy.
local reference = require "tests.reference"

local FLOATS <const> = { "float32", "float64" }

local rows = {}

local function dense(x, kernel, bias, relu)
  local depth, units = kernel.shape[1], kernel.shape[2]
  local shape = table.move(x.shape, 1, #x.shape, 1, {})
  shape[#shape] = units
  local data, magnitude = {}, {}
  for row = 0, reference.count(shape) // math.max(units, 1) - 1 do
    for u = 1, units do
      local sum = bias and bias.data[u] or 0
      local size = math.abs(sum)
      for d = 1, depth do
        local product = x.data[row * depth + d] * kernel.data[(d - 1) * units + u]
        sum, size = sum + product, size + math.abs(product)
      end
      data[#data + 1], magnitude[#magnitude + 1] = relu and math.max(sum, 0) or sum, size
    end
  end
  return reference.array(shape, data, magnitude)
end

for _, relu in ipairs { false, "relu" } do
  local options = relu and { activation = relu } or {}
  rows[#rows + 1] = {
    name = "dense", label = relu and "dense with relu" or "dense", dtypes = FLOATS,
    operands = { "small", "small", "small" }, eps = 4, args = { options },
    instances = {
      { { 1, 1 }, { 1, 1 }, { 1 } }, { { 3, 5 }, { 5, 17 }, { 17 } }, { { 2, 3, 4 }, { 4, 2 }, { 2 } },
      { { 33, 7 }, { 7, 3 }, { 3 } },
    },
    reference = function(a) return dense(a[1], a[2], a[3], relu) end,
  }
end

rows[#rows + 1] = {
  name = "dense", label = "dense without bias", dtypes = FLOATS, operands = { "small", "small" }, eps = 4,
  instances = { { { 3, 5 }, { 5, 2 } }, { { 1, 17 }, { 17, 3 } } },
  call = function(_, o) return o[1]:dense(o[2]) end,
  reference = function(a) return dense(a[1], a[2]) end,
}

-- ---- activations: an error in a term is an error of that term's size --------------------------------------

local function erf(x) return reference.formulas.erf(x) end

local ALPHA <const>, SCALE <const> = 1.6732632423543772, 1.0507009873554805

local function tanh(x)
  local e = math.exp(-2 * math.abs(x))
  return (x < 0 and -1 or 1) * (1 - e) / (1 + e)
end

-- name, arguments, formula
for _, row in ipairs {
  { "leaky_relu", {}, function(x) return x > 0 and x or 0.3 * x end },
  { "leaky_relu", { 0.1 }, function(x) return x > 0 and x or 0.1 * x end },
  { "elu", {}, function(x) return x > 0 and x or math.exp(x) - 1 end },
  { "elu", { 0.5 }, function(x) return x > 0 and x or 0.5 * (math.exp(x) - 1) end },
  { "selu", {}, function(x) return SCALE * (x > 0 and x or ALPHA * (math.exp(x) - 1)) end },
  { "silu", {}, function(x) return x / (1 + math.exp(-x)) end },
  { "gelu", {}, function(x) return 0.5 * x * (1 + erf(x * math.sqrt(0.5))) end },
  { "gelu", { { approximate = true } }, function(x)
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ^ 3)))
  end },
} do
  rows[#rows + 1] = {
    name = row[1], label = #row[2] > 0 and row[1] .. " with an option" or row[1], dtypes = FLOATS,
    operands = { "any" }, eps = 8, args = row[2],
    instances = { { { 1 } }, { { 17 } }, { { 3, 5, 2 } }, { { 151 } } },
    reference = function(a)
      local y = reference.map(row[3], nil, a[1])
      y.magnitude = reference.map(function(x) return math.abs(x) + 1 end, nil, a[1]).data
      return y
    end,
  }
end

-- ---- cross-entropy of a softmax --------------------------------------------------------------------------

local function cross_entropy(logits, target, smoothing, weights)
  local n, classes = logits.shape[1], logits.shape[2]
  local total, size = 0, 0
  for i = 1, n do
    local sum, top = 0, -math.huge
    for c = 1, classes do top = math.max(top, logits.data[(i - 1) * classes + c]) end
    for c = 1, classes do sum = sum + math.exp(logits.data[(i - 1) * classes + c] - top) end
    for c = 1, classes do
      local log_p = logits.data[(i - 1) * classes + c] - top - math.log(sum)
      local share = target(i, c) * (1 - smoothing) + smoothing / classes
      local term = (weights and weights.data[i] or 1) * share * log_p / n
      total, size = total - term, size + math.abs(term) + share * (math.abs(top) + 1) / n
    end
  end
  local result = reference.array({}, { total }, { size })
  result.number = true
  return result
end

local function by_label(labels) return function(i, c) return labels.data[i] == c and 1 or 0 end end

for _, smoothing in ipairs { 0, 0.1 } do
  rows[#rows + 1] = {
    name = "softmax_cross_entropy", label = ("softmax_cross_entropy, smoothing %g"):format(smoothing),
    dtypes = FLOATS, operands = { "small", "indices" }, fixed = { [2] = "int32" }, eps = 8,
    args = { { label_smoothing = smoothing } },
    instances = {
      { { 1, 1 }, { 1 }, axis = 2 }, { { 3, 5 }, { 3 }, axis = 2 }, { { 7, 17 }, { 7 }, axis = 2 },
    },
    reference = function(a) return cross_entropy(a[1], by_label(a[2]), smoothing) end,
  }
end

rows[#rows + 1] = {
  name = "softmax_cross_entropy", label = "softmax_cross_entropy, weighted", dtypes = FLOATS,
  operands = { "small", "indices", "positive" }, fixed = { [2] = "int32" }, eps = 8, gradient = { 1 },
  instances = { { { 3, 5 }, { 3 }, { 3 }, axis = 2 } },
  call = function(_, o) return o[1]:softmax_cross_entropy(o[2], { weights = o[3] }) end,
  reference = function(a) return cross_entropy(a[1], by_label(a[2]), 0, a[3]) end,
}

rows[#rows + 1] = {
  name = "softmax_cross_entropy", label = "softmax_cross_entropy, shares", dtypes = FLOATS,
  operands = { "small", "positive" }, eps = 8, gradient = { 1 },
  instances = { { { 3, 5 }, { 3, 5 } }, { { 1, 4 }, { 1, 4 } } },
  reference = function(a)
    return cross_entropy(a[1], function(i, c) return a[2].data[(i - 1) * a[1].shape[2] + c] end, 0)
  end,
}

return rows
