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

-- Winograd's F(2×2, 3×3) and F(4×4, 3×3) by the factors' sizes alone: what each of its three steps adds up
-- (see core/kernels/winograd.inc). B and A by rows of N, G by rows of three.
local A <const> = { { 1, 1, 1, 0 }, { 0, 1, 1, 1 } }
local B <const> = { { 1, 0, 1, 0 }, { 0, 1, 1, 0 }, { 0, 1, 1, 0 }, { 0, 1, 0, 1 } }
local G <const> = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 }, { 0, 0, 1 } }
local P <const>, Q <const> = 0.5 ^ 0.5, 2 ^ 0.5 -- the points ±P, ±Q
local B_P <const>, B_Q <const> = { 0, P * Q ^ 2, Q ^ 2, P, 1, 0 }, { 0, Q * P ^ 2, P ^ 2, Q, 1, 0 }
local G_P <const>, G_Q <const> = { 2 / 3, 2 / 3 * P, 2 / 3 * P ^ 2 }, { 1 / 6, 1 / 6 * Q, 1 / 6 * Q ^ 2 }
local WINOGRAD <const> = {
  [2] = { A = A, B = B, G = G },
  [4] = {
    A = { { 1, 1, 1, 1, 1, 0 }, { 0, P, P, Q, Q, 0 }, { 0, P ^ 2, P ^ 2, Q ^ 2, Q ^ 2, 0 },
      { 0, P ^ 3, P ^ 3, Q ^ 3, Q ^ 3, 1 } },
    B = { { 1, 0, 2.5, 0, 1, 0 }, B_P, B_P, B_Q, B_Q, { 0, 1, 0, 2.5, 0, 1 } },
    G = { { 1, 0, 0 }, G_P, G_P, G_Q, G_Q, { 0, 0, 1 } },
  },
}

-- |m| |t| |m|ᵀ for a square t, rows after one another.
local function spread(m, t)
  local n, list = #m[1], {}
  for i = 1, #m do
    for j = 1, #m do
      local sum = 0.0
      for r = 1, n do
        for c = 1, n do sum = sum + m[i][r] * m[j][c] * math.abs(t[(r - 1) * n + c]) end
      end
      list[#list + 1] = sum
    end
  end
  return list
end

local function is_plain(g)
  for _, size in ipairs { g.groups, g.stride_y, g.stride_x, g.dilation_y, g.dilation_x } do
    if size ~= 1 then return false end
  end
  return true
end

-- The side of the tiles that the core takes Winograd's way with (core/tensor/winograd.c, winograd_few.c), or
-- nil. `pooled`: of outputs of which none is left over.
local function winograd_tile(g, kernel, pooled)
  local function tiles(height, width, made)
    return ((height + made - 1) // made) * ((width + made - 1) // made)
  end
  if not is_plain(g) or kernel.shape[1] ~= 3 or kernel.shape[2] ~= 3 then return nil end
  if g.channels <= 8 and not pooled then
    local pixels = g.height * g.width
    local worth = g.channels >= 3 and g.many >= 9 and pixels >= 144 and g.top <= 2 and g.left <= 2
    return worth and 4 * 16 * tiles(g.height, g.width, 4) <= 5 * pixels and 4 or nil
  end
  if g.channels < 16 or g.many < 16 or tiles(g.height, g.width, 2) < 16 then return nil end
  local height, width = g.height, g.width
  if pooled then height, width = height // 2 * 2, width // 2 * 2 end
  local large = tiles(height, width, 4)
  return large >= 9 and 10 * 36 * large <= 9 * 16 * tiles(height, width, 2) and 4 or 2
end

-- The n×n numbers of one channel that the tile of outputs from (row, column) on sees.
local function tile_of(x, n, g, image, row, column, channel)
  local height, width, tile = x.shape[2], x.shape[3], {}
  for p = 0, n * n - 1 do
    local iy, ix = row + p // n - g.top, column + p % n - g.left
    local inside = iy >= 0 and iy < height and ix >= 0 and ix < width
    tile[p + 1] = inside and x.data[((image * height + iy) * width + ix) * g.channels + channel + 1] or 0.0
  end
  return tile
end

-- An output's error is of the size of its whole tile's products, of which its own terms are a part.
local function winograd_magnitudes(x, kernel, g, made, magnitudes)
  local way, seen, u = WINOGRAD[made], made + 2, {}
  for i = 0, g.channels * g.many - 1 do
    local taps = {}
    for tap = 0, 8 do taps[tap + 1] = kernel.data[tap * g.channels * g.many + i + 1] end
    u[i] = spread(way.G, taps)
  end
  local across, down = (g.width + made - 1) // made, (g.height + made - 1) // made
  for n = 0, g.batch * down * across - 1 do
    local image, row, column = n // (down * across), n // across % down * made, n % across * made
    local v = {}
    for c = 0, g.channels - 1 do v[c] = spread(way.B, tile_of(x, seen, g, image, row, column, c)) end
    for d = 0, g.many - 1 do
      local m = filled(seen * seen)
      for c = 0, g.channels - 1 do
        for t = 1, seen * seen do m[t] = m[t] + v[c][t] * u[c * g.many + d][t] end
      end
      for q, sum in ipairs(spread(way.A, m)) do
        local py, px = row + (q - 1) // made, column + (q - 1) % made
        local k = ((image * g.height + py) * g.width + px) * g.many + d + 1
        if py < g.height and px < g.width then magnitudes[k] = math.max(magnitudes[k], sum) end
      end
    end
  end
end

-- The same of F(2, 3) and F(2, 5) along the rows (core/kernels/simd/pairs.inc), by the kernel's columns.
local SIXTHS <const>, POWERS <const> = { 1 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6 },
  { 1 / 24, 2 / 24, 4 / 24, 8 / 24, 16 / 24 }
local PAIRS <const> = {
  [3] = { A = A, B = B, G = G },
  [5] = {
    A = { { 1, 1, 1, 1, 1, 0 }, { 0, 1, 1, 2, 2, 1 } },
    B = { { 4, 0, 5, 0, 1, 0 }, { 0, 4, 4, 1, 1, 0 }, { 0, 4, 4, 1, 1, 0 }, { 0, 2, 1, 2, 1, 0 },
      { 0, 2, 1, 2, 1, 0 }, { 0, 4, 0, 5, 0, 1 } },
    G = { { 1 / 4, 0, 0, 0, 0 }, SIXTHS, SIXTHS, POWERS, POWERS, { 0, 0, 0, 0, 1 } },
  },
}

-- Whether the core makes pairs (core/tensor/conv2d.c), of few channels or into few: those, from 3×3 kernels
-- and on some instruction sets only, also backward.
local function by_pairs(g, kernel)
  if not is_plain(g) or kernel.shape[1] ~= kernel.shape[2] then return false end
  if g.channels <= 8 and g.many >= 9 then return PAIRS[kernel.shape[1]] ~= nil end
  return kernel.shape[1] == 3 and g.many <= 3 and g.channels >= 8
end

-- |m| |t|, for t(1) .. t(n)
local function spread_row(m, t)
  local list = {}
  for i, row in ipairs(m) do
    local sum = 0.0
    for r, factor in ipairs(row) do sum = sum + factor * math.abs(t(r)) end
    list[i] = sum
  end
  return list
end

-- |G| |k| for each kernel row, channel and output channel.
local function spread_kernel(kernel, g)
  local size, many, u = kernel.shape[1], g.many, {}
  for n = 0, size * g.channels * many - 1 do
    local d, c, ky = n % many, n // many % g.channels, n // many // g.channels
    u[n] = spread_row(PAIRS[size].G, function(r)
      return kernel.data[((ky * size + r - 1) * g.channels + c) * many + d + 1]
    end)
  end
  return u
end

-- What the pair of outputs from (row, column) on adds up for each of them and each channel.
local function add_pair(x, kernel, u, g, image, row, column, visit)
  local size, channels, many = kernel.shape[1], g.channels, g.many
  local way, m = PAIRS[size], {}
  for d = 0, many - 1 do m[d] = filled(size + 1) end
  for n = 0, size * channels - 1 do
    local ky, c = n // channels, n % channels
    local iy = row + ky - g.top
    local v = spread_row(way.B, function(r)
      local ix = column + r - 1 - g.left
      local inside = iy >= 0 and iy < x.shape[2] and ix >= 0 and ix < x.shape[3]
      return inside and x.data[((image * x.shape[2] + iy) * x.shape[3] + ix) * channels + c + 1] or 0.0
    end)
    for d = 0, many - 1 do
      for t = 1, size + 1 do m[d][t] = m[d][t] + v[t] * u[n * many + d][t] end
    end
  end
  for d = 0, many - 1 do
    for q, sum in ipairs(spread_row(way.A, function(r) return m[d][r] end)) do
      local k = ((image * g.height + row) * g.width + column + q - 1) * many + d + 1
      if column + q - 1 < g.width then visit(k, sum) end
    end
  end
end

local function pairs_magnitudes(x, kernel, g, magnitudes)
  local u = spread_kernel(kernel, g)
  for image = 0, g.batch - 1 do
    for row = 0, g.height - 1 do
      for column = 0, g.width - 1, 2 do
        add_pair(x, kernel, u, g, image, row, column, function(k, sum)
          magnitudes[k] = math.max(magnitudes[k], sum)
        end)
      end
    end
  end
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
  local made = winograd_tile(g, kernel, options.max_pool)
  if made then winograd_magnitudes(x, kernel, g, made, magnitudes) end
  if by_pairs(g, kernel) then pairs_magnitudes(x, kernel, g, magnitudes) end
  if options.activation == "relu" then
    for k = 1, n do sums[k] = math.max(sums[k], 0.0) end
  end
  local result = reference.array(shape, sums)
  result.magnitude = magnitudes
  return result
end

-- The convolution of dy that makes dx: its geometry, and its kernel.
local function turned_round(g, x, kernel)
  local h, w, channels, many = table.unpack(kernel.shape)
  local back = {}
  for key, value in pairs(g) do back[key] = value end
  back.height, back.width, back.channels, back.many = x.shape[2], x.shape[3], many, channels
  back.top, back.left = h - 1 - g.top, w - 1 - g.left
  local data = {}
  for i = 0, #kernel.data - 1 do
    local d, c, tap = i % many, i // many % channels, i // many // channels
    data[((h * w - 1 - tap) * many + d) * channels + c + 1] = kernel.data[i + 1]
  end
  return back, { shape = { h, w, many, channels }, data = data }
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
  local g = conv.geometry(x, kernel, options)
  local back, turned = turned_round(g, x, kernel)
  if back.many <= 3 and by_pairs(back, turned) then
    pairs_magnitudes({ data = d, shape = dy.shape }, turned, back, dx.magnitude)
  end
  for k, value in ipairs(d) do add(dbias, (k - 1) % kernel.shape[4] + 1, value) end
  return dx, dkernel, dbias
end

return conv
