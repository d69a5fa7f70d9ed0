-- Shapes: lists of sizes compared and counted; and, for gradients, what broadcasting and reducing did undone.
local shapes = {}

--- The number of elements.
function shapes.count(shape)
  local n = 1
  for axis = 1, #shape do n = n * shape[axis] end
  return n
end

function shapes.same(a, b)
  if #a ~= #b then return false end
  for axis = 1, #a do
    if a[axis] ~= b[axis] then return false end
  end
  return true
end

--- g summed over the axes along which a tensor of `shape` was stretched to g's.
---@param g Tensor
---@param shape integer[]
---@return Tensor
function shapes.sum_to(g, shape)
  local from = g:shape()
  if shapes.same(from, shape) then return g end
  local lead, axes = #from - #shape, {}
  for i = 1, #from do
    if i <= lead or (shape[i - lead] == 1 and from[i] ~= 1) then axes[#axes + 1] = i end
  end
  if #axes == #from then return g:reshape(g:numel()):sum({ 1 }, true):reshape(shape) end
  if #axes > 0 then g = g:sum(axes, true) end
  return g:reshape(shape)
end

--- The shape of a reduction of x with the reduced axes kept, as size 1, and how many elements each took.
---@param x Tensor
---@param axes? integer|integer[] all by default
---@return integer[] shape
---@return integer count
function shapes.reduced(x, axes)
  local shape, count = x:shape(), 1
  local rank = #shape
  if type(axes) == "number" then axes = { axes } end
  if axes == nil then
    axes = {}
    for i = 1, rank do axes[i] = i end
  end
  for _, axis in ipairs(axes) do
    if axis < 0 then axis = rank + 1 + axis end
    count, shape[axis] = count * shape[axis], 1
  end
  return shape, count
end

return shapes
