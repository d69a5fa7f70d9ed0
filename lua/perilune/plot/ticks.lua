-- Where an axis has its ticks and what they say. Linear axes step by 1, 2 or 5 times a power of ten;
-- log axes by decades. No drawing here.
local ticks = {}

local superscripts = {
  ["-"] = "⁻", ["0"] = "⁰", ["1"] = "¹", ["2"] = "²", ["3"] = "³", ["4"] = "⁴", ["5"] = "⁵", ["6"] = "⁶",
  ["7"] = "⁷", ["8"] = "⁸", ["9"] = "⁹",
}

local function power_of_ten(exponent)
  return "10" .. (("%d"):format(exponent):gsub(".", superscripts))
end

-- digits × 10^exponent, correctly rounded.
local function decimal(digits, exponent)
  return tonumber(("%de%d"):format(digits, exponent))
end

-- "1234567.8" with commas and a real minus sign.
local function with_commas(text)
  local sign, whole, rest = text:match "^(%-?)(%d+)(.*)$"
  if #whole > 4 then
    whole = whole:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
  end
  return (sign == "-" and "−" or "") .. whole .. rest
end

-- Labels for whole multiples `counts` of mantissa × 10^exponent.
local function linear_labels(counts, mantissa, exponent)
  local largest = 0
  for _, count in ipairs(counts) do largest = math.max(largest, math.abs(count * mantissa)) end
  local digits = largest > 0 and #("%d"):format(largest) or 1
  local top = digits - 1 + exponent -- the power of ten of the largest
  local labels = {}
  -- Plain numbers while they are short; from 1,000,000 on and below 0.0001 a common power of ten.
  local plain = top < 6 and top >= -4 and exponent > -9
  for i, count in ipairs(counts) do
    local value = count * mantissa
    if value == 0 then
      labels[i] = "0"
    elseif plain and exponent >= 0 then
      labels[i] = with_commas(("%d"):format(value * 10 ^ exponent // 1))
    elseif plain then
      labels[i] = with_commas(("%." .. -exponent .. "f"):format(decimal(value, exponent)))
    else
      local text = ("%." .. math.min(digits - 1, 12) .. "f"):format(decimal(value, 1 - digits))
      local factor = with_commas(text)
      labels[i] = (factor == "1" and "" or factor .. "×") .. power_of_ten(top)
    end
  end
  return labels
end

-- The smallest step of 1, 2 or 5 times a power of ten that is not below `least`.
local function nice_step(least)
  local exponent = math.floor(math.log(least, 10))
  for _ = 1, 4 do
    for _, mantissa in ipairs { 1, 2, 5 } do
      if decimal(mantissa, exponent) >= least * (1 - 1e-9) then return mantissa, exponent end
    end
    exponent = exponent + 1
  end
  return 1, exponent
end

--- Ticks of a linear axis.
---@param low number finite, below high
---@param high number
---@param target number how many intervals fit, at least 1
---@param integral? boolean only whole numbers make sense
---@return number[] values
---@return string[] labels
function ticks.linear(low, high, target, integral)
  -- Tenths keep the difference of huge limits finite.
  local least = (high / 10 - low / 10) / math.max(target, 1) * 10
  if least == math.huge then least = 1e308 end
  if least < 1e-307 then return { low }, { "0" } end
  local mantissa, exponent = nice_step(least)
  if integral and exponent < 0 then mantissa, exponent = 1, 0 end
  local step = decimal(mantissa, exponent)
  local values, counts = {}, {}
  local first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
  -- Limits that agree in all but their last digits have no ticks that a double can tell apart.
  if math.type(first) ~= "integer" or math.type(last) ~= "integer" or math.abs(first) > 1e12 then
    return {}, {}
  end
  for count = first, math.min(last, first + 1000) do
    counts[#counts + 1] = count
    values[#values + 1] = decimal(count * mantissa, exponent)
  end
  return values, linear_labels(counts, mantissa, exponent)
end

--- Ticks of a log axis: decades, or 1, 2 and 5 in each when there are few.
---@param low number above 0, below high
---@param high number
---@param target number how many intervals fit
---@return number[] values
---@return string[] labels
---@return number[] minor values of the small ticks between
function ticks.log(low, high, target)
  local from, to = math.log(low, 10), math.log(high, 10)
  local first, last = math.ceil(from - 1e-9), math.floor(to + 1e-9)
  local values, labels, minor = {}, {}, {}
  if last - first < 1 then -- less than one whole decade: 1, 2, 5, or a linear axis's ticks
    for exponent = math.floor(from), last do
      for _, digit in ipairs { 1, 2, 5 } do
        local value = decimal(digit, exponent)
        if value >= low * (1 - 1e-9) and value <= high * (1 + 1e-9) then
          values[#values + 1] = value
          labels[#labels + 1] = linear_labels({ digit }, 1, exponent)[1]
        end
      end
    end
    if #values < 2 then
      values, labels = ticks.linear(low, high, target)
      return values, labels, {}
    end
  else
    local stride = math.max(1, math.ceil((last - first) / math.max(target, 1)))
    for exponent = first, last do
      if exponent % stride == 0 or last - first < stride then
        values[#values + 1] = decimal(1, exponent)
        labels[#labels + 1] = exponent == 0 and "1" or exponent == 1 and "10" or power_of_ten(exponent)
      end
    end
    if stride > 1 then return values, labels, minor end
  end
  for exponent = math.floor(from), last do
    for digit = 2, 9 do
      local value = decimal(digit, exponent)
      if value > low and value < high then minor[#minor + 1] = value end
    end
  end
  return values, labels, minor
end

return ticks
