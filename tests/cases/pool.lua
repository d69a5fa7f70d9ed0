-- Rows of poolings: windows that overlap, leave rows over, or reach over the border.
local reference = require "tests.reference"

local FLOATS <const> = { "float32", "float64" }

local function pair(value)
  if type(value) == "table" then return value[1], value[2] end
  return value, value
end

-- Where the windows begin (before the padding is taken off) and how many there are.
local function along(size, window, stride, padding)
  if padding ~= "same" then return 0, (size - window) // stride + 1 end
  local out = (size + stride - 1) // stride
  return math.max((out - 1) * stride + window - size, 0) // 2, out
end

-- fold(list of the real pixels in a window) -> value, magnitude, for each window and channel.
local function pool(x, options, fold)
  local n, height, width, channels = table.unpack(x.shape)
  local window_y, window_x = pair(options.pool_size or 2)
  local stride_y, stride_x = pair(options.strides or options.pool_size or 2)
  local top, rows = along(height, window_y, stride_y, options.padding)
  local left, columns = along(width, window_x, stride_x, options.padding)
  local data, magnitude = {}, {}
  for b = 0, n - 1 do
    for row = 0, rows - 1 do
      for column = 0, columns - 1 do
        for c = 1, channels do
          local list = {}
          for i = row * stride_y - top, row * stride_y - top + window_y - 1 do
            for j = column * stride_x - left, column * stride_x - left + window_x - 1 do
              if i >= 0 and i < height and j >= 0 and j < width then
                list[#list + 1] = x.data[((b * height + i) * width + j) * channels + c]
              end
            end
          end
          local k = #data + 1
          data[k], magnitude[k] = fold(list)
        end
      end
    end
  end
  return reference.array({ n, rows, columns, channels }, data, magnitude)
end

local folds <const> = { max_pool2d = reference.folds.max, avg_pool2d = reference.folds.mean }

local rows = {}
for name, fold in pairs(folds) do
  rows[#rows + 1] = {
    name = name, dtypes = FLOATS, operands = { "any" }, eps = name == "max_pool2d" and 0 or 2,
    largest = 300,
    instances = {
      { { 1, 2, 2, 1 }, args = { {} } }, { { 2, 5, 4, 3 }, args = { {} } },
      { { 2, 5, 4, 3 }, args = { { padding = "same" } } },
      { { 1, 6, 5, 5 }, args = { { pool_size = 3, strides = 2 } } },
      { { 1, 6, 5, 2 }, args = { { pool_size = 3, strides = 1, padding = "same" } } },
      { { 1, 4, 6, 17 }, args = { { pool_size = { 1, 3 }, strides = { 2, 1 } } } },
      { { 3, 1, 1, 4 }, args = { { pool_size = 3, padding = "same" } } },
      { { 1, 7, 4, 1 }, args = { { pool_size = { 3, 2 }, padding = "same" } } },
      { { 1, 8, 8, 33 }, args = { {} } },
      { { 1, 1, 1, 3 }, args = { { pool_size = 1 } } },
      { { 2, 3, 5, 12 }, args = { { pool_size = { 2, 3 } } } },
      { { 1, 7, 8, 1 }, args = { { pool_size = 2, strides = 3 } } },
      { { 1, 7, 8, 2 }, args = { { pool_size = 2, strides = { 3, 5 }, padding = "same" } } },
      { { 1, 1, 9, 5 }, args = { { pool_size = { 1, 3 }, strides = { 1, 2 } } } },
      { { 1, 9, 1, 5 }, args = { { pool_size = { 4, 1 }, strides = 1, padding = "same" } } },
      { { 1, 5, 5, 5 }, args = { { pool_size = 5, strides = 1 } } },
      -- windows of 255, 256 and more pixels
      { { 1, 15, 17, 1 }, args = { { pool_size = { 15, 17 } } } },
      { { 1, 16, 18, 1 }, args = { { pool_size = 16, strides = 1 } } },
      { { 1, 5, 6, 2 }, args = { { pool_size = 16, strides = 1, padding = "same" } } },
      { { 1, 3, 40, 1 }, args = { { pool_size = { 9, 33 }, strides = { 2, 7 }, padding = "same" } } },
    },
    reference = function(a, args) return pool(a[1], args[1], fold) end,
  }
end
table.sort(rows, function(a, b) return a.name < b.name end)

return rows
