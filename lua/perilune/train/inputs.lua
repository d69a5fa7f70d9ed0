-- What the user gives to fit, evaluate and predict, read and checked before anything is computed.
local core = require "perilune.core"
local check = require "perilune.check"
local losses = require "perilune.nn.losses"
local shapes = require "perilune.ops.shapes"
local Feed = require "perilune.train.feed"

local inputs = {}

local function shape_text(shape) return "{" .. table.concat(shape, ", ") .. "}" end

-- ---- x ---------------------------------------------------------------------------------------------

-- What would make x fit, if that can be told from its shape.
local function shape_fix(got, wanted)
  local rest = table.move(got, 2, #got, 1, {})
  if shapes.same(got, wanted) then return "; one sample needs a batch axis too: x:unsqueeze(1)" end
  if #wanted == 3 and shapes.same(rest, { wanted[3], wanted[1], wanted[2] }) then
    return "; the channels belong last: x:permute(1, 3, 4, 2)"
  end
  if shapes.count(rest) == shapes.count(wanted) then
    return ("; x:reshape(%d, %s)"):format(got[1], table.concat(wanted, ", "))
  end
  return ""
end

local function check_shape(fn, x, wanted)
  if not core.fits(x, wanted, nil, 1) then
    local got = x:shape()
    check.raise("%s: argument 'x': expected {n, %s}, as the model takes, got %s%s", fn,
      table.concat(wanted, ", "), core.describe(x), shape_fix(got, wanted))
  end
end

local function check_dtype(fn, x, dtype)
  local got = x:dtype()
  if got == dtype or got == "uint8" then return end
  check.raise("%s: argument 'x': expected %s (or uint8, made into it batch by batch), got %s; x:%s()", fn,
    dtype, core.describe(x), dtype == "float64" and "double" or "float")
end

-- The row of the first number that is not finite.
local function find_bad_row(t)
  local bad = t:reshape(t:size(1), -1):isfinite():all(2)
  for row = 1, t:size(1) do
    if bad:select(1, row):item() == 0 then return row end
  end
end

--- Raises when a float tensor holds not-a-number or an infinity: a sum is finite only if its terms are.
function inputs.check_finite(fn, name, t)
  local dtype = t:dtype()
  if dtype ~= "float32" and dtype ~= "float64" then return end
  local sum = t:sum()
  if sum - sum == 0 then return end
  local row = find_bad_row(t)
  if row then
    check.raise("%s: argument '%s': expected finite numbers, got nan or inf in row %d; where they are: "
      .. "%s:isfinite():logical_not():nonzero()", fn, name, row, name)
  end
end

local function takes_classes(loss) return getmetatable(loss) == losses.SparseCategoricalCrossentropy end

-- ---- y ---------------------------------------------------------------------------------------------

-- output: the model's, without the batch axis; its last axis is that of the classes.
local function check_labels(fn, y, n, output)
  local classes = output[#output]
  local wanted = { n, table.unpack(output, 1, #output - 1) }
  if y:dtype() ~= "int32" or not shapes.same(y:shape(), wanted) then
    local fix = ""
    if shapes.same(y:shape(), wanted) then
      fix = "; y:int()"
    elseif y:size(-1) == classes then
      fix = "; one-hot rows go with the loss \"categorical_crossentropy\""
    elseif y:numel() == shapes.count(wanted) then
      fix = ("; y:reshape(%s)"):format(table.concat(wanted, ", "))
    end
    check.raise("%s: argument 'y': expected classes, tensor %s int32, for the loss, got %s%s", fn,
      shape_text(wanted), core.describe(y), fix)
  end
  local low, high = y:min(), y:max()
  if low >= 1 and high <= classes then return end
  local row = low < 1 and y:reshape(-1):argmin() or y:reshape(-1):argmax()
  local fix = low == 0 and high < classes and "; classes count from 1: give y + 1"
    or ("; the model's last layer has %d outputs"):format(classes)
  check.raise("%s: argument 'y': expected classes from 1 to %d, got %d in row %d%s", fn, classes,
    low < 1 and low or high, (row - 1) // (y:numel() // n) + 1, fix)
end

local function check_values(fn, y, n, output, loss)
  local wanted = { n, table.unpack(output) }
  if not shapes.same(y:shape(), wanted) then
    local fix = ""
    if y:numel() == shapes.count(wanted) then
      fix = ("; y:reshape(%s)"):format(table.concat(wanted, ", "))
    elseif y:rank() == 1 and y:dtype() == "int32" and #output == 1 and output[1] > 1 then
      fix = "; for classes the loss is \"sparse_categorical_crossentropy\""
    end
    check.raise("%s: argument 'y': expected %s, as the model gives, for the loss %s, got %s%s", fn,
      shape_text(wanted), loss, core.describe(y), fix)
  end
  inputs.check_finite(fn, "y", y)
end

local function check_y(fn, model, feed)
  local y, n = feed.y, feed.n
  check.arg(core.is_tensor(y) and y:rank() > 0, fn, "y", "a tensor with the samples' targets", y)
  if y:size(1) ~= n then
    check.raise("%s: arguments 'x' and 'y': expected as many of one as of the other, got %d and %d",
      fn, n, y:size(1))
  end
  local loss = model.loss
  if takes_classes(loss) then
    check_labels(fn, y, n, model.output_shape)
  elseif type(loss) == "table" then -- what a function takes is its own affair
    check_values(fn, y, n, model.output_shape, loss.name)
  end
end

-- ---- weights of samples ----------------------------------------------------------------------------

-- The class of each sample, int32 {n}.
local function classes_of(fn, model, feed)
  if takes_classes(model.loss) and feed.y:rank() == 1 then return feed.y end
  check.arg(feed.y:rank() == 2 and feed.y:size(2) > 1, fn, "class_weight", "targets that are classes", feed.y)
  return feed.y:argmax(2)
end

local function class_weights(fn, model, feed, given)
  local count = model.output_shape[#model.output_shape]
  check.arg(type(given) == "table", fn, "class_weight", "a table of weights by class, {[1] = 2, [7] = 0.5}",
    given)
  local list = {}
  for class = 1, count do list[class] = 1 end
  for class, weight in pairs(given) do
    check.integer(class, fn, "class_weight", 1, count)
    check.arg(type(weight) == "number" and weight >= 0, fn, ("class_weight[%d]"):format(class),
      "a number from 0 up",
      weight)
    list[class] = weight
  end
  return core.from_table(list, feed.float):index_select(1, classes_of(fn, model, feed))
end

local function sample_weights(fn, feed, given)
  if type(given) == "table" and not core.is_tensor(given) then given = core.from_table(given, feed.float) end
  local fits = core.is_tensor(given) and given:rank() == 1 and given:size(1) == feed.n
  check.arg(fits, fn, "sample_weight", ("a tensor or list of %d weights"):format(feed.n), given)
  if given:dtype() ~= feed.float then given = given:to(feed.float) end
  inputs.check_finite(fn, "sample_weight", given)
  return given
end

--- Gives a feed the weights of its samples: their own times those of their classes.
function inputs.weigh(fn, model, feed, sample_weight, class_weight)
  local weights = sample_weight ~= nil and sample_weights(fn, feed, sample_weight) or nil
  if class_weight ~= nil then
    local by_class = class_weights(fn, model, feed, class_weight)
    weights = weights and weights * by_class or by_class
  end
  feed.weights = weights
end

-- ---- all together ----------------------------------------------------------------------------------

--- The samples as a feed, checked against the model, which is built for them if it is not yet.
---@param fn string the function as the user writes it
---@param model Sequential
---@param x any a tensor; or a dataset { x =, y =, batch = function? }
---@param y any
---@param wants_targets boolean
---@return Feed
function inputs.read(fn, model, x, y, wants_targets)
  local source
  if type(x) == "table" and core.is_tensor(rawget(x, "x") or x.x) then
    source, x, y = x, x.x, x.y
  end
  if not core.is_tensor(x) or x:rank() < 2 then
    local fix = type(x) == "table" and "; pl.tensor(list) makes one of nested lists" or ""
    if core.is_tensor(x) and x:rank() == 1 then
      local one = model.built and shapes.same(x:shape(), model.input_shape)
      fix = one and "; one sample needs a batch axis too: x:unsqueeze(1)"
        or "; x:unsqueeze(2) has one number a sample"
    end
    check.raise("%s: argument 'x': expected a tensor {n, …} of samples, or a dataset {x =, y =}, got %s%s",
      fn, core.describe(x), fix)
  end
  if x:size(1) == 0 then
    check.raise("%s: argument 'x': expected at least one sample, got none: %s", fn, core.describe(x))
  end
  if not model.built then
    local shape = x:shape()
    model:build(table.move(shape, 2, #shape, 1, {}))
  end
  check_shape(fn, x, model.input_shape)
  local batches = source and type(source.batch) == "function" and source or nil
  local dtype = model.input_dtype
  if not batches then check_dtype(fn, x, dtype) end
  inputs.check_finite(fn, "x", x)
  local feed = Feed.new { x = x, y = y, source = batches, dtype = dtype, float = model.dtype }
  if wants_targets then check_y(fn, model, feed) else feed.y = nil end
  return feed
end

return inputs
