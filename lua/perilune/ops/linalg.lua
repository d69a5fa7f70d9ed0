-- The derivatives of matrix products: dA = dY·Bᵀ, dB = Aᵀ·dY, summed over matrices that were broadcast.
local ops = require "perilune.ops.registry"
local shapes = require "perilune.ops.shapes"

-- Hands over the gradients of the factors of a·b, which are arguments i and i + 1.
local function add_gradients(slot, i, dy, a, b)
  -- vectors are a row on the left, a column on the right
  local left = a:rank() == 1 and a:unsqueeze(1) or a
  local right = b:rank() == 1 and b:unsqueeze(2) or b
  if b:rank() == 1 then dy = dy:unsqueeze(-1) end
  if a:rank() == 1 then dy = dy:unsqueeze(-2) end
  if slot:needs(i) then
    local da = dy:matmul(right:transpose(-1, -2))
    slot:add_gradient(i, shapes.sum_to(da, left:shape()):reshape(a:shape()))
  end
  if slot:needs(i + 1) then
    local db = left:transpose(-1, -2):matmul(dy)
    slot:add_gradient(i + 1, shapes.sum_to(db, right:shape()):reshape(b:shape()))
  end
end

ops.matmul = {
  backward = function(slot, dy, a, b) add_gradients(slot, 1, dy, a, b) end,
}

ops.addmm = {
  backward = function(slot, dy, t, a, b, beta)
    add_gradients(slot, 2, dy, a, b)
    if slot:needs(1) then slot:add_gradient(1, shapes.sum_to(beta and dy * beta or dy, t:shape())) end
  end,
}
