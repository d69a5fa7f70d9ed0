-- Convolutions of images by their definition, in plain loops of doubles over arrays of reference.lua.
local reference = require "tests.reference"

local conv = {}

local function pair(value, fallback)
  value = value or fallback
  if type(value) == "table" then return value[1], value[2] end
  return value, value
end

-- Padding before, and the length of the output.
local function along(size, kernel, stride, dilation, padding, before, after)
  local reach = (kernel - 1) * dilation + 1
  if padding == "same" then
    local out = (size + stride - 1) // stride
    return math.max((out - 1) * stride + reach - size, 0) // 2, out
  end
  return before, (size + before + after - reach) // stride + 1
end

--- The geometry of a call: options as conv2d takes them.
function conv.geometry(x, kernel, options)
  local g = { batch = x.shape[1], channels = x.shape[4], many = kernel.shape[4] }
  local padding = options.padding or "valid"
  local top, bottom, left, right = 0, 0, 0, 0
  if type(padding) == "table" then top, bottom, left, right = table.unpack(padding) end
  g.groups = options.groups or 1
  g.stride_y, g.stride_x = pair(options.strides, 1)
  g.dilation_y, g.dilation_x = pair(options.dilation, 1)
  g.top, g.height = along(x.shape[2], kernel.shape[1], g.stride_y, g.dilation_y, padding, top, bottom)
  g.left, g.width = along(x.shape[3], kernel.shape[2], g.stride_x, g.dilation_x, padding, left, right)
  return g
end

--- Calls visit(i, j, k) for every product x[i] · kernel[j] that output k sums up.
function conv.products(x, kernel, options, visit)
  local g = conv.geometry(x, kernel, options)
  local height, width, channels = x.shape[2], x.shape[3], g.channels
  local kh, kw, depth = table.unpack(kernel.shape)
  local out = 0
  for image = 0, g.batch - 1 do
    for row = 0, g.height - 1 do
      for column = 0, g.width - 1 do
        for channel = 0, g.many - 1 do
          out = out + 1
          local first = channel // (g.many // g.groups) * depth
          for ky = 0, kh - 1 do
            local iy = row * g.stride_y - g.top + ky * g.dilation_y
            for kx = 0, kw - 1 do
              local ix = column * g.stride_x - g.left + kx * g.dilation_x
              if iy >= 0 and iy < height and ix >= 0 and ix < width then
                for c = 0, depth - 1 do
                  visit(((image * height + iy) * width + ix) * channels + first + c + 1,
                    ((ky * kw + kx) * depth + c) * g.many + channel + 1, out)
                end
              end
            end
          end
        end
      end
    end
  end
  return { g.batch, g.height, g.width, g.many }
end

local function filled(n)
  local list = {}
  for i = 1, n do list[i] = 0.0 end
  return list
end

--- x {N,H,W,C}, kernel {h,w,C/groups,D}, bias {D} or nil. The magnitude is the sum of what was added up.
function conv.conv2d(x, kernel, bias, options)
  local g = conv.geometry(x, kernel, options)
  local n = g.batch * g.height * g.width * g.many
  local sums, magnitudes = filled(n), filled(n)
  for k = 1, bias and n or 0 do
    local b = bias.data[(k - 1) % g.many + 1]
    sums[k], magnitudes[k] = b, math.abs(b)
  end
  local shape = conv.products(x, kernel, options, function(i, j, k)
    local product = x.data[i] * kernel.data[j]
    sums[k], magnitudes[k] = sums[k] + product, magnitudes[k] + math.abs(product)
  end)
  if options.activation == "relu" then
    for k = 1, n do sums[k] = math.max(sums[k], 0.0) end
  end
  local result = reference.array(shape, sums)
  result.magnitude = magnitudes
  return result
end

--- The gradients by x, kernel and bias, given that by y (y, the result, is needed for relu's).
function conv.conv2d_backward(dy, x, kernel, y, options)
  local d = {}
  for k, value in ipairs(dy.data) do
    d[k] = options.activation == "relu" and y.data[k] <= 0 and 0.0 or value
  end
  local function zeros(shape)
    local array = reference.array(shape, filled(reference.count(shape)))
    array.magnitude = filled(reference.count(shape))
    return array
  end
  local function add(array, i, value)
    array.data[i] = array.data[i] + value
    array.magnitude[i] = array.magnitude[i] + math.abs(value)
  end
  local dx, dkernel, dbias = zeros(x.shape), zeros(kernel.shape), zeros({ kernel.shape[4] })
  conv.products(x, kernel, options, function(i, j, k)
    add(dx, i, d[k] * kernel.data[j])
    add(dkernel, j, d[k] * x.data[i])
  end)
  for k, value in ipairs(d) do add(dbias, (k - 1) % kernel.shape[4] + 1, value) end
  return dx, dkernel, dbias
end

return conv
