-- Regularizers: what the size of a weight adds to the loss. An object with loss(w), in methods of w, so
-- that its gradient comes by itself; L2 has no half in it, as in Keras.
local check = require "perilune.check"
local class = require "perilune.nn.class"

---@class Regularizer: Object
local Regularizer = class.root("Regularizer")
local regularizers = { Regularizer = Regularizer }

local function factor(self, name)
  local value = self[name]
  check.arg(type(value) == "number" and value >= 0 and value < math.huge, self.__name, name,
    "a number from 0 up", value)
end

--- regularizer(w) is regularizer:loss(w).
function Regularizer:__call(w) return self:loss(w) end

--- l1 · Σ|w|
regularizers.L1 = Regularizer:extend("L1", { "l1", l1 = 0.01 })
function regularizers.L1:init() factor(self, "l1") end
function regularizers.L1:loss(w) return w:abs():sum() * self.l1 end

--- l2 · Σw²
regularizers.L2 = Regularizer:extend("L2", { "l2", l2 = 0.01 })
function regularizers.L2:init() factor(self, "l2") end
function regularizers.L2:loss(w) return w:square():sum() * self.l2 end

--- l1 · Σ|w| + l2 · Σw²
regularizers.L1L2 = Regularizer:extend("L1L2", { "l1", "l2", l1 = 0, l2 = 0 })
function regularizers.L1L2:init() factor(self, "l1") factor(self, "l2") end
function regularizers.L1L2:loss(w) return w:abs():sum() * self.l1 + w:square():sum() * self.l2 end

local resolve = class.resolver("regularizer", Regularizer, { l1 = "L1", l2 = "L2", l1_l2 = "L1L2" })

--- The regularizer for a name ("l2"), an object, or a function of a weight; nil for nil and false.
---@param value any
---@return Regularizer?
function regularizers.get(value)
  local found = resolve(value)
  if type(found) == "function" then
    return { loss = function(_, w) return found(w) end }
  end
  return found
end

return regularizers
