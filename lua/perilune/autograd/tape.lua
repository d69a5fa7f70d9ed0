-- The tape: what was computed, in order, and the way back.
--
-- A pass runs from begin() to the next. Every operation on a variable takes the next slot of the tape; at
-- the next pass the operation at the same place takes the same slot again, with its memory, so that after
-- its first step a training loop allocates nothing. Memory grows when a batch does and never shrinks.
-- Gradients lie in memory that a free list hands round: it is given back as soon as the operation that
-- made the value has passed the gradient on.
local core = require "perilune.core"
local check = require "perilune.check"
local ops = require "perilune.ops"
local shapes = require "perilune.ops.shapes"

---@class Tape
local Tape = {}
Tape.__index = Tape

-- ---- memory ----------------------------------------------------------------------------------------

-- A block of memory and the tensor that it was last used as.
local function new_block(dtype, numel)
  return { dtype = dtype, numel = numel, memory = core.empty({ numel }, dtype) }
end

local function tensor_in(block, shape)
  if not (block.shape and shapes.same(block.shape, shape)) then
    block.shape = table.move(shape, 1, #shape, 1, {})
    block.tensor = block.memory:narrow(1, 1, shapes.count(shape)):reshape(shape)
  end
  return block.tensor
end

--- The smallest free block that is large enough, or a new one.
function Tape:take(dtype, shape)
  local numel, best = shapes.count(shape), nil
  for i, block in ipairs(self.free) do
    local fits = block.dtype == dtype and block.numel >= numel
    if fits and not (best and self.free[best].numel <= block.numel) then best = i end
  end
  local block = best and table.remove(self.free, best) or new_block(dtype, numel)
  return block, tensor_in(block, shape)
end

--- A block that take gave, for the next that asks.
function Tape:give_back(block) self.free[#self.free + 1] = block end

-- ---- variables -------------------------------------------------------------------------------------

---@class Variable
---@field value Tensor
---@field grad Tensor? the gradient by it, after backward and until the next pass begins
---@field needs boolean whether it wants a gradient
local Variable = {}

--- A variable that wants a gradient. It outlives passes; its value may be changed between them.
---@param tensor Tensor float32 or float64
---@return Variable
function Tape:leaf(tensor)
  local leaf = setmetatable({ tape = self, value = tensor, needs = true, leaf = true }, Variable)
  self.leaves[#self.leaves + 1] = leaf
  return leaf
end

--- A variable that wants none, so that what is computed from it still takes its memory from the tape.
---@param tensor Tensor
---@return Variable
function Tape:constant(tensor)
  return setmetatable({ tape = self, value = tensor, needs = false, leaf = true }, Variable)
end

-- The memory of v's gradient, and whether it holds a part already.
local function gradient_of(v)
  local tape = v.tape
  if v.grad and v.block then return v.grad, true end
  local borrowed = v.grad
  if v.leaf then -- kept from pass to pass
    local shape = v.value:shape()
    v.own = v.own or new_block(v.value:dtype(), v.value:numel())
    v.block, v.grad = v.own, tensor_in(v.own, shape)
  else
    v.block, v.grad = tape:take(v.value:dtype(), v.value:shape())
  end
  if borrowed then v.grad:copy_(borrowed) end
  return v.grad, borrowed ~= nil
end

-- ---- slots -----------------------------------------------------------------------------------------

local Slot = {}
Slot.__index = Slot

function Slot:buffer(key, dtype, shape)
  local block = self.blocks[key]
  if not block or block.dtype ~= dtype or block.numel < shapes.count(shape) then
    block = new_block(dtype, shapes.count(shape))
    self.blocks[key] = block
  end
  return tensor_in(block, shape)
end

function Slot:scratch(dtype, shape)
  local block, tensor = self.tape:take(dtype, shape)
  self.scratches[#self.scratches + 1] = block
  return tensor
end

function Slot:needs(i)
  local v = self.inputs[i]
  return v ~= nil and v.needs
end

function Slot:gradient(i)
  if self:needs(i) then return gradient_of(self.inputs[i]) end
end

function Slot:add_gradient(i, g)
  if not self:needs(i) then return end
  local v = self.inputs[i]
  if not v.grad and not v.leaf then
    v.grad, self.lends = g:contiguous(), true
    return
  end
  local grad, add = gradient_of(v)
  if add then grad:add_(g) else grad:copy_(g) end
end

-- ---- recording -------------------------------------------------------------------------------------

---@return Tape
function Tape.new()
  return setmetatable({ slots = {}, used = 0, pass = 0, free = {}, leaves = {}, held = {} }, Tape)
end

--- Starts a pass: the values and gradients of the last one die, their memory is used again.
function Tape:begin()
  self.used, self.pass = 0, self.pass + 1
  for i, block in ipairs(self.held) do
    self:give_back(block)
    self.held[i] = nil
  end
  for _, leaf in ipairs(self.leaves) do leaf.grad, leaf.block = nil, nil end
end

--- The next slot, with the memory it had when the same operation stood there in an earlier pass.
function Tape:next_slot(name, entry)
  self.used = self.used + 1
  local slot = self.slots[self.used]
  if not slot or slot.name ~= name then
    slot = setmetatable({ tape = self, name = name, entry = entry, blocks = {}, scratches = {}, inputs = {},
      arguments = {} }, Slot)
    self.slots[self.used] = slot
  end
  return slot
end

local function check_alive(tape, v, name)
  if v.tape ~= tape then
    check.raise("%s: the variables belong to two recordings; gradients of gradients are not recorded "
      .. "(v:detach() gives the plain value)", name)
  elseif not v.leaf and v.pass ~= tape.pass then
    check.raise("%s: the variable's pass is over and its memory is used again; keep what you need of it with "
      .. "v:detach():clone()", name)
  end
end

local function finish(slot, y, ...)
  if type(y) == "number" then -- a reduction over all axes
    local dtype = "float32"
    for i = 1, slot.n do
      if slot.inputs[i] then dtype = slot.inputs[i].value:dtype() end
    end
    y = slot:buffer("scalar", dtype, {}):fill_(y)
  end
  slot.y, slot.out.value = y, y
  return slot.out, ...
end

--- Runs an operation on variables and plain values, and puts it on the tape.
function Tape:record(name, ...)
  local entry = ops[name]
  local slot = self:next_slot(name, entry)
  local n, needs = select("#", ...), false
  local arguments, inputs = slot.arguments, slot.inputs
  for i = 1, math.max(n, slot.n or 0) do
    local argument = (select(i, ...))
    inputs[i] = nil
    if getmetatable(argument) == Variable then
      check_alive(self, argument, name)
      inputs[i], needs, argument = argument, needs or argument.needs, argument.value
    end
    arguments[i] = argument
  end
  slot.n = n
  slot.out = setmetatable({ tape = self, op = name, slot = slot, needs = needs, pass = self.pass }, Variable)
  return finish(slot, entry.forward(slot, table.unpack(arguments, 1, n)))
end

--- Fills in the gradients of everything that `loss` was computed from.
---@param loss Variable with one element
function Tape:backward(loss)
  check_alive(self, loss, "backward")
  check.arg(loss.value:numel() == 1, "backward", "loss",
    "a variable with one element, as sum() or mean() gives", loss.value)
  if not loss.needs then return end
  gradient_of(loss):fill_(1)
  for i = self.used, 1, -1 do
    local slot = self.slots[i]
    local out = slot.out
    if out.grad and out.needs then
      slot.lends = false
      slot.entry.backward(slot, out.grad, table.unpack(slot.arguments, 1, slot.n))
      for k, block in ipairs(slot.scratches) do
        self:give_back(block)
        slot.scratches[k] = nil
      end
      if out.block then -- what shares its memory lives until the pass ends
        if slot.lends then self.held[#self.held + 1] = out.block else self:give_back(out.block) end
        out.block = nil
      end
      if out ~= loss then out.grad = nil end
    end
  end
end

return { Tape = Tape, Variable = Variable }
