-- The rows of tests/cases/layers.lua: gradients, float32 against float64, values, configurations.
local cases = require "tests.cases.layers"
local gradients = require "tests.gradients"
local layouts = require "tests.layouts"
local near = require "tests.near"
local pl = require "perilune"

local nn = pl.nn

-- A layer like a row's, built anew in that dtype, and a batch of samples for it.
local function made(row, shape, dtype, n)
  local random = layouts.generator(#shape * 31 + shape[1])
  local batch = table.move(shape, 1, #shape, 2, { n })
  local x = layouts.operand(pl, "float64", batch, "distinct", "contiguous", random, {}):to(dtype)
  local layer = nn.from_config(nn.to_config(row[1]))
  layer(x)
  return layer, x
end

-- What the layer makes of x in training, with these tensors for its weights.
local function applied(layer, weights, x, tensors)
  for k, weight in ipairs(weights) do weight.layer[weight.name] = tensors[k] end
  local y = layer:forward(x, true)
  for _, weight in ipairs(weights) do weight.layer[weight.name] = weight.tensor end
  return y
end

local function tensors_of(weights)
  local list = {}
  for k, weight in ipairs(weights) do list[k] = weight.tensor end
  return list
end

local function every_layer(rows, but)
  local seen = { Layer = true }
  for _, name in ipairs(but) do seen[name] = true end
  for _, row in ipairs(rows) do seen[row[1].__name] = true end
  for name, class in pairs(nn) do
    if type(class) == "table" and type(class.forward) == "function" then
      assert.is_true(seen[name], name .. " has no row")
    end
  end
end

describe("the layer", function()
  for i, row in ipairs(cases.layers) do
    it(("%d %s has the gradients of its value, by input and weights"):format(i, row[1].__name), function()
      for k = 2, #row do
        local layer, x = made(row, row[k], "float64", k == 2 and 3 or 2)
        local weights = layer:all_weights()
        local operands, which = table.move(tensors_of(weights), 1, #weights, 2, { x }), { 1 }
        for w, weight in ipairs(weights) do
          if weight.trainable then which[#which + 1] = w + 1 end
        end
        local worst, where = gradients.compare(pl, function(list)
          return applied(layer, weights, list[1], table.move(list, 2, #list, 1, {}))
        end, operands, which)
        assert.is_true(worst < 1e-8, ("%s: %g"):format(where, worst))
      end
    end)

    it(("%d %s is in float32 what it is in float64"):format(i, row[1].__name), function()
      for k = 2, #row do
        for _, n in ipairs { 1, 3, 7 } do
          local results = {}
          local tensors = tensors_of(made(row, row[k], "float64", n):all_weights())
          for _, dtype in ipairs { "float64", "float32" } do
            local layer, x = made(row, row[k], dtype, n)
            local weights, cast = {}, {}
            for w, weight in ipairs(layer:all_weights()) do
              weight.tensor:copy_(tensors[w]:to(dtype))
              if weight.trainable then
                weights[#weights + 1], cast[#cast + 1] = weight, weight.tensor
              end
            end
            local shares = pl.rng(3):uniform(0.5, 1.5, applied(layer, weights, x, cast):shape(), "float64")
            local found = table.pack(pl.value_and_grad(function(input, ...)
              local y = applied(layer, weights, input, { ... })
              results[#results + 1] = y:detach()
              return (y * shares:to(dtype)):sum()
            end, x, table.unpack(cast)))
            for g = 2, found.n do results[#results + 1] = found[g] end
          end
          local half = #results // 2
          for r = 1, half do
            local exact, got = results[r], results[half + r]
            assert.equal("float32", got:dtype())
            local error = exact:numel() > 0 and (exact - got:double()):abs():max() or 0
            local size = exact:numel() > 0 and exact:abs():max() or 0
            assert.is_true(error <= 1e-5 * math.max(size, 1e-2), ("%d: %g of %g"):format(r, error, size))
          end
        end
      end
    end)
  end

  it("has a row, if it is one of ours", function()
    every_layer(cases.layers, { "Input", "Normalization" }) -- these have no gradients
  end)
end)

-- The convolution of one image by its definition; a kernel of {kh, kw, channels/groups, filters}.
local function convolved(x, kernel, bias, o)
  local size, k, strides, dilation = x:shape(), kernel:shape(), o.strides or 1, o.dilation or 1
  local before, places = {}, {}
  for axis = 1, 2 do
    local n, span = size[axis + 1], (k[axis] - 1) * dilation + 1
    places[axis] = o.same and math.ceil(n / strides) or (n - span) // strides + 1
    before[axis] = o.same and math.max(0, (places[axis] - 1) * strides + span - n) // 2 or 0
  end
  local y, per_group = {}, k[4] // (size[4] // k[3])
  for i = 1, places[1] do
    y[i] = {}
    for j = 1, places[2] do
      y[i][j] = {}
      for f = 1, k[4] do
        local sum, first = bias[f], (f - 1) // per_group * k[3]
        for a = 1, k[1] do
          for b = 1, k[2] do
            local r = (i - 1) * strides + (a - 1) * dilation - before[1] + 1
            local c = (j - 1) * strides + (b - 1) * dilation - before[2] + 1
            for m = 1, r >= 1 and r <= size[2] and c >= 1 and c <= size[3] and k[3] or 0 do
              sum = sum + x[{ 1, r, c, first + m }] * kernel[{ a, b, m, f }]
            end
          end
        end
        y[i][j][f] = sum
      end
    end
  end
  return { y }
end

describe("the value of", function()
  for i, case in ipairs(cases.values) do
    it(("%d %s"):format(i, case[1].__name), function()
      local y = case[1](near.tensor(case[2]))
      assert.equal("float64", y:dtype())
      near.assert(case[3], y)
    end)
  end

  it("Conv2D is that of its definition, for strides, paddings, gaps and groups", function()
    for _, o in ipairs {
      {}, { same = true }, { strides = 2 }, { strides = 2, same = true }, { dilation = 2, same = true },
      { groups = 2, same = true }, { dilation = 2 }, { groups = 2, strides = 2 },
    } do
      local layer = nn.Conv2D { 4, { 3, 2 }, padding = o.same and "same" or "valid", strides = o.strides,
        dilation_rate = o.dilation, groups = o.groups, bias_initializer = "normal" }
      local x = pl.rng(2):randn({ 1, 6, 5, 2 }, "float64")
      near.assert(convolved(x, layer(x) and layer.kernel, layer.bias, o), layer(x), 1e-12)
    end
  end)

  it("BatchNormalization in training is the batch's own, and moves the averages", function()
    local layer = nn.BatchNormalization { epsilon = 0, momentum = 0.75 }
    layer(near.tensor { { 0 } })
    near.assert({ { -1 }, { 1 } }, layer(near.tensor { { 2 }, { 6 } }, true))
    near.assert({ 1 }, layer.moving_mean)
    near.assert({ 0.75 + 0.25 * 4 }, layer.moving_variance)
  end)

  it("Normalization is learned from data", function()
    local layer = nn.Normalization {}:adapt(near.tensor { { 1, 0 }, { 3, 4 } })
    near.assert({ { -1, -1 }, { 1, 1 } }, layer(near.tensor { { 1, 0 }, { 3, 4 } }))
  end)

  it("every layer is here", function() every_layer(cases.values, {}) end)
end)

describe("from_config(to_config(layer))", function()
  for i, case in ipairs(cases.values) do
    it(("makes an equal %d %s"):format(i, case[1].__name), function()
      local saved = nn.to_config(case[1])
      local again = nn.from_config(saved)
      assert.same(saved, nn.to_config(again))
      assert.equal(case[1].__name, again.__name)
      local x = near.tensor(case[2])
      local before, after = case[1](x), again(x:to(again.built and again.input_dtype or "float64"))
      assert.same(before:shape(), after:shape())
      for k, weight in ipairs(again:all_weights()) do
        weight.tensor:copy_(case[1]:all_weights()[k].tensor)
      end
      near.assert(before:totable(), again(x))
    end)
  end
end)
