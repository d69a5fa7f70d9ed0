-- Muon: the momentum of a matrix, made orthogonal: a step of the same length in every direction.
--   ARGS
--   learning_rate = 0.001, momentum = 0.95, nesterov = true, ns_steps = 5, weight_decay = 0.004,
--   rms_rate = 0.2 (false: no adjustment), muon_a = 3.4445, muon_b = -4.775, muon_c = 2.0315,
--   reshape_kernels = true, exclude_layers (parts of names), exclude_embeddings = true; for what is no matrix
--   adam_beta_1 = 0.9, adam_beta_2 = 0.999, epsilon = 1e-7, adam_weight_decay = 0.004, adam_lr_ratio = 1;
--   and those of optim/optimizer.lua
--   FORMULA                                 m: momentum, 0 at first
--   m := momentum m + g
--   d = g + momentum m                                        without nesterov m itself
--   X := d / (|d| + 1e-7)                                     its transpose, if it has more rows than columns
--   ns_steps times:  A = X X^T,  X := a X + (b A + c A A) X     nears U V^T of X = U S V^T
--   w := w - lr rms_rate sqrt(max(rows, columns)) X
-- So for matrices; a convolution's kernel {h, w, i, o} counts as one of h w i rows and o columns (Keras
-- leaves it to AdamW: reshape_kernels = false), but not a depthwise kernel, which mixes no channels. All
-- else, embeddings, and what exclude_layers names (the output layer, the authors advise) is left to AdamW.
-- Jordan et al., "Muon", 2024; Liu et al., "Muon is scalable for LLM training", 2025; keras.optimizers.Muon.
local core = require "perilune.core"
local Optimizer = require "perilune.optim.optimizer"
local adam_scalars = require "perilune.optim.adam".scalars
local options = require "perilune.optim.options"

local kinds = options.kinds
local matmul, norm, step = core.nn.matmul, core.nn.norm, core.nn.optimizer_step

---@class optim.Muon: Optimizer
local Muon = Optimizer:extend("Muon", {
  { "learning_rate", 0.001, Optimizer.rate },
  { "adam_beta_1", 0.9, kinds.beta },
  { "adam_beta_2", 0.999, kinds.beta },
  { "adam_weight_decay", 0.004, kinds.not_negative },
  { "epsilon", 1e-7, kinds.not_negative },
  { "weight_decay", 0.004, kinds.not_negative },
  { "exclude_layers", nil, kinds.names },
  { "exclude_embeddings", true, kinds.boolean },
  { "muon_a", 3.4445, kinds.number },
  { "muon_b", -4.775, kinds.number },
  { "muon_c", 2.0315, kinds.number },
  { "adam_lr_ratio", 1, kinds.not_negative },
  { "momentum", 0.95, kinds.fraction },
  { "ns_steps", 5, kinds.count },
  { "nesterov", true, kinds.boolean },
  { "rms_rate", 0.2, {
    function(v) return v == false or kinds.positive[1](v) end, "a number above 0, or false",
  } },
  { "reshape_kernels", true, kinds.boolean },
})

-- Rows and columns of the matrix that a parameter is to Muon, or nil.
local function matrix_sizes(self, name, shape)
  if self.exclude_embeddings and name:lower():find("embedding", 1, true) then return nil end
  for _, part in ipairs(self.exclude_layers or {}) do
    if name:find(part, 1, true) then return nil end
  end
  if #shape == 2 then return shape[1], shape[2] end
  if #shape == 4 and self.reshape_kernels and not name:lower():find("depthwise", 1, true) then
    return shape[1] * shape[2] * shape[3], shape[4]
  end
end

function Muon:rule(parameter)
  if matrix_sizes(self, parameter.name, parameter.tensor:shape()) then return "muon", { "momentum" } end
  return "adam", { "momentum", "velocity" }
end

-- What the iteration writes to, once for all steps: X and (b A + c A A) X are rows x columns with no more
-- rows than columns, A and A A are rows x rows. `matrix` is the direction d seen in that form.
local function add_workspace(slot, rows, columns)
  local direction = core.full(slot.shape, 0, slot.dtype)
  slot.states[2] = direction
  slot.matrix = direction:view(rows, columns)
  if rows > columns then slot.matrix, rows, columns = slot.matrix:t(), columns, rows end
  slot.x, slot.next = core.full({ rows, columns }, 0, slot.dtype), core.full({ rows, columns }, 0, slot.dtype)
  slot.x_transposed = slot.x:t()
  slot.a, slot.aa = core.full({ rows, rows }, 0, slot.dtype), core.full({ rows, rows }, 0, slot.dtype)
  slot.longest = columns
end

function Muon:build(parameters)
  Optimizer.build(self, parameters)
  self.adam = { beta_1 = self.adam_beta_1, beta_2 = self.adam_beta_2, epsilon = self.epsilon }
  self.adam_constants = {}
  for _, slot in ipairs(self.slots) do
    if slot.rule == "muon" and slot.trainable then
      add_workspace(slot, matrix_sizes(self, slot.name, slot.shape))
    end
  end
end

function Muon:scalars(c, rate, t)
  c[1] = self.momentum
  c[2], c[3] = self.nesterov and self.momentum or 1, self.nesterov and 1 or 0
  adam_scalars(self.adam, self.adam_constants, rate * self.adam_lr_ratio, t)
end

-- slot.x := about U V^T of slot.matrix = U S V^T.
local function orthogonalize(self, slot)
  local x, a, aa, next_x = slot.x, slot.a, slot.aa, slot.next
  x:copy_(slot.matrix)
  x:mul_(1 / (norm(x) + 1e-7))
  for _ = 1, self.ns_steps do
    matmul(a, x, slot.x_transposed)
    matmul(aa, a, a)
    aa:mul_(self.muon_c):add_(a, self.muon_b)
    matmul(next_x, aa, x)
    x:mul_(self.muon_a):add_(next_x)
  end
end

function Muon:update(slot, parameter, gradient, scale, limit, rate)
  if slot.rule == "adam" then
    local decay = slot.decays and self.adam_weight_decay or 0
    step("adam", parameter, gradient, slot.states, self.adam_constants, scale, limit, rate * decay)
    return
  end
  Optimizer.update(self, slot, parameter, gradient, scale, limit, rate)
  orthogonalize(self, slot)
  slot.matrix:copy_(slot.x)
  local adjusted = self.rms_rate and self.rms_rate * math.sqrt(slot.longest) or 1
  parameter:add_(slot.states[2], -rate * adjusted)
end

return Muon
