-- The derivatives of operations that only move numbers: the gradient moves back.
local core = require "perilune.core"
local ops = require "perilune.ops.registry"
local shapes = require "perilune.ops.shapes"

-- The whole of x in another shape.
for _, name in ipairs { "reshape", "view", "flatten", "squeeze", "unsqueeze", "clone", "contiguous" } do
  ops[name] = {
    backward = function(slot, dy, x) slot:add_gradient(1, dy:reshape(x:shape())) end,
  }
end

-- Views: the same view of x's gradient is where dy belongs.
local function back_through(view)
  return function(slot, dy, _, ...)
    local dx, add = slot:gradient(1)
    if not dx then return end
    if not add then dx:zero_() end
    view(dx, ...):add_(dy)
  end
end

for _, name in ipairs { "select", "slice", "narrow", "permute", "transpose", "t" } do
  ops[name] = { backward = back_through(core.methods[name]) }
end

-- x[key], with any key that indexes a tensor
local function element(x, key)
  local y = x[key]
  if type(y) ~= "number" then return y end
  return x:narrow(1, key < 0 and key + x:size(1) + 1 or key, 1):reshape {}
end

ops.index = {
  recorded = function(_, x, key) return element(x, key) end,
  backward = back_through(element),
}

ops.expand = {
  backward = function(slot, dy, x) slot:add_gradient(1, shapes.sum_to(dy, x:shape())) end,
}

-- Elements taken by their index; one that is taken twice gets both gradients.
ops.index_select = {
  backward = function(slot, dy, _, axis, index)
    local dx, add = slot:gradient(1)
    if not dx then return end
    if not add then dx:zero_() end
    dx:index_add_(axis, index, dy)
  end,
}

ops.gather = {
  backward = function(slot, dy, x, axis, index)
    local dx, add = slot:gradient(1)
    if not dx then return end
    if not add then dx:zero_() end
    local last = axis < 0 and axis + x:rank() + 1 or axis
    -- one row of the flat gradient for each element taken
    local strides, flat = dx:stride(), nil
    local shape = index:shape()
    for d = 1, #shape do
      local place
      if d == last then
        place = index - 1
      else
        local along = {}
        for e = 1, #shape do along[e] = e == d and shape[d] or 1 end
        place = core.methods.reshape(core.ramp("gather", shape[d], 0, 1, "int32"), along)
      end
      place = place * strides[d]
      flat = flat and flat + place or place
    end
    flat = flat:expand(shape):reshape(index:numel()) + 1
    dx:reshape(dx:numel()):index_add_(1, flat, dy:reshape(dy:numel()))
  end,
}

ops.masked_select = {
  backward = function(slot, dy, x, mask)
    local dx, add = slot:gradient(1)
    if not dx then return end
    if not add then dx:zero_() end
    local chosen = mask:expand(x:shape()):reshape(x:numel()):nonzero():reshape(dy:numel())
    dx:reshape(dx:numel()):index_add_(1, chosen, dy)
  end,
}

-- ---- joining: tensors first, then the axis ----------------------------------------------------------

ops.concatenate = {
  recorded = function(slot, ...)
    local list = { ... }
    local axis = table.remove(list)
    local shape = list[1]:shape()
    local at = axis < 0 and axis + #shape + 1 or axis
    local joined = true
    for _, t in ipairs(list) do
      joined = joined and t:rank() == #shape and t:dtype() == list[1]:dtype()
    end
    if not joined or not shape[at] then return core.concatenate(list, axis) end -- which says what is wrong
    shape[at] = 0
    for _, t in ipairs(list) do shape[at] = shape[at] + t:size(at) end
    local y, first = slot:buffer("y", list[1]:dtype(), shape), 1
    for _, t in ipairs(list) do
      local part = y:narrow(at, first, t:size(at))
      if not shapes.same(part:shape(), t:shape()) then return core.concatenate(list, axis) end
      part:copy_(t)
      first = first + t:size(at)
    end
    return y
  end,
  backward = function(slot, dy, ...)
    local n = select("#", ...) - 1
    local axis, first = (select(n + 1, ...)), 1
    for i = 1, n do
      local size = (select(i, ...)):size(axis)
      slot:add_gradient(i, dy:narrow(axis, first, size))
      first = first + size
    end
  end,
}

ops.stack = {
  recorded = function(_, ...)
    local list = { ... }
    return core.stack(list, table.remove(list))
  end,
  backward = function(slot, dy, ...)
    local n = select("#", ...) - 1
    for i = 1, n do slot:add_gradient(i, dy:select((select(n + 1, ...)), i)) end
  end,
}
