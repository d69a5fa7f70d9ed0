-- Losses and metrics against numbers worked out by hand, and gradients of the losses.
local gradients = require "tests.gradients"
local pl = require "perilune"

local losses, metrics = pl.nn.losses, pl.nn.metrics

local function d(values) return pl.tensor(values, "float64") end

local function near(expected, got) assert.is_true(math.abs(expected - got) < 1e-6, tostring(got)) end

local log, exp = math.log, math.exp
local labels = pl.tensor({ 2, 1 }, "int32")
local probabilities = d { { 0.25, 0.5, 0.25 }, { 0.7, 0.2, 0.1 } }
local logits = d { { 1, 2, 0 }, { 0.5, -1, 0 } }

local function softmax_loss(row, label)
  local sum = 0
  for _, v in ipairs(row) do sum = sum + exp(v) end
  return log(sum) - row[label]
end

describe("the loss", function()
  it("sparse_categorical_crossentropy, from probabilities and from logits", function()
    local expected = -(log(0.5) + log(0.7)) / 2
    near(expected, losses.sparse_categorical_crossentropy(labels, probabilities))
    expected = (softmax_loss({ 1, 2, 0 }, 2) + softmax_loss({ 0.5, -1, 0 }, 1)) / 2
    near(expected, losses.sparse_categorical_crossentropy(labels, logits, { from_logits = true }))
  end)

  it("categorical_crossentropy, with label smoothing", function()
    local shares = d { { 0, 1, 0 }, { 1, 0, 0 } }
    near(-(log(0.5) + log(0.7)) / 2, losses.categorical_crossentropy(shares, probabilities))
    local smooth = 0
    for _, row in ipairs { { { 0.25, 0.5, 0.25 }, 2 }, { { 0.7, 0.2, 0.1 }, 1 } } do
      for c, p in ipairs(row[1]) do smooth = smooth - ((c == row[2] and 0.9 or 0) + 0.1 / 3) * log(p) / 2 end
    end
    near(smooth, losses.categorical_crossentropy(shares, probabilities, { label_smoothing = 0.1 }))
  end)

  it("binary_crossentropy", function()
    local y, p = d { { 1 }, { 0 } }, d { { 0.8 }, { 0.3 } }
    near(-(log(0.8) + log(0.7)) / 2, losses.binary_crossentropy(y, p))
    near((log(1 + exp(-2)) + log(1 + exp(-1))) / 2,
      losses.binary_crossentropy(y, d { { 2 }, { -1 } }, { from_logits = true }))
  end)

  it("mean squared and absolute error, Huber and hinge", function()
    local y, p = d { { 1, 2 }, { 3, 4 } }, d { { 1.5, 2 }, { 1, 4.5 } }
    near((0.25 + 0 + 4 + 0.25) / 4, losses.mse(y, p))
    near((0.5 + 0 + 2 + 0.5) / 4, losses.mae(y, p))
    near((0.125 + 0 + 1.5 + 0.125) / 4, losses.huber(y, p))
    near((0.125 + 0 + 0.5 * 2 - 0.125 + 0.125) / 4, losses.huber(y, p, { delta = 0.5 }))
    near((0.5 + 2.2) / 2, losses.hinge(d { { 1 }, { -1 } }, d { { 0.5 }, { 1.2 } }))
  end)

  it("with weights for the samples, as Keras: the weighted sum over the batch's size", function()
    local loss = losses.SparseCategoricalCrossentropy {}
    near(-(3 * log(0.5) + 0.5 * log(0.7)) / 2, loss(labels, probabilities, d { 3, 0.5 }))
  end)

  for name, case in pairs {
    sparse_categorical_crossentropy = { labels, probabilities },
    categorical_crossentropy = { d { { 0.2, 0.5, 0.3 }, { 1, 0, 0 } }, probabilities },
    binary_crossentropy = { d { { 1 }, { 0 } }, d { { 0.8 }, { 0.3 } } },
    mean_squared_error = { d { { 1, 2 } }, d { { 0.3, 2.4 } } },
    mean_absolute_error = { d { { 1, 2 } }, d { { 0.3, 2.4 } } },
    huber = { d { { 1, 2 } }, d { { 0.3, 4.4 } } }, hinge = { d { { 1, -1 } }, d { { 0.5, 1.2 } } },
  } do
    it(name .. " has the gradient of its value", function()
      local worst = gradients.compare(pl, function(list)
        return losses[name](case[1], list[1])
      end, { case[2]:clone() }, { 1 })
      assert.is_true(worst < 1e-8, tostring(worst))
    end)
  end

  it("takes the logits of a softmax, so that no probability is too small", function()
    local _, gradient = pl.value_and_grad(function(x)
      return losses.sparse_categorical_crossentropy(pl.tensor({ 1 }, "int32"), x:softmax(-1))
    end, pl.tensor { { -200, 200 } })
    assert.same({ { -1.0, 1.0 } }, gradient:totable())
  end)

  it("broadcasts nothing", function()
    local good, text = pcall(losses.mse, pl.ones(4, 1), pl.ones(4))
    assert.is_false(good)
    assert.matches("differ in shape", text)
    assert.matches("reshape", text)
  end)

  it("names the label that is none", function()
    local good, text = pcall(losses.sparse_categorical_crossentropy, pl.tensor({ 0, 1 }, "int32"),
      pl.full({ 2, 3 }, 1 / 3))
    assert.is_false(good)
    assert.matches("0", text)
  end)
end)

describe("the metric", function()
  it("accuracy, over batches and with weights", function()
    local metric = metrics.SparseCategoricalAccuracy {}
    metric:update(labels, probabilities)
    metric:update(pl.tensor({ 3, 1 }, "int32"), probabilities)
    near(0.75, metric:result())
    metric:reset()
    metric:update(pl.tensor({ 3, 1 }, "int32"), probabilities, d { 1, 3 })
    near(0.75, metric:result())
  end)

  it("top-k accuracy", function()
    local metric = metrics.SparseTopKCategoricalAccuracy { k = 2 }
    metric:update(pl.tensor({ 2, 3 }, "int32"), probabilities)
    near(0.5, metric:result())
  end)
end)
