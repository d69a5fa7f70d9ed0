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

-- fold(list of the real pixels in a window) for each window and channel.
local function pool(x, options, fold)
  local n, height, width, channels = table.unpack(x.shape)
  local window_y, window_x = pair(options.pool_size or 2)
  local stride_y, stride_x = pair(options.strides or options.pool_size or 2)
  local top, rows = along(height, window_y, stride_y, options.padding)
  local left, columns = along(width, window_x, stride_x, options.padding)
  local data = {}
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
          data[#data + 1] = fold(list)
        end
      end
    end
  end
  local magnitude = {}
  for i = 1, #data do magnitude[i] = 4 end -- the largest input
  return reference.array({ n, rows, columns, channels }, data, magnitude)
end

local folds <const> = {
  max_pool2d = function(list) return math.max(table.unpack(list)) end,
  avg_pool2d = function(list)
    local sum = 0
    for _, v in ipairs(list) do sum = sum + v end
    return sum / #list
  end,
}

local rows = {}
for name, fold in pairs(folds) do
  rows[#rows + 1] = {
    name = name, dtypes = FLOATS, operands = { "any" }, eps = name == "max_pool2d" and 0 or 4,
    instances = {
      { { 1, 2, 2, 1 }, args = { {} } }, { { 2, 5, 4, 3 }, args = { {} } },
      { { 2, 5, 4, 3 }, args = { { padding = "same" } } },
      { { 1, 6, 5, 5 }, args = { { pool_size = 3, strides = 2 } } },
      { { 1, 6, 5, 2 }, args = { { pool_size = 3, strides = 1, padding = "same" } } },
      { { 1, 4, 6, 17 }, args = { { pool_size = { 1, 3 }, strides = { 2, 1 } } } },
      { { 3, 1, 1, 4 }, args = { { pool_size = 3, padding = "same" } } },
      { { 1, 7, 4, 1 }, args = { { pool_size = { 3, 2 }, padding = "same" } } },
      { { 1, 8, 8, 33 }, args = { {} } },
    },
    reference = function(a, args) return pool(a[1], args[1], fold) end,
  }
end
table.sort(rows, function(a, b) return a.name < b.name end)

return rows
