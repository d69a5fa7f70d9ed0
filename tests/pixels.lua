-- What the specs of images and plots share: ink and extent of a picture, numbers that are near, and errors
-- that say what they should.
local pixels = {}

-- How much ink lies in an image: 0 for white, 1 a black pixel, summed.
function pixels.ink(image)
  return image:numel() / 3 - image:to("float64"):sum() / 3 / 255
end

-- The rows and columns that hold anything but white: top, bottom, left, right.
function pixels.extent(image)
  local shape = image:shape()
  local dark = image:to("int32"):min({ 3 }):lt(250)
  local rows, cols = dark:to("int32"):sum({ 2 }):totable(), dark:to("int32"):sum({ 1 }):totable()
  local top, bottom, left, right
  for i = 1, shape[1] do if rows[i] > 0 then top, bottom = top or i, i end end
  for i = 1, shape[2] do if cols[i] > 0 then left, right = left or i, i end end
  return top, bottom, left, right
end

function pixels.near(expected, got, tolerance)
  local close = math.abs(expected - got) <= tolerance
  assert(close, ("%g is not within %g of %g"):format(got, tolerance, expected))
end

-- f raises at its own line, and its message holds every one of the texts.
function pixels.raises(f, ...)
  local ok, message = pcall(f)
  assert(not ok, "no error was raised")
  for _, text in ipairs { ... } do
    assert(tostring(message):find(text, 1, true), ("%q is not in %q"):format(text, message))
  end
  local place = debug.getinfo(f, "S").short_src .. ":"
  assert(tostring(message):find(place, 1, true), "not at the caller's line: " .. tostring(message))
end

return pixels
