-- The derivatives of reductions: each element gets its share of the gradient by the result.
local ops = require "perilune.ops.registry"
local shapes = require "perilune.ops.shapes"

-- dy and y with the reduced axes kept, so that they broadcast against x.
local function kept(slot, dy, x, axes)
  local shape, count = shapes.reduced(x, axes)
  return dy:reshape(shape), slot.y:reshape(shape), count
end

local function stretch(dy, x) return dy:expand(x:shape()) end

ops.sum = {
  backward = function(slot, dy, x, axes) slot:add_gradient(1, stretch(kept(slot, dy, x, axes), x)) end,
}

ops.mean = {
  backward = function(slot, dy, x, axes)
    local share, _, count = kept(slot, dy, x, axes)
    slot:add_gradient(1, stretch(share / count, x))
  end,
}

-- Equal extremes share the gradient.
for _, name in ipairs { "max", "min" } do
  ops[name] = {
    backward = function(slot, dy, x, axes)
      local share, y = kept(slot, dy, x, axes)
      local hits = x:eq(y):to(x:dtype())
      local count = shapes.sum_to(hits, share:shape())
      slot:add_gradient(1, hits:mul_(share / count))
    end,
  }
end

ops.logsumexp = {
  backward = function(slot, dy, x, axes)
    local share, y = kept(slot, dy, x, axes)
    slot:add_gradient(1, (x - y):exp_():mul_(share))
  end,
}

-- At 0, where the norm has a kink, the gradient is 0.
ops.norm = {
  backward = function(slot, dy, x, axes)
    local share, y = kept(slot, dy, x, axes)
    slot:add_gradient(1, x * (share / y:masked_fill(y:eq(0), 1)))
  end,
}

-- Element i is in the sums from i on.
ops.cumsum = {
  backward = function(slot, dy, _, axis)
    local total = dy:sum(axis or -1, true)
    slot:add_gradient(1, total - dy:cumsum(axis or -1) + dy)
  end,
}
