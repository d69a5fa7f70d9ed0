-- What a recorded variable answers to: the methods of tensors. Those with an entry in perilune.ops are
-- recorded, those made of others are written here, those that say something about the value only answer
-- with a plain result, and the rest raises: no gradient is ever lost in silence.
local core = require "perilune.core"
local check = require "perilune.check"
local ops = require "perilune.ops"
local tape = require "perilune.autograd.tape"

local Variable = tape.Variable
local methods = {}

for name in pairs(ops) do
  methods[name] = function(self, ...) return self.tape:record(name, self, ...) end
end

-- Constant wherever they are differentiable, or about the shape: the plain value's answer.
for _, name in ipairs {
  "shape", "stride", "size", "rank", "numel", "dtype", "is_contiguous", "item", "totable", "tobytes",
  "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "equal", "allclose", "any", "all",
  "argmin", "argmax", "argsort", "nonzero", "sign", "floor", "ceil", "round", "trunc",
} do
  methods[name] = function(self, other, ...)
    if getmetatable(other) == Variable then other = other.value end
    return self.value[name](self.value, other, ...)
  end
end

--- The plain tensor, of which nothing is recorded; it lives until the pass ends.
function methods.detach(self) return self.value end

function methods.backward(self) return self.tape:backward(self) end

-- ---- made of others --------------------------------------------------------------------------------

function methods.dot(self, other) return self:matmul(other) end
function methods.float(self) return self:to("float32") end
function methods.double(self) return self:to("float64") end
function methods.expand_as(self, other) return self:expand(other:shape()) end

function methods.var(self, axes, keepdims, correction)
  local n = self:numel()
  local mean = self:mean(axes, true)
  local ratio = n / math.max(1, mean:numel())
  return (self - mean):square():sum(axes, keepdims) / (ratio - (correction or 0))
end

function methods.std(self, axes, keepdims, correction) return self:var(axes, keepdims, correction):sqrt() end

function methods.sort(self, axis, descending)
  local order = self.value:argsort(axis, descending)
  return self:gather(axis or -1, order), order
end

function methods.topk(self, k, axis, largest)
  local _, order = self.value:topk(k, axis, largest)
  return self:gather(axis or -1, order), order
end

function methods.split(self, sizes, axis)
  local parts, first = {}, 1
  axis = axis or 1
  for i, part in ipairs(self.value:split(sizes, axis)) do
    parts[i] = self:narrow(axis, first, part:size(axis))
    first = first + part:size(axis)
  end
  return parts
end

-- ---- the metatable ---------------------------------------------------------------------------------

local function refuse(name)
  check.raise(name:sub(-1) == "_" and "%s: writing in place is not recorded in a variable; use %s"
    or "%s: has no gradient; v:detach() gives the plain value", name, name:sub(1, -2))
end

function Variable.__tensor_call(name, ...)
  for i = 1, select("#", ...) do
    local argument = (select(i, ...))
    if getmetatable(argument) == Variable then
      if not ops[name] then
        local plain = methods[name]
        if plain then return plain(...) end
        refuse(name)
      end
      return argument.tape:record(name, ...)
    end
  end
end

local function refuse_index(key)
  check.raise("index: a variable takes an integer or a list such as {1, {2, 3}, {}}, got %s; use v:%s",
    core.describe(key), key:dtype() == "uint8" and "masked_select(mask)" or "index_select(1, indices)")
end

local function unknown(name)
  if type(name) == "string" and core.methods[name] then refuse(name) end
  check.no_field("a variable has no field", name, methods)
end

function Variable.__index(self, key)
  local method = methods[key]
  if method then return method end
  if key == "grad" then return self.gradient or nil end
  if key == "arguments" then return self.slot and self.slot.inputs end
  if type(key) == "number" or type(key) == "table" then return self.tape:record("index", self, key) end
  if core.is_tensor(key) then refuse_index(key) end
  return unknown(key)
end

function Variable.__newindex(self, key, value)
  if type(key) == "number" or type(key) == "table" or core.is_tensor(key) then
    check.raise("elements of a recorded variable cannot be set: writing in place is not recorded")
  end
  if key == "grad" then key, value = "gradient", value or false end
  rawset(self, key, value)
end

function Variable.__len(self) return #self.value end

function Variable.__tostring(self)
  return ("variable%s: %s"):format(self.op and (" of " .. self.op) or "", tostring(self.value))
end

Variable.__name = "variable"

local operators = {
  __add = "add", __sub = "sub", __mul = "mul", __div = "div", __pow = "pow", __mod = "mod",
  __idiv = "floor_divide",
}
for event, name in pairs(operators) do
  Variable[event] = function(a, b) return Variable.__tensor_call(name, a, b) end
end
function Variable.__unm(a) return a:neg() end

-- Tensors are ordered element by element.
local function no_order()
  check.raise("variables are compared element by element with methods: a:lt(b), a:le(b), a:gt(b), a:ge(b)")
end
Variable.__lt, Variable.__le = no_order, no_order

return Variable
