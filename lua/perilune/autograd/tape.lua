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

-- shape: a list of sizes, or a tensor of that shape.
local function tensor_in(block, shape)
  if not core.fits(block.tensor, shape) then
    if core.is_tensor(shape) then shape = shape:shape() end
    block.tensor = block.memory:narrow(1, 1, shapes.count(shape)):reshape(shape)
  end
  return block.tensor
end

local function count(shape) return core.is_tensor(shape) and shape:numel() or shapes.count(shape) end

--- The smallest free block that is large enough, or a new one.
---@param shape integer[]|Tensor sizes, or a tensor of that shape
function Tape:take(dtype, shape)
  local free, numel, best, least = self.free, count(shape), nil, math.huge
  for i = 1, #free do
    local block = free[i]
    local size = block.numel
    if size >= numel and size < least and block.dtype == dtype then
      best, least = i, size
      if size == numel then break end
    end
  end
  local block = best and table.remove(free, best) or new_block(dtype, numel)
  return block, tensor_in(block, shape)
end

--- A block that take gave, for the next that asks.
function Tape:give_back(block) self.free[#self.free + 1] = block end

-- ---- variables -------------------------------------------------------------------------------------

---@class Variable
---@field value Tensor
---@field grad Tensor? the gradient by it, after backward and until the next pass begins
---@field needs boolean whether it wants a gradient
---@field gradient Tensor|false behind grad; a field that is always there is read and set without a call
---@field block table|false the gradient's memory, when it is not borrowed
---@field own table|false a leaf's, kept from pass to pass
---@field slot table|false where it was made
local Variable = {}

-- A variable that no operation made.
local function new_leaf(tape, tensor, needs)
  return setmetatable({ tape = tape, value = tensor, needs = needs, leaf = true, gradient = false,
    block = false, own = false, slot = false, op = false, pass = false }, Variable)
end

--- A variable that wants a gradient. It outlives passes; its value may be changed between them.
---@param tensor Tensor float32 or float64
---@return Variable
function Tape:leaf(tensor)
  local leaf = new_leaf(self, tensor, true)
  self.leaves[#self.leaves + 1] = leaf
  return leaf
end

--- A variable that wants none, so that what is computed from it still takes its memory from the tape.
---@param tensor Tensor
---@return Variable
function Tape:constant(tensor) return new_leaf(self, tensor, false) end

-- The memory of v's gradient, and whether it holds a part already.
local function gradient_of(v)
  if v.block and v.gradient then return v.gradient, true end
  local value, borrowed = v.value, v.gradient
  if v.leaf then
    v.own = v.own or new_block(value:dtype(), value:numel())
    v.block, v.gradient = v.own, tensor_in(v.own, value)
  else
    v.block, v.gradient = v.tape:take(value:dtype(), value)
  end
  if borrowed then v.gradient:copy_(borrowed) end
  return v.gradient, borrowed ~= false
end

-- ---- slots -----------------------------------------------------------------------------------------

local Slot = {}
Slot.__index = Slot

function Slot:buffer(key, dtype, shape)
  local block = self.blocks[key]
  if block and core.fits(block.tensor, shape, dtype) then return block.tensor end
  if not block or block.dtype ~= dtype or block.numel < count(shape) then
    block = new_block(dtype, count(shape))
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
  if not v.gradient and not v.leaf then
    v.gradient, self.lends = g:contiguous(), true
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
  for i = 1, #self.leaves do
    local leaf = self.leaves[i]
    leaf.gradient, leaf.block = false, false
  end
end

local NONE <const> = { n = 0 }

--- The next slot, with the memory it had when the same operation stood there in an earlier pass.
function Tape:next_slot(name, entry)
  self.used = self.used + 1
  local slot = self.slots[self.used]
  if not slot or slot.name ~= name then
    slot = setmetatable({ tape = self, name = name, entry = entry, blocks = {}, scratches = {},
      inputs = {}, arguments = NONE }, Slot)
    self.slots[self.used] = slot
  end
  return slot
end

local function is_alive(tape, v) return v.tape == tape and (v.leaf or v.pass == tape.pass) end

local function raise_dead(tape, v, name)
  if v.tape ~= tape then
    check.raise("%s: the variables belong to two recordings; gradients of gradients are not recorded "
      .. "(v:detach() gives the plain value)", name)
  end
  check.raise("%s: the variable's pass is over and its memory is used again; keep what you need of it with "
    .. "v:detach():clone()", name)
end

local function finish(slot, y, ...)
  if type(y) == "number" then -- a reduction over all axes
    local dtype = "float32"
    for i = 1, slot.arguments.n do
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
  local arguments, inputs, needs = table.pack(...), slot.inputs, false
  local n = arguments.n
  for i = 1, n do
    local argument = arguments[i]
    if getmetatable(argument) == Variable then
      if not is_alive(self, argument) then raise_dead(self, argument, name) end
      inputs[i], needs, arguments[i] = argument, needs or argument.needs, argument.value
    else
      inputs[i] = nil
    end
  end
  for i = n + 1, slot.arguments.n do inputs[i] = nil end
  slot.arguments = arguments
  slot.out = setmetatable({ tape = self, value = false, needs = needs, leaf = false, gradient = false,
    block = false, own = false, slot = slot, op = name, pass = self.pass }, Variable)
  return finish(slot, entry.forward(slot, table.unpack(arguments, 1, n)))
end

--- Fills in the gradients of everything that `loss` was computed from.
---@param loss Variable with one element
function Tape:backward(loss)
  if not is_alive(self, loss) then raise_dead(self, loss, "backward") end
  check.arg(loss.value:numel() == 1, "backward", "loss",
    "a variable with one element, as sum() or mean() gives", loss.value)
  if not loss.needs then return end
  gradient_of(loss):fill_(1)
  for i = self.used, 1, -1 do
    local slot = self.slots[i]
    local out = slot.out
    if out.gradient and out.needs then
      slot.lends = false
      slot.entry.backward(slot, out.gradient, table.unpack(slot.arguments, 1, slot.arguments.n))
      local scratches = slot.scratches
      for k = 1, #scratches do
        self:give_back(scratches[k])
        scratches[k] = nil
      end
      if out.block then -- what shares its memory lives until the pass ends
        if slot.lends then self.held[#self.held + 1] = out.block else self:give_back(out.block) end
        out.block = false
      end
      if out ~= loss then out.gradient = false end
    end
  end
end

return { Tape = Tape, Variable = Variable }
