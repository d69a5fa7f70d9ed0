-- Normalisation: y = gamma·(x − mean)/√(variance + epsilon) + beta, over the batch (Ioffe, Szegedy 2015)
-- or over each sample's last axes (Ba, Kiros, Hinton 2016). Kept for the way back: mean and
-- 1/√(variance + epsilon).
local check = require "perilune.check"
local core = require "perilune.core"
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

-- The memory of a vector of statistics, kept for the way back.
local function kept(slot, key, x, size)
  slot[key] = slot:buffer(key, x:dtype(), { size })
  return slot[key]
end

local function result(slot, x) return slot:buffer("y", x:dtype(), x) end

-- x {…, channels}, gamma and beta that fit.
local function check_batch(fn, x, gamma, beta)
  options.check_floats(x, fn, "a tensor {…, channels} of floats")
  check.arg(x:rank() >= 2, fn, "self", "a tensor {…, channels}", x)
  local channels = x:size(-1)
  check_vector(fn, "gamma", gamma, x, channels)
  check_vector(fn, "beta", beta, x, channels)
  return channels
end

-- Gradients by x, gamma and beta; `given`: the statistics are constants.
local function batch_backward(given)
  return function(slot, dy, x, gamma)
    local dx, add_x = slot:gradient(1)
    local dgamma, add_gamma = slot:gradient(2)
    local dbeta, add_beta = slot:gradient(3)
    core.nn.batch_norm_backward(dx, dgamma, dbeta, dy, x, slot.mean, slot.inverse, gamma, given, add_x,
      add_gamma, add_beta)
  end
end

--- x {…, C} -> y, and mean {C} and (biased) variance {C} of each channel.
ops.batch_norm = {
  forward = function(slot, x, gamma, beta, given)
    local fn = "batch_norm"
    local channels = check_batch(fn, x, gamma, beta)
    check.arg(x:numel() > 0, fn, "self", "a tensor {…, channels} with elements", x)
    local epsilon = epsilon_of(fn, given, { "epsilon" })
    local y, variance = result(slot, x), kept(slot, "variance", x, channels)
    local mean, inverse = kept(slot, "mean", x, channels), kept(slot, "inverse", x, channels)
    core.nn.batch_norm(y, mean, variance, inverse, x, gamma, beta, epsilon, false)
    return y, mean, variance
  end,
  backward = batch_backward(false),
}

--- The same with a mean and a variance that are given, and constant.
ops.batch_norm_inference = {
  forward = function(slot, x, gamma, beta, mean, variance, given)
    local fn = "batch_norm_inference"
    local channels = check_batch(fn, x, gamma, beta)
    check.arg(mean ~= nil, fn, "mean", "a tensor, a number for each channel", mean)
    check.arg(variance ~= nil, fn, "variance", "a tensor, a number for each channel", variance)
    check_vector(fn, "mean", mean, x, channels)
    check_vector(fn, "variance", variance, x, channels)
    local epsilon = epsilon_of(fn, given, { "epsilon" })
    local y, inverse = result(slot, x), kept(slot, "inverse", x, channels)
    slot.mean = mean
    core.nn.batch_norm(y, mean, variance, inverse, x, gamma, beta, epsilon, true)
    return y
  end,
  backward = batch_backward(true),
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
    local y, rows = result(slot, x), x:numel() // width
    local mean, inverse = kept(slot, "mean", x, rows), kept(slot, "inverse", x, rows)
    core.nn.layer_norm(y, mean, inverse, x, gamma, beta, epsilon)
    return y
  end,
  backward = function(slot, dy, x, gamma)
    local dx, add_x = slot:gradient(1)
    local dgamma, add_gamma = slot:gradient(2)
    local dbeta, add_beta = slot:gradient(3)
    core.nn.layer_norm_backward(dx, dgamma, dbeta, dy, x, slot.mean, slot.inverse, gamma, add_x, add_gamma,
      add_beta)
  end,
}
