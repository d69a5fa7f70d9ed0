-- The toy oracle: a net so small that the course gives its right numbers. 4 inputs, 3 classes, 5 rows,
-- float64, drawn as NumPy draws with seeds 0 (net) and 1 (data).
local pl = require "perilune"
local TwoLayerNet = require "nets.two_layer_net"

local toy = {}

-- By hidden size: what the course prints, or what NumPy computes. (The course's text says 5 hidden units, but
-- the numbers it prints belong to 10: both are here.)
local EXPECTED <const> = {
  [10] = {
    scores = {
      { -.81233741, -1.27654624, -.70335995 }, { -.17129677, -1.18803311, -.47310444 },
      { -.51590475, -1.01354314, -.8504215 }, { -.15419291, -.48629638, -.52901952 },
      { -.00618733, -.12435261, -.15226949 },
    },
    loss = 1.3037878913298202,
    final_loss = 0.017149607938732,
  },
  [5] = {
    scores = {
      { -.58871962, -.46513494, .49623438 }, { -.82105985, -.18533759, .74528311 },
      { -.29297331, -.58432247, .22687039 }, { -.05681751, -.15081005, .10362688 },
      { -.1947308, .05591153, .06096835 },
    },
    loss = 1.1693962948896928,
  },
}

--- The toy net and its data.
---@param hidden_size integer
---@return TwoLayerNet net, Tensor X, Tensor y
function toy.make(hidden_size)
  local net = TwoLayerNet{
    input_size = 4, hidden_size = hidden_size, num_classes = 3, std = 1e-1,
    rng = pl.numpy_rng(0), dtype = "float64",
  }
  local X = pl.numpy_rng(1):randn({ 5, 4 }, "float64") * 10
  local y = pl.tensor({ 1, 2, 3, 3, 2 }, "int32")
  return net, X, y
end

--- Recomputes every number of the oracle for one hidden size.
---@param hidden_size 5|10
---@return Tensor scores {5, 3}
---@return { what: string, value: number, limit: number, note: string }[] checks reached where value < limit
---@return GradcheckReport report on the gradients
function toy.check(hidden_size)
  local expected = EXPECTED[hidden_size]
  local net, X, y = toy.make(hidden_size)
  local checks = {}
  local function check(what, value, limit, note)
    table.insert(checks, { what = what, value = value, limit = limit, note = note or "" })
  end

  local scores = net:loss(X)
  local differences = (scores - pl.tensor(expected.scores, "float64")):abs()
  check("scores, sum of differences", differences:sum(), 1e-7)

  local loss = net:loss(X, y, { reg = 0.05 })
  check("loss, difference", math.abs(loss - expected.loss), 1e-11,
    ("(%.12f)"):format(loss))

  local report = pl.gradcheck(function() return net:loss(X, y, { reg = 0.05 }) end, net.params)
  for _, name in ipairs { "W1", "b1", "W2", "b2" } do
    check("gradient of " .. name .. ", relative error", report.parameters[name].error, 1e-8)
  end

  local histories = net:train(X, y, X, y, { learning_rate = 1e-1, reg = 5e-6, num_iters = 100 })
  local final = histories.loss_history[100]
  check("loss after 100 iterations", final, 0.02)
  if expected.final_loss then
    check("that loss, difference from NumPy's", math.abs(final - expected.final_loss), 1e-9,
      ("(%.12f)"):format(final))
  end
  return scores, checks, report
end

return toy
