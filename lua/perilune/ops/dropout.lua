-- Dropout: y = x / (1 - rate) for what is kept, 0 for the rest. Nothing is stored for the gradient: which
-- elements are kept follows from where in the generator's stream the draw was made.
local core = require "perilune.core"
local ops = require "perilune.ops.registry"
local parse = require "perilune.ops.options"

for _, name in ipairs { "dropout", "spatial_dropout2d" } do -- the second drops whole planes of {n, h, w, c}
  local forward, backward = core.nn[name], core.nn[name .. "_backward"]
  ops[name] = {
    forward = function(slot, x, rate, rng)
      parse.check_floats(x, name,
        name == "dropout" and "a tensor of floats" or "images {n, h, w, c} of floats",
        name ~= "dropout" and 4 or nil)
      local y = slot:buffer("y", x:dtype(), x)
      slot.seed, slot.stream, slot.position = forward(y, x, rate, rng)
      return y
    end,
    backward = function(slot, dy, _, rate)
      local dx, add = slot:gradient(1)
      if dx then backward(dx, dy, rate, slot.seed, slot.stream, slot.position, add) end
    end,
  }
end
