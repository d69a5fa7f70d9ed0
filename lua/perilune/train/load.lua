-- pl.load: what a safetensors file holds, a model or tensors.
local safetensors = require "perilune.data.safetensors"

local files = {}

--- Reads a safetensors file, whoever wrote it: a model that model:save wrote comes back as a model, compiled
--- as it was, ready to predict or to train on; of any other file, the tensors. Nothing in a file is run: a
--- layer of one's own has to be defined before its model is loaded.
---@param path string
---@return Sequential|table<string, Tensor>|nil loaded nil when the file cannot be read or is damaged in any
---  way
---@return table<string, string>|string|nil metadata the strings kept with tensors; or what is wrong, with
---  the path
function files.load(path)
  local tensors, metadata = safetensors.load(path)
  if not tensors or not metadata["perilune.model"] then return tensors, metadata end
  return require("perilune.train").rebuild(path, tensors, metadata)
end

return files
