-- The derivatives of matrix products: dA = dY·Bᵀ, dB = Aᵀ·dY, summed over matrices that were broadcast.
local ops = require "perilune.ops.registry"
local shapes = require "perilune.ops.shapes"

ops.matmul = {
  backward = function(slot, dy, a, b)
    -- vectors are a row on the left, a column on the right
    local left = a:rank() == 1 and a:unsqueeze(1) or a
    local right = b:rank() == 1 and b:unsqueeze(2) or b
    if b:rank() == 1 then dy = dy:unsqueeze(-1) end
    if a:rank() == 1 then dy = dy:unsqueeze(-2) end
    if slot:needs(1) then
      local da = dy:matmul(right:transpose(-1, -2))
      slot:add_gradient(1, shapes.sum_to(da, left:shape()):reshape(a:shape()))
    end
    if slot:needs(2) then
      local db = left:transpose(-1, -2):matmul(dy)
      slot:add_gradient(2, shapes.sum_to(db, right:shape()):reshape(b:shape()))
    end
  end,
}

ops.addmm = {
  backward = function(slot, dy, t, a, b, beta)
    if slot:needs(1) then
      slot:add_gradient(1, shapes.sum_to(beta and dy * beta or dy, t:shape()))
    end
    if slot:needs(2) then slot:add_gradient(2, dy:matmul(b:t())) end
    if slot:needs(3) then slot:add_gradient(3, a:t():matmul(dy)) end
  end,
}
