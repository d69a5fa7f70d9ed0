-- Losses and metrics against numbers worked out by hand, and gradients of the losses.
local cases = require "tests.cases.losses"
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

-- ---- the rows of tests/cases/losses.lua -----------------------------------------------------------------

-- What kind of numbers stand in a batch: {N, C}, or {N} for classes.
local KINDS <const> = {
  scores = function(rng, n, c) return rng:uniform(-2, 2, { n, c }, "float64") end,
  sign = function(rng, n, c) return rng:randint(0, 2, { n, c }):double() * 2 - 1 end,
  bits = function(rng, n, c) return rng:randint(0, 2, { n, c }):double() end,
  chances = function(rng, n, c) return rng:uniform(0.05, 0.95, { n, c }, "float64") end,
  probabilities = function(rng, n, c) return rng:randn({ n, c }, "float64"):softmax(-1) end,
  -- the losses divide by the sum; not so small that a step of the differences is large beside them
  shares = function(rng, n, c) return rng:uniform(0.5, 1.5, { n, c }, "float64") end,
  classes = function(rng, n, c) return rng:randint(1, c + 1, { n }) end,
}

describe("each loss", function()
  for i, row in ipairs(cases) do
    local loss = losses[row.loss](row.options or {})
    local function batch(n, c)
      local rng = pl.rng(100 * n + c)
      return KINDS[row.targets or "scores"](rng, n, c), KINDS[row.predictions or "scores"](rng, n, c),
        rng:uniform(0.5, 2, { n }, "float64")
    end

    it(("%d %s is its formula, with weights and without, in both dtypes"):format(i, row.loss), function()
      for _, size in ipairs { { 1, 2 }, { 1, 1 }, { 3, 3 }, { 5, 17 }, { 33, 10 } } do
        local y, p, weights = batch(size[1], size[2])
        local expected, weighted = 0, 0
        for n, prediction in ipairs(p:totable()) do
          local one = row.of(y:totable()[n], prediction, row.options or {})
          expected, weighted = expected + one / size[1], weighted + one * weights[n] / size[1]
        end
        local room = math.max(expected, weighted, 1)
        assert.is_true(math.abs(loss(y, p) - expected) <= 1e-13 * room)
        assert.is_true(math.abs(loss(y, p, weights) - weighted) <= 1e-13 * room)
        local y32 = row.targets == "classes" and y or y:float()
        assert.is_true(math.abs(loss(y32, p:float()) - expected) <= 1e-6 * room)
        assert.is_true(math.abs(loss(y32, p:float(), weights:float()) - weighted) <= 1e-6 * room)
      end
    end)

    it(("%d %s has the gradient of its value"):format(i, row.loss), function()
      for _, size in ipairs { { 1, 2 }, { 3, 3 }, { 2, 17 } } do
        local y, p, weights = batch(size[1], size[2])
        for _, given in ipairs { false, weights } do
          local worst = gradients.compare(pl, function(list)
            return loss(y, list[1], given or nil)
          end, { p }, { 1 })
          assert.is_true(worst < 1e-8, tostring(worst))
        end
        local function slope(dtype)
          local target = row.targets == "classes" and y or y:to(dtype)
          return select(2, pl.value_and_grad(function(x) return loss(target, x, weights:to(dtype)) end,
            p:to(dtype))):double()
        end
        local exact = slope "float64"
        assert.is_true((slope "float32" - exact):abs():max() <= 1e-5 * exact:abs():max())
      end
    end)
  end

  it("has a row", function()
    local seen = { Loss = true }
    for _, row in ipairs(cases) do seen[row.loss] = true end
    for name, class in pairs(losses) do
      if type(class) == "table" and class.options then assert.is_true(seen[name], name .. " has no row") end
    end
  end)
end)

describe("the loss", function()
  it("sparse_categorical_crossentropy, from probabilities and from logits", function()
    local expected = -(log(0.5) + log(0.7)) / 2
    near(expected, losses.sparse_categorical_crossentropy(labels, probabilities))
    expected = (softmax_loss({ 1, 2, 0 }, 2) + softmax_loss({ 0.5, -1, 0 }, 1)) / 2
    near(expected, losses.sparse_categorical_crossentropy(labels, logits, { from_logits = true }))
  end)

  it("sparse_categorical_crossentropy names the row of a label that is no class", function()
    local wrong_labels = { [0] = "got 0 in row 2; labels that count from 0 need + 1", [4] = "got 4 in row 2" }
    for label, text in pairs(wrong_labels) do
      local wrong = pl.tensor({ 1, label }, "int32")
      for _, from_logits in ipairs { false, true } do
        local good, message = pcall(function()
          losses.sparse_categorical_crossentropy(wrong, probabilities, { from_logits = from_logits })
        end)
        assert.is_false(good)
        assert.matches("^tests/losses_spec%.lua:%d+: .*expected classes from 1 to 3, ", message)
        assert.is_truthy(message:find(text, 1, true), message)
      end
    end
  end)

  it("smooths a distribution and its own logits alike, with weights too", function()
    local share, weights, smoothing = { { 0, 0.25, 0.75 }, { 1, 0, 0 } }, { 3, 0.5 }, 0.2
    local expected = 0
    for i, row in ipairs { { 1, 2, 0 }, { 0.5, -1, 0 } } do
      for c = 1, 3 do
        local target = share[i][c] * (1 - smoothing) + smoothing / 3
        expected = expected + weights[i] * target * softmax_loss(row, c) / 2
      end
    end
    local options = { from_logits = true, label_smoothing = smoothing }
    near(expected, losses.CategoricalCrossentropy(options)(d(share), logits, d(weights)))
    options.from_logits = false
    near(expected, losses.CategoricalCrossentropy(options)(d(share), logits:softmax(-1), d(weights)))
    local worst, where = gradients.compare(pl, function(list)
      return list[1]:softmax_cross_entropy(d(share), { label_smoothing = smoothing, weights = d(weights) })
    end, { logits }, { 1 })
    assert.is_true(worst < 1e-8, ("%.3g %s"):format(worst, where))
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

  it("of places in a sample, from logits as from probabilities", function()
    local scores = pl.rng(1):randn({ 2, 3, 4 }, "float64")
    local classes = pl.tensor({ { 1, 2, 3 }, { 4, 1, 2 } }, "int32")
    local expected = losses.sparse_categorical_crossentropy(classes, scores:softmax(-1))
    near(expected, losses.sparse_categorical_crossentropy(classes, scores, { from_logits = true }))
    local shares = classes:unsqueeze(3):eq(pl.arange(1, 4, 1, "int32")):double()
    near(expected, losses.categorical_crossentropy(shares, scores, { from_logits = true }))
  end)

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

  local shares = d { { 0, 1, 0 }, { 0, 0, 1 } }

  it("for one-hot targets: accuracy and top-k accuracy", function()
    local right, top = metrics.CategoricalAccuracy {}, metrics.TopKCategoricalAccuracy { k = 2 }
    for _, metric in ipairs { right, top } do metric:update(shares, probabilities) end
    near(0.5, right:result())
    near(0.5, top:result())
    top:reset()
    top:update(d { { 1, 0, 0 }, { 0, 1, 0 } }, d { { 0.3, 0.5, 0.2 }, { 0.7, 0.2, 0.1 } })
    near(1, top:result())
  end)

  it("binary accuracy, by its threshold", function()
    local y, p = d { { 1 }, { 0 }, { 1 }, { 0 } }, d { { 0.6 }, { 0.2 }, { 0.4 }, { 0.45 } }
    for threshold, expected in pairs { [0.5] = 0.75, [0.35] = 0.75, [0.42] = 0.5 } do
      local metric = metrics.BinaryAccuracy { threshold = threshold }
      metric:update(y, p)
      near(expected, metric:result())
    end
  end)

  it("accuracy chooses by the shapes", function()
    for _, case in ipairs { { labels, probabilities, 1 }, { shares, probabilities, 0.5 },
      { d { { 1 }, { 1 } }, d { { 0.7 }, { 0.3 } }, 0.5 } } do
      local metric = metrics.get "accuracy"
      assert.equal("accuracy", metric.name)
      metric:update(case[1], case[2])
      near(case[3], metric:result())
    end
  end)

  -- classes 1 1 1 2 2 3, taken for 1 1 2 2 3 3
  local truth, guess = pl.tensor({ 1, 1, 1, 2, 2, 3 }, "int32"), pl.tensor({ 1, 1, 2, 2, 3, 3 }, "int32")

  it("confusion matrix: rows are the true classes; batches add up; with weights", function()
    local metric = metrics.ConfusionMatrix {}
    metric:update(truth, guess)
    assert.same({ { 2.0, 1.0, 0.0 }, { 0.0, 1.0, 1.0 }, { 0.0, 0.0, 1.0 } }, metric:result():totable())
    metric:update(labels, probabilities, d { 0.5, 3 })
    assert.same({ { 5.0, 1.0, 0.0 }, { 0.0, 1.5, 1.0 }, { 0.0, 0.0, 1.0 } }, metric:result():totable())
  end)

  it("precision, recall and F1: of each class, their mean, weighted, of one", function()
    for name, each in pairs { Precision = { 1, 1 / 2, 1 / 2 }, Recall = { 2 / 3, 1 / 2, 1 },
      F1Score = { 4 / 5, 1 / 2, 2 / 3 } } do
      local function result(options)
        local metric = metrics[name](options)
        metric:update(truth, guess)
        return metric:result()
      end
      near((each[1] + each[2] + each[3]) / 3, result {})
      near((3 * each[1] + 2 * each[2] + each[3]) / 6, result { average = "weighted" })
      near(each[2], result { class_id = 2 })
      local all = result { average = false }
      for i = 1, 3 do near(each[i], all[i]) end
    end
  end)

  it("mean, of numbers and of losses over batches of unequal size", function()
    local metric = metrics.Mean {}
    near(0, metric:result())
    metric:update(2)
    metric:update(5, 2)
    near(4, metric:result())
    for name, sum in pairs { mse = 0 + 1 + 9, mae = 0 + 1 + 3, huber = 0.5 + 2.5 } do
      metric = metrics.get(name)
      metric:update(d { { 1 }, { 2 } }, d { { 1 }, { 3 } })
      metric:update(d { { 1 } }, d { { 4 } })
      near(sum / 3, metric:result())
    end
    local share = d { { 0, 1, 0 }, { 1, 0, 0 } }
    for name, case in pairs {
      hinge = { d { { 1 }, { -1 } }, d { { 0.5 }, { 1.2 } }, (0.5 + 2.2) / 2 },
      binary_crossentropy = { d { { 1 }, { 0 } }, d { { 0.8 }, { 0.3 } }, -(log(0.8) + log(0.7)) / 2 },
      categorical_crossentropy = { share, probabilities, -(log(0.5) + log(0.7)) / 2 },
    } do
      metric = metrics.get(name)
      metric:update(case[1], case[2])
      near(case[3], metric:result())
    end
    metric = metrics.get "sparse_categorical_crossentropy"
    metric:update(labels, probabilities)
    near(-(log(0.5) + log(0.7)) / 2, metric:result())
  end)

  it("broadcasts nothing", function()
    for name, case in pairs {
      SparseCategoricalAccuracy = { pl.ones(2, 1), pl.ones(2, 3) },
      CategoricalAccuracy = { pl.ones(1, 3), pl.ones(2, 3) },
      BinaryAccuracy = { pl.ones(4), pl.ones(4, 1) }, MeanSquaredError = { pl.ones(4), pl.ones(4, 1) },
      ConfusionMatrix = { pl.ones(3), pl.ones(2, 3) },
    } do
      local good, text = pcall(function() metrics[name] {}:update(case[1], case[2]) end)
      assert.is_false(good, name)
      local words = name == "SparseCategoricalAccuracy" and "reshape" or "nothing broadcasts"
      assert.is_truthy(text:find(words, 1, true), text)
    end
    for _, weights in ipairs { d { 1 }, d { { 1 }, { 1 } } } do
      local metric = metrics.SparseCategoricalAccuracy {}
      assert.is_false((pcall(metric.update, metric, labels, probabilities, weights)))
      assert.is_false((pcall(losses.SparseCategoricalCrossentropy {}, labels, probabilities, weights)))
    end
  end)
end)

describe("a loss's reduction", function()
  it("is the mean, the sum, the mean by weight, or none", function()
    local y, p, weights = d { { 0 }, { 0 } }, d { { 1 }, { 2 } }, d { 3, 0.5 }
    for reduction, expected in pairs { mean = { 2.5, 2.5 }, sum = { 5, 5 },
      sum_over_batch_size = { 2.5, 2.5 }, mean_with_sample_weight = { 2.5, 5 / 3.5 } } do
      local loss = losses.MeanSquaredError { reduction = reduction }
      near(expected[1], loss(y, p))
      near(expected[2], loss(y, p, weights))
    end
    assert.same({ 3.0, 2.0 }, losses.MeanSquaredError { reduction = "none" } (y, p, weights):totable())
  end)
end)
