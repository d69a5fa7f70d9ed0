-- Cross-entropy of a softmax, from the logits: stable, and a gradient in one pass, (p - target)·w / n.
local core = require "perilune.core"
local check = require "perilune.check"
local ops = require "perilune.ops.registry"
local parse = require "perilune.ops.options"

local FN = "softmax_cross_entropy"

local function parse_options(given)
  local o = check.options(FN, given, { "label_smoothing", "weights" })
  check.arg(o.label_smoothing == nil or type(o.label_smoothing) == "number", FN, "label_smoothing",
    "a number from 0 to 1", o.label_smoothing)
  return o
end

-- logits {n, c}, labels int32 {n} from 1 to c or shares {n, c} -> the mean of the n losses
ops.softmax_cross_entropy = {
  forward = function(slot, logits, labels, options)
    parse.check_floats(logits, FN, "logits {n, classes} of floats", 2)
    local o = parse_options(options)
    slot.p, slot.smoothing, slot.weights = slot:buffer("p", logits:dtype(), logits),
      o.label_smoothing or 0, o.weights
    return core.nn.softmax_cross_entropy(slot.p, logits, labels, slot.smoothing, slot.weights)
  end,
  backward = function(slot, dy, _, labels)
    local dx, add = slot:gradient(1)
    if not dx then return end
    core.nn.softmax_cross_entropy_backward(dx, slot.p, labels, slot.smoothing, slot.weights, dy:item(), add)
  end,
}
