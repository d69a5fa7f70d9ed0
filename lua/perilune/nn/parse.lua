-- nn.parse: a model from the notation of the course,
--   INPUT -> [CONV-32 -> RELU]*2 -> POOL -> DROPOUT -> FC-512 -> RELU -> DROPOUT -> FCS
-- CONV-n is a convolution with n filters, CONV-n(5x5) one with windows of its own; POOL a maximum over 2×2
-- pixels, POOL(3x3) over 3×3; FC-n a dense layer, FCS the last one, with softmax over the classes;
-- [ … ]*n repeats, and may stand in another; ReLU, BN, DROPOUT and FLATTEN are what they say. The dense
-- layers flatten what comes to them by themselves. A RELU goes into the layer before it when that is a
-- convolution or dense. Upper and lower case are one.
local check = require "perilune.check"
local Sequential = require "perilune.nn.sequential"

local function layer_class(name) return require("perilune.nn.layers." .. name) end
local Activation, BatchNormalization = layer_class "activation", layer_class "batch_normalization"
local Conv2D, Dense, Dropout = layer_class "conv2d", layer_class "dense", layer_class "dropout"
local Flatten, Input, MaxPooling2D = layer_class "flatten", layer_class "input", layer_class "max_pooling2d"

---@class Parser
---@field text string
---@field at integer the column of the next character
local Parser = {}
Parser.__index = Parser

-- Raises with the line and a mark below the column.
function Parser:fail(column, format, ...)
  check.raise("parse: column %d: %s\n  %s\n  %s^", column, format:format(...), self.text,
    (" "):rep(utf8.len(self.text, 1, math.min(column, #self.text)) - (column > #self.text and 0 or 1)))
end

-- What a pattern matches at the next place that is not blank; nil, and nothing is read, when it does not.
function Parser:match(pattern)
  local from = self.text:find("%S", self.at) or #self.text + 1
  local first, last, capture = self.text:find("^" .. pattern, from)
  if not first then return nil, from end
  self.at = last + 1
  return capture or self.text:sub(first, last), from
end

-- ---- reading: a list of steps {word, n, window, column}, with repeats written out --------------------

local LONGEST <const> = 1000 -- steps, so that [[[…]*99]*99]*99 is an error rather than all of memory

local known_words <const> = { "INPUT", "CONV", "RELU", "POOL", "DROPOUT", "FC", "FCS", "FLATTEN", "BN" }
local wants_number <const> = { CONV = true, FC = true }

function Parser:window(step)
  if not self:match "%(" then return end
  local height, column = self:match "(%d+)"
  if not height then self:fail(column, "expected a size, as in (5x5)") end
  local width = self:match "[xX×]+%s*" and self:match "(%d+)" or height
  local _, close = self:match "%)"
  if self.text:sub(self.at - 1, self.at - 1) ~= ")" then self:fail(close, "expected ')' after the size") end
  step.window = { math.tointeger(height), math.tointeger(width) }
  if step.word ~= "CONV" and step.word ~= "POOL" then
    self:fail(column, "%s has no size of a window", step.word)
  end
end

function Parser:step()
  local word, column = self:match "(%a+)"
  if not word then
    self:fail(column, column > #self.text and "a layer is missing at the end"
      or "expected a layer, got '%s'", self.text:sub(column, column))
  end
  local step = { word = word:upper(), column = column }
  local known = false
  for _, each in ipairs(known_words) do known = known or each == step.word end
  if not known then
    local near = check.nearest(step.word, known_words)
    self:fail(column, "unknown layer %s; %s", word, near and ("did you mean %s?"):format(near)
      or "known are " .. table.concat(known_words, ", "))
  end
  if self.text:find("^%-%s*%d", self.at) then
    step.n = math.tointeger((self:match "%-%s*(%d+)"))
    if not wants_number[step.word] then self:fail(column, "%s has no number", step.word) end
    if not step.n or step.n < 1 then self:fail(column, "expected a number from 1 up after %s-", step.word) end
  elseif wants_number[step.word] then
    self:fail(self.at, "expected a number, as in %s-32", step.word)
  end
  self:window(step)
  return { step }
end

function Parser:group()
  local _, column = self:match "%["
  local steps = self:steps()
  local closed, at = self:match "%]"
  if not closed then self:fail(at, "expected ']' to close the '[' in column %d", column) end
  local times = 1
  if self:match "[*×]+" then
    local n, place = self:match "(%d+)"
    times = n and math.tointeger(n)
    if not times or times < 1 then self:fail(place, "expected a number of repetitions from 1 up") end
  end
  if times * #steps > LONGEST then self:fail(column, "more than %d layers", LONGEST) end
  local repeated = {}
  for _ = 1, times do table.move(steps, 1, #steps, #repeated + 1, repeated) end
  return repeated
end

function Parser:steps()
  local list = {}
  repeat
    local steps = self.text:find("^%s*%[", self.at) and self:group() or self:step()
    table.move(steps, 1, #steps, #list + 1, list)
    if #list > LONGEST then self:fail(self.at, "more than %d layers", LONGEST) end
  until not (self:match "%->" or self:match "→")
  return list
end

-- ---- making ----------------------------------------------------------------------------------------

local OPTIONS <const> = {
  "input", "kernel_size", "padding", "dropout", "classes", "pool_size", "seed", "name", "dtype",
}

local make = {}

function make.CONV(step, options)
  return Conv2D { step.n, step.window or options.kernel_size, padding = options.padding,
    activation = step.relu and "relu" or false }
end

function make.POOL(step, options)
  return MaxPooling2D { step.window or options.pool_size, padding = options.padding }
end

function make.FC(step) return Dense { step.n, activation = step.relu and "relu" or false } end
function make.FCS(_, options) return Dense { options.classes, activation = "softmax" } end
function make.RELU() return Activation { "relu" } end
function make.DROPOUT(_, options) return Dropout { options.dropout } end
function make.FLATTEN() return Flatten {} end
function make.BN() return BatchNormalization {} end

-- Moves each RELU that follows a convolution or a dense layer into it.
local function fuse(steps)
  local fused = {}
  for _, step in ipairs(steps) do
    local last = fused[#fused]
    if step.word == "RELU" and last and (last.word == "CONV" or last.word == "FC") and not last.relu then
      local with = {}
      for key, value in pairs(last) do with[key] = value end
      with.relu = true
      fused[#fused] = with
    else
      fused[#fused + 1] = step
    end
  end
  return fused
end

--- A model from the course's notation:
--- `pl.nn.parse("INPUT -> [CONV-32 -> RELU]*2 -> POOL -> DROPOUT -> FCS", {input = {32, 32, 3}})`.
--- A notation that cannot be read raises and points at the column.
---@param notation string
---@param options? { input: integer[]?, kernel_size: integer?, padding: string?, dropout: number?,
---  classes: integer?, pool_size: integer?, seed: integer?, name: string?, dtype: string? }
---  input: the images' shape, {32, 32, 3}; kernel_size 3; padding "valid"; dropout 0.5; classes 10;
---  pool_size 2
---@return Sequential
local function parse(notation, options)
  check.arg(type(notation) == "string", "parse", "notation", 'a string, as in "INPUT -> FC-10 -> FCS"',
    notation)
  options = check.options("parse", options, OPTIONS)
  local settings = { input = { 32, 32, 3 }, kernel_size = 3, padding = "valid", dropout = 0.5, classes = 10,
    pool_size = 2 }
  for key, value in pairs(options) do settings[key] = value end

  local parser = setmetatable({ text = notation, at = 1 }, Parser)
  local steps = parser:steps()
  local rest = notation:find("%S", parser.at)
  if rest then parser:fail(rest, "expected '->' or the end, got '%s'", notation:sub(rest, rest)) end

  local layers, flat = { Input { settings.input } }, #settings.input == 1
  for i, step in ipairs(fuse(steps)) do
    if step.word == "INPUT" then
      if i > 1 then parser:fail(step.column, "INPUT belongs at the front") end
    else
      local dense = step.word == "FC" or step.word == "FCS"
      if dense and not flat then layers[#layers + 1] = Flatten {} end
      if flat and (step.word == "CONV" or step.word == "POOL") then
        parser:fail(step.column, "%s after the images were flattened by a dense layer", step.word)
      end
      flat = flat or dense or step.word == "FLATTEN"
      layers[#layers + 1] = make[step.word](step, settings)
    end
  end
  layers.seed, layers.name, layers.dtype = settings.seed, settings.name, settings.dtype
  return Sequential(layers)
end

return parse
