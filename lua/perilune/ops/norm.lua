-- Normalisation: y = gamma·(x − mean)/√(variance + epsilon) + beta, over the batch (Ioffe, Szegedy 2015)
-- or over each sample's last axes (Ba, Kiros, Hinton 2016). Here x is seen as a matrix: over its rows
-- for the batch, over its columns for a sample.
local check = require "perilune.check"
local ops = require "perilune.ops.registry"
local options = require "perilune.ops.options"

local EPSILON <const> = 1e-3 -- Keras's

local function epsilon_of(fn, given, known)
  local epsilon = check.options(fn, given, known).epsilon or EPSILON
  check.arg(type(epsilon) == "number" and epsilon >= 0, fn, "epsilon", "a number from 0 up", epsilon)
  return epsilon
end

local function check_vector(fn, name, v, x, size)
  if v == nil then return end
  options.check_floats(v, fn, "a tensor of floats")
  check.arg(v:numel() == size and v:dtype() == x:dtype(), fn, name,
    ("a tensor of %d numbers %s"):format(size, x:dtype()), v)
end

local function times(x, gamma) return gamma and x * gamma or x end

-- y from the normalised x, kept for the way back.
local function scaled(slot, normalised, gamma, beta)
  slot.normalised = normalised
  local y = gamma and normalised * gamma or normalised:clone()
  if beta then y:add_(beta) end
  return y
end

-- The gradients by gamma and beta, sums over the rows, and by x: what is left of gamma·dy when its mean along
-- the normalised axis and the part along the normalised x are taken away.
local function back(slot, dy, x, gamma, beta, axis)
  local normalised = slot.normalised
  dy = dy:reshape(normalised:shape())
  if slot:needs(2) then slot:add_gradient(2, (dy * normalised):sum(1):reshape(gamma:shape())) end
  if slot:needs(3) then slot:add_gradient(3, dy:sum(1):reshape(beta:shape())) end
  if not slot:needs(1) then return end
  local d = times(dy, gamma and gamma:reshape(gamma:numel()))
  local along = (d * normalised):mean(axis, true)
  local dx = (d - d:mean(axis, true)):sub_(normalised * along):mul_(slot.inverse)
  slot:add_gradient(1, dx:reshape(x:shape()))
end

local function normalise(slot, matrix, axis, epsilon)
  local mean, variance = matrix:mean(axis, true), matrix:var(axis, true)
  slot.inverse = (variance + epsilon):rsqrt_()
  return (matrix - mean):mul_(slot.inverse), mean, variance
end

--- x {…, C} -> y, and mean {C} and (biased) variance {C} of each channel.
ops.batch_norm = {
  forward = function(slot, x, gamma, beta, given)
    local fn = "batch_norm"
    options.check_floats(x, fn, "a tensor {…, channels} of floats")
    check.arg(x:rank() >= 2 and x:numel() > 0, fn, "self", "a tensor {…, channels} with elements", x)
    local channels = x:size(-1)
    check_vector(fn, "gamma", gamma, x, channels)
    check_vector(fn, "beta", beta, x, channels)
    local epsilon = epsilon_of(fn, given, { "epsilon" })
    local matrix = x:reshape(x:numel() // channels, channels)
    local normalised, mean, variance = normalise(slot, matrix, 1, epsilon)
    local y = scaled(slot, normalised, gamma, beta)
    return y:reshape(x:shape()), mean:reshape(channels), variance:reshape(channels)
  end,
  backward = function(slot, dy, x, gamma, beta) back(slot, dy, x, gamma, beta, 1) end,
}

--- The same with a mean and a variance that are given, and constant.
ops.batch_norm_inference = {
  forward = function(slot, x, gamma, beta, mean, variance, given)
    local fn = "batch_norm_inference"
    options.check_floats(x, fn, "a tensor {…, channels} of floats")
    check.arg(x:rank() >= 2, fn, "self", "a tensor {…, channels}", x)
    local channels = x:size(-1)
    check.arg(mean ~= nil, fn, "mean", "a tensor, a number for each channel", mean)
    check.arg(variance ~= nil, fn, "variance", "a tensor, a number for each channel", variance)
    for name, v in pairs { gamma = gamma, beta = beta, mean = mean, variance = variance } do
      check_vector(fn, name, v, x, channels)
    end
    slot.inverse = (variance + epsilon_of(fn, given, { "epsilon" })):rsqrt_()
    local matrix = x:reshape(x:numel() // math.max(1, channels), channels)
    return scaled(slot, (matrix - mean):mul_(slot.inverse), gamma, beta):reshape(x:shape())
  end,
  backward = function(slot, dy, x, gamma, beta)
    dy = dy:reshape(slot.normalised:shape())
    if slot:needs(2) then slot:add_gradient(2, (dy * slot.normalised):sum(1):reshape(gamma:shape())) end
    if slot:needs(3) then slot:add_gradient(3, dy:sum(1):reshape(beta:shape())) end
    if slot:needs(1) then
      local d = times(dy, gamma and gamma:reshape(gamma:numel()))
      slot:add_gradient(1, (d * slot.inverse):reshape(x:shape()))
    end
  end,
}

-- How many of the last axes are meant: -1 or a list such as {-2, -1}.
local function count_axes(fn, x, axes)
  if axes == nil then return 1 end
  local list, rank = type(axes) == "table" and axes or { axes }, x:rank()
  local seen, lowest = {}, rank + 1
  for _, axis in ipairs(list) do
    axis = check.integer(axis, fn, "axes", -rank, rank)
    if axis < 0 then axis = rank + 1 + axis end
    seen[axis], lowest = true, math.min(lowest, axis)
  end
  for axis = lowest, rank do
    check.arg(seen[axis], fn, "axes", "the last axes, without a gap", table.concat(list, ", "))
  end
  check.arg(lowest > 1 and lowest <= rank, fn, "axes", "axes of a sample, not of the batch",
    table.concat(list, ", "))
  return rank + 1 - lowest
end

ops.layer_norm = {
  forward = function(slot, x, gamma, beta, given)
    local fn = "layer_norm"
    options.check_floats(x, fn, "a tensor of floats")
    check.arg(x:rank() >= 2 and x:numel() > 0, fn, "self", "a tensor {N, …} with elements", x)
    local epsilon = epsilon_of(fn, given, { "epsilon", "axes" })
    local shape, width = x:shape(), 1
    for i = 0, count_axes(fn, x, given and given.axes) - 1 do width = width * shape[#shape - i] end
    check_vector(fn, "gamma", gamma, x, width)
    check_vector(fn, "beta", beta, x, width)
    local matrix = x:reshape(x:numel() // width, width)
    return scaled(slot, (normalise(slot, matrix, 2, epsilon)), gamma and gamma:reshape(width),
      beta and beta:reshape(width)):reshape(shape)
  end,
  backward = function(slot, dy, x, gamma, beta) back(slot, dy, x, gamma, beta, 2) end,
}
