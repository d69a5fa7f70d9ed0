-- What determinism_spec.lua compares: for every operation that is cut into chunks the bytes of its results,
-- as MD5, on tensors long enough to be cut.
local core = require "perilune.core"
local layouts = require "tests.layouts"
local pl = require "perilune"

local bits = {}

-- Numbers whose sums depend on the order of adding
local function uneven(shape, dtype, seed)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  local t = pl.arange(1, n, 1, "float64")
  return ((t * (0.7390851 + seed)):sin() * (t * 0.0137):mod(7):exp()):reshape(shape):to(dtype)
end

local function digest(result)
  if pl.is_tensor(result) then return core.md5(result:tobytes()) end
  return ("%q"):format(result)
end

--- Operations of layers, and the gradients by all their operands.
function bits.layers(add)
  for _, dtype in ipairs { "float32", "float64" } do
    local rng = pl.rng(1)
    local function drawn(...) return rng:randn({ ... }, dtype) end
    local images, channels, kernel = drawn(9, 31, 33, 16), drawn(16), drawn(3, 3, 16, 5)
    local rows, labels = drawn(1031, 37), pl.arange(0, 1030, 1, "int32"):mod(37) + 1
    local function add_case(name, f, ...)
      add(name .. " " .. dtype, pl.value_and_grad(function(...)
        local y = f(...)
        return y:rank() > 0 and (y * y:detach():sin()):sum() or y
      end, ...))
    end
    for _, case in ipairs {
      { "conv2d", function(x, k, b) return x:conv2d(k, b, { padding = "same", strides = 2 }) end, images,
        kernel, drawn(5) },
      { "conv2d with max_pool", function(x, k, b) return x:conv2d(k, b, { max_pool = true }) end, images,
        kernel, drawn(5) },
      { "depthwise_conv2d", function(x, k) return x:depthwise_conv2d(k) end, images,
        drawn(3, 3, 16, 2) },
      { "max_pool2d", function(x) return x:max_pool2d() end, images },
      { "avg_pool2d", function(x) return x:avg_pool2d { pool_size = 3, padding = "same" } end, images },
      { "upsample2d", function(x) return x:upsample2d(2, { interpolation = "bilinear" }) end, images },
      { "batch_norm", function(x, g, b) return (x:batch_norm(g, b)) end, images, channels, channels + 1 },
      { "batch_norm_inference", function(x, g, b)
        return x:batch_norm_inference(g, b, channels, channels:abs())
      end, images, channels, channels + 1 },
      { "layer_norm", function(x, g, b) return x:layer_norm(g, b) end, images, channels, channels + 1 },
      { "dense", function(x, w, b) return x:dense(w, b, { activation = "relu" }) end, rows,
        drawn(37, 65), drawn(65) },
      { "dropout", function(x) return x:dropout(0.4, pl.rng(3)) end, rows },
      { "spatial_dropout2d", function(x) return x:spatial_dropout2d(0.4, pl.rng(3)) end, images },
      { "softmax_cross_entropy", function(x) return x:softmax_cross_entropy(labels) end, rows },
      { "gelu, approximate", function(x) return x:gelu { approximate = true } end, rows },
    } do
      add_case(case[1], table.unpack(case, 2))
    end
    for _, name in ipairs {
      "relu", "sigmoid", "tanh", "softplus", "leaky_relu", "elu", "selu", "silu", "gelu",
    } do
      add_case(name, function(x) return x[name](x) end, rows)
    end
  end
end

--- A list of { name, digest, … }, the same wherever bits are the same.
function bits.all()
  local list = {}
  local function add(name, ...)
    local entry = { name }
    for i, result in ipairs { ... } do entry[i + 1] = digest(result) end
    list[#list + 1] = table.concat(entry, " ")
  end

  for _, dtype in ipairs { "float32", "float64" } do
    local function name(op, t) return ("%s %s {%s}"):format(op, dtype, table.concat(t:shape(), ",")) end
    for _, size in ipairs {
      { 1, 1, 1 }, { 1, 3072, 50 }, { 200, 3072, 50 }, { 50, 200, 3072 }, { 33, 65, 17 }, { 300, 200, 300 },
      { 257, 1, 257 }, { 1000, 10, 3 }, { 3, 5000, 3 }, { 1, 20000, 1 },
    } do
      local m, k, n = table.unpack(size)
      local a, b = uneven({ m, k }, dtype, 0.1), uneven({ k, n }, dtype, 0.2)
      add(("matmul %s %dx%dx%d"):format(dtype, m, k, n), a:matmul(b), a:t():clone():t():matmul(b),
        a:matmul(b:t():clone():t()),
        a:t():clone():t():matmul(b:t():clone():t()))
    end
    local batch = uneven({ 7, 65, 33 }, dtype, 0.3)
    local matrix = uneven({ 33, 9 }, dtype, 0.4)
    add("matmul batched " .. dtype, batch:matmul(batch:transpose(2, 3)), batch:matmul(matrix))
    add("dot " .. dtype, uneven({ 100000 }, dtype, 0.5):dot(uneven({ 100000 }, dtype, 0.6)))

    for _, shape in ipairs { { 100000 }, { 3, 33000 }, { 33000, 3 }, { 253, 257 }, { 10, 20, 30, 10 } } do
      local t = uneven(shape, dtype, 0.7)
      for _, view in ipairs { t, t:transpose(1, -1), t:slice(1, 1, -1, #t > 10 and 3 or 1) } do
        for _, op in ipairs {
          "sum", "mean", "var", "std", "norm", "logsumexp", "prod", "min", "max", "argmin", "argmax",
        } do
          local results = { view[op](view) }
          for axis = 1, view:rank() do results[#results + 1] = view[op](view, axis) end
          if view:rank() > 2 then results[#results + 1] = view[op](view, { 1, 3 }) end
          add(name(op, view), table.unpack(results))
        end
        for _, op in ipairs { "cumsum", "softmax", "log_softmax" } do
          add(name(op, view), view[op](view, 1), view[op](view, -1))
        end
        add(name("elementwise", view), view:exp(), view:sigmoid(), view:sin(), view:relu())
        add(name("arithmetic", view), view + view, view * 0.3 - view / 7, view:add(view, 0.1), view:gt(0.5))
      end
    end
    local t = uneven({ 213, 317 }, dtype, 0.8)
    add("sort " .. dtype, t:sort(1))
    add("sort " .. dtype, t:sort(2, true))
    add("sort " .. dtype, t:flatten():sort())
    add("topk " .. dtype, t:topk(5, 1))
    add("masks " .. dtype, t:masked_select(t:gt(0)), t:gt(0):nonzero(), t:masked_fill(t:gt(0), 1))
    local random = layouts.generator(1)
    local places = {}
    for i = 1, 3000 do places[i] = random(1, 213) end
    local source = uneven({ 3000, 317 }, dtype, 0.9)
    add("indices " .. dtype, t:index_select(1, places), t:clone():index_add_(1, places, source))
  end
  bits.layers(add)
  local integers = uneven({ 300001 }, "int32", 0.5)
  add("integers", integers:sum(), integers:mean(), integers:var(), integers:max(), (integers:sort()))
  return list
end

return bits
