-- A model in a file: one safetensors file with the weights under their paths ("conv2d/kernel"), and in its
-- metadata, as JSON, what they belong to:
--   perilune.model     the layers' classes and options        perilune.compile   optimizer, loss, metrics
--   perilune.training  the optimizer's state, the generators and, in a backup, the place in the training;
--                      its tensors are named "training/…"
-- Nothing in a file is ever run. The safetensors writer replaces a file only once the new one is complete,
-- and keeps a checksum, so that any damage is found.
local core = require "perilune.core"
local check = require "perilune.check"
local nn = require "perilune.nn"
local optim = require "perilune.optim"
local pack = require "perilune.train.pack"
local random = require "perilune.random"
local safetensors = require "perilune.data.safetensors"
local Stepper = require "perilune.train.step"

local saving = {}

-- ---- what there is to save -------------------------------------------------------------------------

--- Every generator that a training draws from: the shuffler's and those of the random layers.
local function generators_state(model)
  local state = { seed = model.fit_seed, shuffler = model.shuffler and model.shuffler:state(), layers = {} }
  for _, entry in ipairs(model:all_layers()) do
    if entry.layer.rng then state.layers[entry.path] = entry.layer.rng:state() end
  end
  return state
end

local function load_generators(model, state)
  model.fit_seed = state.seed
  if state.shuffler then model.shuffler = random.rng(0):set_state(state.shuffler) end
  for _, entry in ipairs(model:all_layers()) do
    local layer, kept = entry.layer, state.layers[entry.path]
    if kept then layer.rng = (layer.rng or random.rng(0)):set_state(kept) end
  end
end

-- Settings that are plain functions cannot be written: then there are none in the file.
local function compile_config(model)
  if not model.optimizer then return nil end
  local ok, config = pcall(function()
    local metrics = {}
    for i, metric in ipairs(model.metrics) do metrics[i] = nn.to_config(metric.object) end
    return {
      optimizer = model.optimizer:config(), loss = nn.to_config(model.loss), metrics = metrics,
    }
  end)
  return ok and config or nil
end

local function training_state(model, run)
  local optimizer = model.optimizer
  return {
    optimizer = optimizer and optimizer.slots and optimizer:state() or nil,
    generators = generators_state(model), run = run,
  }
end

--- Writes a model.
---@param path string
---@param model Sequential built
---@param run? table what a backup keeps besides
---@param options? { optimizer: boolean? } false: without the state of the training
---@return true? ok, string? message
function saving.write(path, model, run, options)
  local tensors, metadata = {}, {}
  for _, weight in ipairs(model:all_weights()) do tensors[weight.path] = weight.tensor end
  metadata["perilune.model"] = pack.encode(nn.to_config(model), "model", tensors)
  local compiled = compile_config(model)
  if compiled then metadata["perilune.compile"] = pack.encode(compiled, "compile", tensors) end
  if not options or options.optimizer ~= false then
    metadata["perilune.training"] = pack.encode(training_state(model, run), "training", tensors)
  end
  return safetensors.save(path, tensors, metadata)
end

-- ---- reading ---------------------------------------------------------------------------------------

-- The error's message without the position that check.raise put before it, behind the file's path.
local function at_path(path, message)
  local _, here = pcall(check.raise, "%s", "")
  message = tostring(message)
  if message:sub(1, #here) == here then message = message:sub(#here + 1) end
  return path .. ": " .. message
end

local function decoded(metadata, key, tensors)
  local text = metadata["perilune." .. key]
  if not text then return nil end
  local value, message = pack.decode(text, tensors)
  if type(value) ~= "table" then
    error(("its %s cannot be read: %s"):format(key, message or "no table"), 0)
  end
  return value
end

--- Copies tensors into the weights of the same path; raises, and changes none, unless every one fits.
local function copy_weights(model, tensors)
  local known = {}
  local weights = model:all_weights()
  for name in pairs(tensors) do known[#known + 1] = name end
  table.sort(known)
  for _, weight in ipairs(weights) do
    local tensor = tensors[weight.path]
    if not tensor then
      local near = check.nearest(weight.path, known)
      error(("the weight '%s' is not in it%s"):format(weight.path, near and ("; it has '%s'"):format(near)
        or ""), 0)
    end
    local wanted, got = core.describe(weight.tensor), core.describe(tensor)
    if wanted ~= got then
      error(("the weight '%s': expected a %s, as the model has it, got a %s"):format(weight.path, wanted,
        got), 0)
    end
  end
  for _, weight in ipairs(weights) do weight.tensor:copy_(tensors[weight.path]) end
end

local function load_training(model, state)
  if state.optimizer and model.optimizer then
    model.optimizer:build(Stepper.optimized(model))
    model.optimizer:load_state(state.optimizer)
  end
  load_generators(model, state.generators)
end

--- Loads the weights of a file into a model that has the same ones.
---@return true? ok, string? message
function saving.load_weights(path, model)
  local tensors, metadata = safetensors.load(path)
  if not tensors then return nil, metadata end
  local ok, message = pcall(copy_weights, model, tensors)
  if not ok then return nil, at_path(path, message) end
  return true
end

--- Brings a model into the state in which it was saved; returns what a backup keeps besides.
---@return table? run, string? message
function saving.restore(path, model)
  local tensors, metadata = safetensors.load(path)
  if not tensors then return nil, metadata end
  local ok, result = pcall(function()
    local state = decoded(metadata, "training", tensors)
    if not state or type(state.run) ~= "table" then error("is no backup of a training", 0) end
    copy_weights(model, tensors)
    load_training(model, state)
    return state.run
  end)
  if not ok then return nil, at_path(path, result) end
  return result
end

--- The model that a file's tensors and metadata describe.
---@return Sequential? model, string? message
function saving.rebuild(path, tensors, metadata)
  local ok, result = pcall(function()
    local model = nn.from_config(decoded(metadata, "model", tensors))
    copy_weights(model, tensors)
    local compiled = decoded(metadata, "compile", tensors)
    if compiled then
      local metrics = {}
      for i, metric in ipairs(compiled.metrics) do metrics[i] = nn.from_config(metric) end
      model:compile {
        optimizer = optim.get(compiled.optimizer), loss = nn.from_config(compiled.loss), metrics = metrics,
      }
    end
    local state = decoded(metadata, "training", tensors)
    if state then load_training(model, state) end
    return model
  end)
  if not ok then return nil, at_path(path, result) end
  return result
end

return saving
