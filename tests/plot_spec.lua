-- Plots: PNG in and out, the canvas by its coverage, text by its measures, image grids against a reference
-- computed here, figures by properties of their pixels, and what bad data and bad arguments get.
local pl = require "perilune"
local core = require "perilune.core"
local ticks = require "perilune.plot.ticks"
local plot = pl.plot

local nan, inf = 0 / 0, math.huge
local temp

local function canvas(width, height)
  return pl.full({ height, width, 3 }, 255, "uint8")
end

-- How much ink lies in an image: 0 for white, 1 a black pixel, summed.
local function ink(image)
  return image:numel() / 3 - image:to("float64"):sum() / 3 / 255
end

local function near(expected, got, tolerance)
  local close = math.abs(expected - got) <= tolerance
  assert(close, ("%g is not within %g of %g"):format(got, tolerance, expected))
end

-- f raises, and its message holds every one of the texts.
local function raises(f, ...)
  local ok, message = pcall(f)
  assert.is_false(ok)
  for _, text in ipairs { ... } do
    assert(tostring(message):find(text, 1, true), ("%q is not in %q"):format(text, message))
  end
  assert(tostring(message):find("plot_spec.lua:", 1, true), "not at the caller's line: " .. tostring(message))
end

-- The rows and columns that hold anything but white: top, bottom, left, right.
local function extent(image)
  local shape = image:shape()
  local dark = image:to("int32"):min({ 3 }):lt(250)
  local rows, cols = dark:to("int32"):sum({ 2 }):totable(), dark:to("int32"):sum({ 1 }):totable()
  local top, bottom, left, right
  for i = 1, shape[1] do if rows[i] > 0 then top, bottom = top or i, i end end
  for i = 1, shape[2] do if cols[i] > 0 then left, right = left or i, i end end
  return top, bottom, left, right
end

setup(function()
  temp = os.tmpname()
  os.remove(temp)
  assert(core.mkdirs(temp))
end)

teardown(function() os.execute("rm -rf '" .. temp .. "'") end)

describe("PNG", function()
  local function sample(...)
    return (pl.rng(5):rand(...) * 256):floor():to "uint8"
  end

  it("comes back as it went, for 1, 3 and 4 channels", function()
    for _, c in ipairs { 1, 3, 4 } do
      local image = sample(7, 13, c)
      local back = assert(core.png_decode(core.png_encode(image)))
      assert.is_true(back:equal(image))
    end
    local grey = sample(5, 4)
    assert.is_true(core.png_decode(core.png_encode(grey)):equal(grey:reshape(5, 4, 1)))
    local wide = sample(9, 40, 3)
    local view = wide:slice(2, 1, 40, 3):transpose(1, 2) -- not contiguous
    assert.is_true(core.png_decode(core.png_encode(view)):equal(view:contiguous()))
  end)

  it("is written whole to a file", function()
    local image = sample(6, 6, 3)
    assert.is_true(core.png_write(temp .. "/a.png", image))
    local file = assert(io.open(temp .. "/a.png", "rb"))
    assert.is_true(core.png_decode(file:read "a"):equal(image))
    file:close()
    local result, message = core.png_write(temp .. "/missing/a.png", image)
    assert.is_nil(result)
    assert(message:find("missing", 1, true))
  end)

  it("refuses every truncation", function()
    local bytes = core.png_encode(sample(12, 9, 3))
    for n = 0, #bytes - 1 do
      local image, message = core.png_decode(bytes:sub(1, n))
      assert.is_nil(image)
      assert.is_string(message)
    end
  end)

  it("refuses every flipped bit", function()
    local bytes = core.png_encode(sample(6, 5, 3))
    for i = 1, #bytes do
      for bit = 0, 7 do
        local bad = bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ (1 << bit)) .. bytes:sub(i + 1)
        local image, message = core.png_decode(bad)
        assert(image == nil and type(message) == "string", ("byte %d, bit %d"):format(i, bit))
      end
    end
  end)

  local function crc32(text)
    local crc = 0xffffffff
    for i = 1, #text do
      crc = crc ~ text:byte(i)
      for _ = 1, 8 do crc = crc & 1 == 1 and (crc >> 1) ~ 0xedb88320 or crc >> 1 end
    end
    return crc ~ 0xffffffff
  end

  local function chunk(kind, data)
    return string.pack(">I4", #data) .. kind .. data .. string.pack(">I4", crc32(kind .. data))
  end

  local signature = "\x89PNG\r\n\x1a\n"

  local function header(width, height, depth, color, interlace)
    local fields = string.pack(">I4I4BBBBB", width, height, depth, color, 0, 0, interlace or 0)
    return signature .. chunk("IHDR", fields)
  end

  -- A zlib stream of stored blocks.
  local function stored(data)
    local a, b = 1, 0
    for i = 1, #data do
      a = (a + data:byte(i)) % 65521
      b = (b + a) % 65521
    end
    local lengths = string.pack("<I2I2", #data, ~#data & 0xffff)
    return "\x78\x01\x01" .. lengths .. data .. string.pack(">I4", b << 16 | a)
  end

  local function png(width, height, depth, color, data, extra, interlace)
    return header(width, height, depth, color, interlace) .. (extra or "") .. chunk("IDAT", stored(data))
      .. chunk("IEND", "")
  end

  it("reads what other programs write: grey with alpha, palettes, 16 bits, single bits", function()
    local la = core.png_decode(png(2, 1, 8, 4, "\0\10\20\30\40"))
    assert.same({ { { 10, 10, 10, 20 }, { 30, 30, 30, 40 } } }, la:totable())
    local palette = core.png_decode(png(2, 1, 8, 3, "\0\1\0", chunk("PLTE", "\1\2\3\4\5\6")))
    assert.same({ { { 4, 5, 6 }, { 1, 2, 3 } } }, palette:totable())
    local deep = core.png_decode(png(2, 1, 16, 0, "\0\200\1\7\9"))
    assert.same({ { { 200 }, { 7 } } }, deep:totable())
    local bits = core.png_decode(png(4, 1, 1, 0, "\0\xA0"))
    assert.same({ { { 255 }, { 0 }, { 255 }, { 0 } } }, bits:totable())
    local clear = core.png_decode(png(1, 1, 8, 2, "\0\9\8\7", chunk("tRNS", "\0\9\0\8\0\7")))
    assert.same(1, #clear:totable())
  end)

  it("refuses hostile headers and data with correct checksums", function()
    local cases = {
      png(16385, 1, 8, 0, ("\0"):rep(16386)), png(1, 16385, 8, 0, "\0\0"), png(0, 5, 8, 0, "\0"),
      png(5, 0, 8, 0, "\0"), png(0xffffffff, 0xffffffff, 8, 2, "\0"), png(0x80000000, 1, 8, 2, "\0"),
      png(16384, 16384, 8, 2, "\0"), png(4, 4, 3, 0, "\0"), png(4, 4, 8, 5, "\0"), png(4, 4, 16, 3, "\0"),
      png(4, 4, 8, 2, "\0"), png(2, 2, 8, 3, "\0\0\0\0\0\0"), png(4, 4, 8, 2, "", nil, 1),
      png(4, 4, 8, 0, "", nil, 7),
      png(2, 1, 8, 0, "\9\1\1"), header(4, 4, 8, 0) .. chunk("IEND", ""),
      header(4, 4, 8, 0) .. chunk("IDAT", "") .. chunk("IEND", ""),
      header(4, 4, 8, 0) .. chunk("IDAT", "\x78\x9c\xff\xff\xff\xff") .. chunk("IEND", ""),
      signature .. chunk("IEND", ""), signature .. chunk("IHDR", "\0\0\0\1"), "", "GIF89a", signature,
      signature .. "\xff\xff\xff\xffIHDR",
      header(4, 4, 8, 3) .. chunk("PLTE", ("\0"):rep(769)) .. chunk("IEND", ""),
    }
    for i, bytes in ipairs(cases) do
      local image, message = core.png_decode(bytes)
      assert(image == nil and type(message) == "string", "case " .. i)
    end
  end)

  it("gives an answer to random bytes in a sound frame", function()
    local random = pl.rng(11)
    for _ = 1, 300 do
      local n = random:randint(1, 60)
      local data = (random:rand(n) * 256):floor():to("uint8"):tobytes()
      local bytes = header(9, 9, 8, 2, random:randint(0, 1)) .. chunk("IDAT", "\x78\x01" .. data)
        .. chunk("IEND", "")
      local image, message = core.png_decode(bytes)
      assert(image and image:shape()[1] == 9 or type(message) == "string")
    end
  end)

  it("names a wrong argument", function()
    raises(function() core.png_encode(3) end, "png_encode", "image")
    raises(function() core.png_encode(pl.zeros(3, 3)) end, "image", "uint8", "float32")
    raises(function() core.png_encode(pl.zeros({ 3, 3, 2 }, "uint8")) end, "image")
    raises(function() core.png_encode(pl.zeros({ 0, 3 }, "uint8")) end, "image")
    raises(function() core.png_write("", pl.zeros({ 3, 3 }, "uint8")) end, "path")
    raises(function() core.png_write("a\0b.png", pl.zeros({ 3, 3 }, "uint8")) end, "path")
    raises(function() core.png_write(nil, pl.zeros({ 3, 3 }, "uint8")) end, "path")
    raises(function() core.png_decode(7) end, "bytes")
  end)
end)

describe("canvas", function()
  it("covers a rectangle's area, whole pixels exactly", function()
    local image = canvas(20, 10)
    core.canvas_rect(image, nil, 3, 2, 5, 4, 0x000000FF)
    assert.equal(0, image:slice(1, 3, 6):slice(2, 4, 8):to("int32"):sum())
    assert.equal(20, ink(image))
    image = canvas(20, 10)
    core.canvas_rect(image, nil, 3.25, 2.5, 4.5, 3.25, 0x000000FF)
    near(4.5 * 3.25, ink(image), 0.1)
  end)

  it("covers a disc's, a polygon's and a line's area", function()
    for _, radius in ipairs { 0.7, 2, 5.3, 40 } do
      local image = canvas(100, 100)
      core.canvas_markers(image, nil, { 50.3, 49.6 }, "o", 2 * radius, 0x000000FF)
      near(math.pi * radius ^ 2, ink(image), 0.06 * radius + 0.02)
    end
    local image = canvas(60, 60)
    core.canvas_polygon(image, nil, { 5.5, 5, 50, 20.25, 20, 51 }, 0x000000FF)
    near(math.abs(44.5 * 46 - 14.5 * 15.25) / 2, ink(image), 0.5)
    for angle = 0, 3, 0.37 do
      image = canvas(100, 100)
      local dx, dy = 30 * math.cos(angle), 30 * math.sin(angle)
      core.canvas_polyline(image, nil, { 50 - dx, 50 - dy, 50 + dx, 50 + dy }, 0x000000FF, 1.5)
      near(90, ink(image), 0.6)
    end
  end)

  it("lays line pixels where they belong", function()
    local image = canvas(10, 6)
    core.canvas_polyline(image, nil, { 2, 3.5, 8, 3.5 }, 0xFF0000FF, 1)
    for y = 1, 6 do
      for x = 1, 10 do
        local on = y == 4 and x >= 3 and x <= 8
        assert.same(on and { 255, 0, 0 } or { 255, 255, 255 }, image[y][x]:totable())
      end
    end
  end)

  it("does not darken a translucent line where it crosses itself or bends", function()
    local image = canvas(60, 60)
    core.canvas_polyline(image, nil, { 5, 5, 55, 55, 55, 5, 5, 55, 30, 5, 31, 50 }, 0x00000080, 6, "round")
    assert.equal(127, image:to("int32"):min())
  end)

  it("makes dashes, caps and closed outlines of the right length", function()
    local image = canvas(120, 10)
    core.canvas_polyline(image, nil, { 10, 5, 110, 5 }, 0x000000FF, 2, "round", "butt", { 6, 4 })
    near(120, ink(image), 1)
    image = canvas(120, 10)
    core.canvas_polyline(image, nil, { 10, 5, 110, 5 }, 0x000000FF, 2, "round", "square")
    near(204, ink(image), 0.5)
    image = canvas(120, 10)
    core.canvas_polyline(image, nil, { 10, 5, 110, 5 }, 0x000000FF, 2, "round", "round")
    near(200 + math.pi, ink(image), 0.5)
    image = canvas(40, 40)
    local square = { 10, 10, 30, 10, 30, 30, 10, 30 }
    core.canvas_polyline(image, nil, square, 0x000000FF, 2, "miter", "butt", nil, true)
    near(22 ^ 2 - 18 ^ 2, ink(image), 0.1)
  end)

  it("clips", function()
    local image = canvas(40, 40)
    local clip = { 10, 12, 20, 30 }
    core.canvas_rect(image, clip, -5, -5, 100, 100, 0x000000FF)
    core.canvas_polyline(image, clip, { 0, 0, 40, 40, 0, 40 }, 0xFF0000FF, 9)
    core.canvas_markers(image, clip, { 10, 12, 20, 30 }, "s", 20, 0x00FF00FF)
    core.canvas_text(image, clip, "clipped", 5, 20, 20, 0x0000FFFF)
    core.canvas_picture(image, clip, pl.zeros({ 3, 3 }, "uint8"), 0, 0, 90, 90)
    assert.same({ 13, 30, 11, 20 }, { extent(image) })
    core.canvas_rect(image, { 30, 30, 10, 10 }, 0, 0, 40, 40, 0x000000FF)
    core.canvas_rect(image, { -2 ^ 31 | 0, 0, 5, 0 }, 0, 0, 40, 40, 0x000000FF)
    assert.same({ 13, 30, 11, 20 }, { extent(image) })
  end)

  it("draws into a view and leaves the rest alone", function()
    local image = canvas(30, 30)
    core.canvas_rect(image:slice(1, 11, 20):slice(2, 6, 15), nil, -9, -9, 99, 99, 0x000000FF)
    assert.same({ 11, 20, 6, 15 }, { extent(image) })
  end)

  it("takes lines that lie far away, and crosses the canvas where they do", function()
    local image = canvas(50, 50)
    core.canvas_polyline(image, nil, { -1e300, 10.5, 1e300, 10.5 }, 0x000000FF, 1)
    near(50, ink(image), 0.01)
    local far = { -1e308, -1e308, 1e308, 1e308, -1e308, 1e308 }
    core.canvas_polyline(image, nil, far, 0x000000FF, 1, "round", "butt", { 5, 5 })
    core.canvas_polygon(image, nil, { -1e308, -1e308, 1e308, -1e308, 0, 1e308 }, 0x00000010)
    core.canvas_markers(image, nil, { 1e308, -1e308, 25, 25 }, "^", 5, 0x000000FF)
    core.canvas_text(image, nil, "far", 1e308, -1e308, 12, 0x000000FF, false, 1e308, -1e308, 1e9)
    core.canvas_rect(image, nil, -1e308, -1e308, 1.7e308, 1.7e308, 0x00000010)
    core.canvas_picture(image, nil, image, -1e308, 0, 1.7e308, 1e-300, true)
  end)

  it("draws nothing without points, on no pixels, with no width", function()
    local image = canvas(10, 10)
    core.canvas_polyline(image, nil, {}, 0x000000FF, 2)
    core.canvas_polyline(image, nil, { 5, 5 }, 0x000000FF, 2)
    core.canvas_polyline(image, nil, { 5, 5, 5, 5, 5, 5 }, 0x000000FF, 2, "miter", "round", nil, true)
    core.canvas_polyline(image, nil, { 1, 1, 9, 9 }, 0x000000FF, 0)
    core.canvas_polygon(image, nil, {}, 0x000000FF)
    core.canvas_polygon(image, nil, { 1, 1, 9, 9 }, 0x000000FF)
    core.canvas_markers(image, nil, {}, "o", 2, 0x000000FF)
    core.canvas_rect(image, nil, 5, 5, -3, 2, 0x000000FF)
    assert.equal(0, ink(image))
    local none = pl.zeros({ 0, 5, 3 }, "uint8")
    core.canvas_polyline(none, nil, { 1, 1, 9, 9 }, 0x000000FF, 2)
    core.canvas_text(none, nil, "x", 0, 0, 12, 0x000000FF)
  end)

  it("scales pictures: nearest repeats, smooth keeps the mean, alpha lets through", function()
    local picture = pl.tensor({ { 0, 255 }, { 255, 0 } }, "uint8")
    local image = canvas(8, 8)
    core.canvas_picture(image, nil, picture, 0, 0, 8, 8)
    assert.same({ 0, 0, 0, 0, 255, 255, 255, 255 }, image:select(3, 1):select(1, 2):to("int32"):totable())
    local noise = (pl.rng(2):rand(64, 64, 1) * 256):floor():to "uint8"
    image = canvas(8, 8)
    core.canvas_picture(image, nil, noise, 0, 0, 8, 8, true)
    near(noise:to("float64"):mean(), image:to("float64"):mean(), 4)
    image = canvas(2, 1)
    core.canvas_picture(image, nil, pl.tensor({ { { 0, 0, 0, 128 }, { 0, 0, 0, 0 } } }, "uint8"), 0, 0, 2, 1)
    assert.same({ { { 127, 127, 127 }, { 255, 255, 255 } } }, image:totable())
  end)

  it("names wrong arguments", function()
    local image = canvas(10, 10)
    local function line(...) core.canvas_polyline(...) end
    raises(function() line(5) end, "canvas")
    raises(function() line(pl.zeros(4, 4, 3)) end, "canvas", "uint8")
    raises(function() line(pl.zeros({ 4, 4 }, "uint8")) end, "canvas")
    raises(function() line(canvas(4, 4):transpose(1, 3)) end, "canvas")
    raises(function() line(canvas(4, 4):transpose(1, 2)) end, "canvas")
    raises(function() line(pl.zeros({ 1, 1, 3 }, "uint8"):expand(4, 4, 3)) end, "canvas")
    raises(function() line(image, 7) end, "clip")
    raises(function() line(image, { 1, 2, 3 }) end, "clip")
    raises(function() line(image, { 1, 2, 3, nan }) end, "clip")
    raises(function() line(image, nil, 5, 0, 1) end, "points")
    raises(function() line(image, nil, { 1, 2, 3 }, 0, 1) end, "points")
    raises(function() line(image, nil, { 1, nan }, 0, 1) end, "points", "finite")
    raises(function() line(image, nil, { 1, inf }, 0, 1) end, "points", "finite")
    raises(function() line(image, nil, { 1, "2" }, 0, 1) end, "points")
    raises(function() line(image, nil, {}, -1, 1) end, "color")
    raises(function() line(image, nil, {}, 2 ^ 32, 1) end, "color")
    raises(function() line(image, nil, {}, "red", 1) end, "color")
    raises(function() line(image, nil, {}, 0, nan) end, "width")
    raises(function() line(image, nil, {}, 0, -1) end, "width")
    raises(function() line(image, nil, {}, 0, 1e9) end, "width")
    raises(function() line(image, nil, {}, 0, 1, "soft") end, "join")
    raises(function() line(image, nil, {}, 0, 1, "round", 3) end, "cap")
    raises(function() line(image, nil, {}, 0, 1, "round", "butt", { 1 }) end, "dashes")
    raises(function() line(image, nil, {}, 0, 1, "round", "butt", { 1, 0 }) end, "dashes")
    raises(function() line(image, nil, {}, 0, 1, "round", "butt", { 1, nan }) end, "dashes")
    raises(function() line(image, nil, {}, 0, 1, "round", "butt", nil, 1) end, "closed")
    raises(function() core.canvas_rect(image, nil, nan, 0, 1, 1, 0) end, "x")
    raises(function() core.canvas_rect(image, nil, 0, 0, inf, 1, 0) end, "w")
    raises(function() core.canvas_markers(image, nil, {}, "z", 1, 0) end, "shape")
    raises(function() core.canvas_markers(image, nil, {}, "o", -1, 0) end, "size")
    raises(function() core.canvas_text(image, nil, 5, 0, 0, 12, 0) end, "text")
    raises(function() core.canvas_text(image, nil, "a", 0, inf, 12, 0) end, "y")
    raises(function() core.canvas_text(image, nil, "a", 0, 0, 0, 0) end, "size")
    raises(function() core.canvas_text(image, nil, "a", 0, 0, nan, 0) end, "size")
    raises(function() core.canvas_text(image, nil, ("a"):rep(1e5), 0, 0, 9, 0) end, "text")
    raises(function() core.canvas_text(image, nil, "a", 0, 0, 9, 0, false, nan) end, "align_x")
    raises(function() core.canvas_picture(image, nil, 3, 0, 0, 1, 1) end, "image")
    raises(function() core.canvas_picture(image, nil, image, 0, nan, 1, 1) end, "y")
    raises(function() core.text_measure("a", inf) end, "size")
  end)
end)

describe("text", function()
  it("is measured as it is drawn", function()
    for _, text in ipairs { "Iteration", "0.0125", "Classification accuracy", "WAVE", "÷ äöü −10⁻³" } do
      local width, ascent, descent = core.text_measure(text, 20)
      local image = canvas(400, 60)
      core.canvas_text(image, nil, text, 50, 40, 20, 0x000000FF)
      local top, bottom, left, right = extent(image)
      near(50 + 1, left, 3)
      near(50 + width, right, 3)
      assert(top > 40 - ascent - 4 and bottom <= 40 + descent + 1)
    end
  end)

  it("adds up, kerns, scales and aligns", function()
    local a, b, both = core.text_measure("n", 30), core.text_measure("m", 30), core.text_measure("nm", 30)
    near(a + b, both, 1e-9)
    assert(core.text_measure("AV", 30) < core.text_measure("A", 30) + core.text_measure("V", 30))
    near(2 * core.text_measure("loss", 17), core.text_measure("loss", 34), 1e-9)
    assert(core.text_measure("loss", 17, true) > core.text_measure("loss", 17))
    assert.equal(0, (core.text_measure("", 12)))
    local image = canvas(200, 60)
    core.canvas_text(image, nil, "HHHH", 100, 30, 20, 0x000000FF, false, 0.5, 0.5)
    local top, bottom, left, right = extent(image)
    near(200, left + right - 1, 2)
    near(60, top + bottom - 1, 2)
    local upright = canvas(60, 200)
    core.canvas_text(upright, nil, "HHHH", 30, 100, 20, 0x000000FF, false, 0.5, 0.5, 90)
    near(ink(image), ink(upright), 4)
    top, bottom = extent(upright)
    near(right - left, bottom - top, 1)
  end)

  it("keeps small type sharp: a flat foot on a whole pixel", function()
    for size = 9, 30 do
      local image = canvas(60, 60)
      core.canvas_text(image, nil, "H", 10.3, 40.4, size, 0x000000FF)
      local rows = image:to("float64"):mean({ 2, 3 }):totable()
      assert(rows[40] < 250 and rows[41] == 255, "size " .. size)
    end
  end)

  it("takes any bytes, and any character", function()
    local image = canvas(300, 300)
    local malformed = "\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"
    core.canvas_text(image, nil, malformed, 5, 50, 20, 0x000000FF)
    assert.equal(core.text_measure("\u{FFFD}\u{FFFD}", 20), (core.text_measure("\xff\xc0", 20)))
    assert(ink(image) > 0)
    core.canvas_text(image, nil, "日本\0\n\t", 5, 90, 20, 0x000000FF)
    for code = 0x20, 0x2FFF, 37 do
      core.canvas_text(image, nil, utf8.char(code), 10, 250, 200, 0x000000FF, code % 2 == 0)
    end
  end)
end)

describe("ticks", function()
  local function check_linear(low, high, target)
    local values, labels = ticks.linear(low, high, target)
    assert.equal(#values, #labels)
    assert(#values <= target + 2, #values)
    for i, value in ipairs(values) do
      local slack = (high - low) * 1e-5
      assert(value >= low - slack and value <= high + slack)
      assert(i == 1 or value > values[i - 1])
      assert(i == 1 or labels[i] ~= labels[i - 1])
    end
    return values, labels
  end

  it("step by 1, 2 or 5 and say so shortly", function()
    local values, labels = check_linear(0, 100, 5)
    assert.same({ 0, 20, 40, 60, 80, 100 }, values)
    assert.same({ "0", "20", "40", "60", "80", "100" }, labels)
    assert.same({ "−0.5", "0", "0.5" }, (select(2, check_linear(-0.6, 0.7, 3))))
    assert.same({ "2.25", "2.30" }, (select(2, check_linear(2.24, 2.31, 2))))
    assert.same({ "0", "20,000", "40,000" }, (select(2, check_linear(0, 49000, 3))))
    assert.same({ "0", "10⁶", "2×10⁶", "3×10⁶" }, (select(2, check_linear(0, 3.4e6, 4))))
    assert.same({ "0", "0.5×10⁻⁵", "1.0×10⁻⁵" }, (select(2, check_linear(0, 1.1e-5, 3))))
    assert.same({ { 1, 2, 3 }, { "1", "2", "3" } }, { ticks.linear(0.9, 3.1, 10, true) })
  end)

  it("survive any range", function()
    for _, pair in ipairs {
      { 0, 1e-300 }, { 1e-300, 1e300 }, { -1.7e308, 1.7e308 }, { 1, 1 + 1e-9 }, { 1e15, 1e15 + 3 },
      { -1e-12, 1e-12 }, { 0, 5e-324 }, { 1, 1 + 2 ^ -52 }, { -3, 1e7 }, { 999999, 1000001 },
    } do
      for _, target in ipairs { 1, 3, 8, 20 } do check_linear(pair[1], pair[2], target) end
    end
    for _, pair in ipairs {
      { 1e-300, 1e300 }, { 1, 2 }, { 0.9, 1.1 }, { 3, 40 }, { 1e-5, 1e-1 }, { 1, 1 + 1e-9 },
    } do
      local values, labels = ticks.log(pair[1], pair[2], 6)
      assert.equal(#values, #labels)
      assert(#values <= 12)
    end
    local values, labels = ticks.log(0.8, 200, 6)
    assert.same({ { 1, 10, 100 }, { "1", "10", "10²" } }, { values, labels })
  end)
end)

describe("image_grid", function()
  it("lays 50 weights of 32x32 out in 277x277 pixels, each scaled by its own range", function()
    local weights = pl.rng(3):randn(50, 32, 32, 3)
    local grid = plot.image_grid(weights)
    assert.same({ 277, 277 }, { grid:size() })
    assert.equal("Image 277x277", tostring(grid))
    local pixels = grid:render()
    assert.same({ 277, 277, 3 }, pixels:shape())
    assert.equal("uint8", pixels:dtype())
    local values = pixels:to("int32"):totable()
    local seen = 0
    for i = 1, 50 do
      local tile = weights[i]:to "float64"
      local low, high = tile:min(), tile:max()
      local rows = tile:totable()
      local top, left = (i - 1) // 8 * 35, (i - 1) % 8 * 35
      for y = 1, 32 do
        for x = 1, 32 do
          for c = 1, 3 do
            local expected = 255 * (rows[y][x][c] - low) / (high - low) // 1
            local got = values[top + y][left + x][c]
            assert(got == expected or math.abs(got - expected) == 1 and
              math.abs(255 * (rows[y][x][c] - low) / (high - low) - math.max(got, expected)) < 1e-9)
            seen = seen + 1
          end
        end
      end
    end
    assert.equal(50 * 3072, seen)
    -- All else is background.
    local sum = 0
    for i = 1, 50 do
      local top, left = (i - 1) // 8 * 35, (i - 1) % 8 * 35
      sum = sum + pixels:narrow(1, top + 1, 32):narrow(2, left + 1, 32):to("int32"):sum()
    end
    assert.equal((277 * 277 - 50 * 1024) * 3 * 255, pixels:to("int32"):sum() - sum)
  end)

  it("follows its options", function()
    local bytes = pl.arange(0, 23):reshape(6, 2, 2):to "uint8"
    local grid = plot.image_grid(bytes, { cols = 3, padding = 1, background = 7, scale = 2 })
    assert.same({ 16, 10 }, { grid:size() })
    local pixels = grid:render():select(3, 1):to("int32"):slice(1, 1, 10, 2):slice(2, 1, 16, 2):totable()
    assert.same({
      { 0, 1, 7, 4, 5, 7, 8, 9 }, { 2, 3, 7, 6, 7, 7, 10, 11 }, { 7, 7, 7, 7, 7, 7, 7, 7 },
      { 12, 13, 7, 16, 17, 7, 20, 21 }, { 14, 15, 7, 18, 19, 7, 22, 23 },
    }, pixels)
    local two = pl.tensor { { { 0, 1 } }, { { 2, 4 } } }
    local all = plot.image_grid(two, { cols = 2, padding = 0, normalize = "all" })
    assert.same({ 0, 63, 127, 255 }, all:render():flatten():to("int32"):totable())
    local each = plot.image_grid(bytes, { normalize = "each", cols = 6, padding = 0 })
    assert.equal(255, each:render():to("int32"):max())
    assert.same({ 4, 1 }, { plot.image_grid(pl.ones(1, 1, 4)):size() })
  end)

  it("takes tiles without a range, and values that are not numbers", function()
    local tiles = pl.tensor { { { 5, 5 } }, { { nan, nan } }, { { 0, inf } }, { { -inf, 3 } } }
    local pixels = plot.image_grid(tiles, { cols = 1, padding = 0 }):render():flatten():to "int32"
    assert.same({ 0, 0, 0, 0, 0, 0, 0, 0 }, pixels:totable())
    local wild = pl.tensor({ { { -1.7e308, 1.7e308, 0 } } }, "float64")
    assert.equal(3, plot.image_grid(wild):render():numel())
    local partly = plot.image_grid(pl.tensor { { { 9, 1, nan } } }):render()
    assert.same({ 255, 0, 0 }, partly:flatten():to("int32"):totable())
  end)

  it("names wrong arguments", function()
    raises(function() plot.image_grid({ 1 }) end, "image_grid", "images")
    raises(function() plot.image_grid(pl.zeros(3, 3)) end, "images")
    raises(function() plot.image_grid(pl.zeros(3, 3, 3, 2)) end, "images")
    raises(function() plot.image_grid(pl.zeros(0, 3, 3)) end, "images")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { padding = -1 }) end, "padding")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { padding = nan }) end, "padding")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { scale = 0.5 }) end, "scale")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { cols = 0 }) end, "cols")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { background = 256 }) end, "background")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { normalize = "some" }) end, "normalize")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { normalize = false }) end, "normalize", "float32")
    raises(function() plot.image_grid(pl.zeros(1, 3, 3), { colums = 3 }) end, "colums")
    raises(function() plot.image_grid(pl.zeros({ 300, 64, 64 }, "uint8"), { scale = 256 }) end, "16384")
    raises(function() plot.image(pl.zeros(3, 3, 2)) end, "image")
    raises(function() plot.image(pl.zeros(3)) end, "image")
    raises(function() plot.image(pl.zeros(30, 1000), { scale = 100 }) end, "scale")
  end)
end)

describe("figure", function()
  local function noisy(n)
    local y = pl.rng(9):rand(n):totable()
    for i = 1, n do y[i] = 2.3 * math.exp(-i / n) + 0.2 * y[i] end
    return y
  end

  it("has the size asked for and describes itself", function()
    local fig = plot.figure { width = 640, height = 400, rows = 2, cols = 2, title = "All" }
    fig:axes(1, 1):set { title = "Loss" }
    fig:axes(2, 2):set { ylabel = "Accuracy" }
    assert.equal("Figure 640x400, 2 axes: \"Loss\", \"Accuracy\"", tostring(fig))
    assert.equal("Axes \"Loss\": 0 artists", tostring(fig:axes(1, 1)))
    assert.same({ 400, 640, 3 }, fig:render():shape())
    assert.same({ 750, 1200, 3 }, plot.figure():render():shape())
  end)

  it("is the same picture every time", function()
    local function draw()
      local fig = plot.figure { width = 300, height = 200 }
      fig:axes():line(noisy(50), { label = "a" }):set { title = "T", xlabel = "x" }
      return fig:render()
    end
    assert.is_true(draw():equal(draw()))
  end)

  it("leaves a white margin: nothing is cut", function()
    local function margin(fig)
      local image = fig:render()
      local shape = image:shape()
      local top, bottom, left, right = extent(image)
      assert(top > 2 and left > 2 and bottom < shape[1] - 1 and right < shape[2] - 1,
        ("ink from row %d to %d, column %d to %d"):format(top, bottom, left, right))
    end
    for _, size in ipairs { { 1200, 750 }, { 640, 480 }, { 320, 240 } } do
      local title = ("Title "):rep(20)
      local fig = plot.figure { width = size[1], height = size[2], rows = 2, cols = 2, title = title }
      fig:axes(1, 1):line(noisy(1000), { label = "loss" }):set {
        title = ("A title that is long "):rep(4), xlabel = ("Iteration "):rep(9), ylabel = ("Loss "):rep(12),
      }
      fig:axes(1, 2):line({ 1e-300, 1e300 }, { label = ("label "):rep(40) }):set { xlabel = "gypsy" }
      fig:axes(2, 1):line({ -123456.7, 123456.8 }):set { ylabel = "gypsy", legend = "outside" }
      fig:axes(2, 2):scatter({ 1e7, 2e7 }, { 1e-9, 2e-9 }, { label = "x" }):set { legend = "outside" }
      margin(fig)
    end
  end)

  it("puts a line where its data is", function()
    local fig = plot.figure { width = 400, height = 300, scale = 1 }
    fig:axes():line({ 0, 10 }, { 0, 10 }, { color = "#ff0000", width = 3 })
      :set { xlim = { 0, 10 }, ylim = { 0, 10 }, grid = false }
    local image = fig:render():to "int32"
    local red = image:select(3, 1):gt(200):logical_and(image:select(3, 2):lt(60))
    local cols = red:to("int32"):sum({ 1 }):totable()
    local first, last
    for x = 1, 400 do if cols[x] > 0 then first, last = first or x, x end end
    local rows = red:to("int32")
    local function middle(x)
      local sum, n = 0, 0
      for y, on in ipairs(rows:select(2, x):totable()) do
        if on > 0 then sum, n = sum + y, n + 1 end
      end
      return sum / n
    end
    -- Straight from corner to corner, rising to the right.
    local y1, y2, y3 = middle(first + 10), middle((first + last) // 2), middle(last - 10)
    assert(y1 > y2 and y2 > y3)
    near((y1 - y3) / (last - first - 20), (y1 - y2) / ((first + last) // 2 - first - 10), 0.02)
  end)

  it("leaves data alone: a legend goes where there is none", function()
    for corner, xs in pairs { right = { 1, 2, 3 }, left = { 8, 9, 10 } } do
      local fig = plot.figure { width = 500, height = 400 }
      local set = { xlim = { 0, 11 }, ylim = { 0, 4 }, grid = false }
      fig:axes():scatter(xs, { 1, 2, 3 }, { label = "points" }):set(set)
      local plain = plot.figure { width = 500, height = 400 }
      plain:axes():scatter(xs, { 1, 2, 3 }):set(set)
      local difference = fig:render():ne(plain:render()):to("int32"):sum({ 1, 3 }):totable()
      local left, right = 0, 0
      for x = 1, 500 do
        if x < 250 then left = left + difference[x] else right = right + difference[x] end
      end
      assert(corner == "right" and right > 0 and left == 0 or corner == "left" and left + right > 0)
    end
  end)

  it("shows what data there is, whatever it is", function()
    local cases = {
      {}, { 5 }, { 3, 3, 3 }, { 0, 0 }, { nan, nan }, { 1, nan, 3, nan }, { inf, 1, -inf, 2 },
      { 1e-300, 1e300 }, { -1.7e308, 1.7e308 }, { 5e-324, 1e-323 }, { 1, 1 + 2e-16 }, { -1e-300 },
      { 1.7976931348623157e308 }, { 1e16, 1e16 + 2 }, { -5, -1, 0, 3 }, { -1, -2 }, { 0 },
    }
    local settings = {
      {}, { yscale = "log" }, { xscale = "log" }, { yscale = "log", ylim = { -1, 10 } },
      { ylim = { 1e-300, 1e-299 } }, { xlim = { 5, 1 }, ylim = { 0 } },
      { xlim = { [2] = 3 }, ylim = { 1e300, 1e301 } },
    }
    for _, y in ipairs(cases) do
      for _, set in ipairs(settings) do
        for _, kind in ipairs { "line", "scatter", "bar" } do
          local fig = plot.figure { width = 200, height = 150 }
          local x = {}
          for i = 1, #y do x[i] = i end
          fig:axes()[kind](fig:axes(), x, y, { label = "data" }):hline(-1):vline(2):set(set)
          assert.same({ 150, 200, 3 }, fig:render():shape())
        end
      end
    end
  end)

  it("draws every style, mark and extra, at any size", function()
    for _, size in ipairs { { 16, 16 }, { 60, 40 }, { 300, 200 }, { 2000, 100 } } do
      local fig = plot.figure { width = size[1], height = size[2], cols = 2, title = "T" }
      local ax = fig:axes(1, 1)
      for i, style in ipairs { "-", "--", ":", "-.", "none" } do
        for j, marker in ipairs { "o", "s", "^", "v", "D", "x", "+" } do
          ax:line({ i, j, i + j }, { style = style, marker = marker, alpha = 0.5, label = style .. marker })
        end
      end
      ax:bar({ "a", "b" }, { 1, 2 }, { label = "bars" }):text(1, 1, "note", { align = "center", bold = true })
      ax:hline(2, { label = "h" }):vline(1.5, { color = "red" })
      local words = { xticks = { 1, 2 }, xticklabels = { "a", "b\nc" }, xlabel = "image" }
      fig:axes(1, 2):image(pl.rng(1):rand(5, 4)):set(words)
      for _, place in ipairs { "best", "outside", "center", "upper left", false } do
        ax:set { legend = place }
        assert.equal(size[1] * size[2] * 3, fig:render():numel())
      end
    end
  end)

  it("takes tensors of any dtype, and a million points in no time", function()
    local fig = plot.figure { width = 300, height = 200 }
    for _, dtype in ipairs { "float32", "float64", "uint8", "int32" } do
      fig:axes():line(pl.arange(1, 9):to(dtype))
    end
    fig:axes():line(pl.linspace(1, 9, 1000000), pl.rng(4):rand(1000000))
    local before = os.clock()
    fig:render()
    assert(os.clock() - before < (os.getenv "PERILUNE_ASAN" and 60 or 5))
  end)

  it("is saved as a PNG in a folder made for it, or says why not", function()
    local fig = plot.figure { width = 120, height = 90 }
    fig:axes():line { 1, 2 }
    assert.is_true(fig:save(temp .. "/new/folder/fig.png"))
    local file = assert(io.open(temp .. "/new/folder/fig.png", "rb"))
    assert.is_true(core.png_decode(file:read "a"):equal(fig:render()))
    file:close()
    local result, message = fig:save(temp .. "/new/folder/fig.png/fig.png")
    assert.is_nil(result)
    assert.is_string(message)
    result, message = fig:save "/proc/perilune/fig.png"
    assert.is_nil(result)
    assert(message:find("/proc", 1, true))
    result = plot.image(pl.ones(2, 2)):save "/proc/fig.png"
    assert.is_nil(result)
    raises(function() fig:save() end, "save", "path", "nil")
    raises(function() fig:save "fig.jpg" end, "path", "fig.jpg")
    raises(function() fig:save "runs/.png" end, "path")
  end)

  it("becomes text for a terminal: as wide as asked, with its words", function()
    local fig = plot.figure { width = 800, height = 600, rows = 2, title = "Both" }
    local labels = { title = "Loss history", xlabel = "Iteration", ylabel = "Loss" }
    fig:axes(1):line(noisy(100), { label = "train" }):set(labels)
    fig:axes(2):image(pl.rng(1):rand(8, 8, 3))
    for _, columns in ipairs { 8, 40, 100 } do
      local text = fig:ansi(columns)
      local lines = 0
      for line in text:gmatch "(.-)\n" do
        lines = lines + 1
        assert.equal("\27[0m", line:sub(-4))
        assert.equal(columns, utf8.len((line:gsub("\27%[[%d;]*m", ""))))
      end
      assert.equal(math.max(4, math.floor(columns * 0.375 + 0.5)), lines)
    end
    local text = fig:ansi(100):gsub("\27%[[%d;]*m", "")
    for _, word in ipairs { "Both", "Loss history", "Iteration", "train", "2.0" } do
      assert(text:find(word, 1, true), word)
    end
    assert(plot.image(pl.rng(1):rand(10, 20)):ansi(10):find("▀", 1, true))
    raises(function() fig:ansi(nan) end, "columns")
  end)

  it("names wrong arguments", function()
    local fig = plot.figure { width = 100, height = 100 }
    local ax = fig:axes()
    raises(function() plot.figure(5) end, "figure", "options")
    raises(function() plot.figure { width = 0 } end, "width")
    raises(function() plot.figure { width = 1e9 } end, "width")
    raises(function() plot.figure { width = nan } end, "width")
    raises(function() plot.figure { width = 16000, height = 16000 } end, "height")
    raises(function() plot.figure { rows = 1.5 } end, "rows")
    raises(function() plot.figure { scale = nan } end, "scale")
    raises(function() plot.figure { title = 5 } end, "title")
    raises(function() plot.figure { widht = 5 } end, "widht", "width")
    raises(function() fig:axes(2, 1) end, "axes", "row")
    raises(function() fig:axes(1, "x") end, "axes", "col")
    raises(function() ax:line() end, "line", "y")
    raises(function() ax:line("abc") end, "line", "y")
    raises(function() ax:line({ 1, "b" }) end, "line", "y", "position 2")
    raises(function() ax:line({ 1, 2 }, { 1 }) end, "line", "2 and 1")
    raises(function() ax:line(pl.zeros(2, 2)) end, "line", "y", "{2, 2}")
    raises(function() ax:line({ 1 }, { colour = "red" }) end, "colour", "color")
    raises(function() ax:line({ 1 }, { color = "reddish" }) end, "line", "color", "reddish")
    raises(function() ax:line({ 1 }, { color = { 1, 2, 3 } }) end, "color")
    raises(function() ax:line({ 1 }, { style = "~" }) end, "style")
    raises(function() ax:line({ 1 }, { marker = "*" }) end, "marker")
    raises(function() ax:line({ 1 }, { width = -1 }) end, "width")
    raises(function() ax:line({ 1 }, { width = nan }) end, "width")
    raises(function() ax:line({ 1 }, { label = 5 }) end, "label")
    raises(function() ax:line({ 1 }, { alpha = 2 }) end, "alpha")
    raises(function() ax:scatter({ 1 }, { size = 0 }) end, "scatter", "size")
    raises(function() ax:bar({ "a", 2 }, { 1, 2 }) end, "bar", "x")
    raises(function() ax:bar({ 1 }, { 1, 2 }) end, "bar", "1 and 2")
    raises(function() ax:hline(nan) end, "hline", "y")
    raises(function() ax:vline("x") end, "vline", "x")
    raises(function() ax:text(1, inf, "a") end, "text", "y")
    raises(function() ax:text(1, 1, 5) end, "text", "text")
    raises(function() ax:text(1, 1, "a", { align = "middle" }) end, "align")
    raises(function() ax:image(5) end, "image")
    raises(function() ax:set { xlim = 5 } end, "xlim")
    raises(function() ax:set { xlim = { 1, 1 } } end, "xlim")
    raises(function() ax:set { ylim = { nan, 1 } } end, "ylim")
    raises(function() ax:set { yscale = "sqrt" } end, "yscale")
    raises(function() ax:set { legend = "bottom" } end, "legend")
    raises(function() ax:set { titel = "x" } end, "titel", "title")
    raises(function() ax:set { grid = 1 } end, "grid")
    raises(function() ax:set { xticks = { "a" } } end, "xticks")
    raises(function() ax:set() end, "options")
    raises(function() plot.history {} end, "history")
    raises(function() plot.history { loss = { "x" } } end, "y")
  end)

  it("shows a history: a panel each, loss first, training beside validation", function()
    local fig = plot.history({
      val_accuracy = { 0.2, 0.3 }, accuracy = { 0.25, 0.35 }, loss = pl.tensor { 2.3, 2 }, epochs = 2,
    }, { title = "Run" })
    assert.equal("Figure 1200x1100, 2 axes: \"Loss\", \"Accuracy\"", tostring(fig))
    assert.equal(1, #fig:axes(1).artists)
    assert.equal(2, #fig:axes(2).artists)
    assert.equal("Validation", fig:axes(2).artists[2].label)
    assert(ink(fig:render()) > 1000)
    assert.equal(1, #plot.history({ history = { val_loss = { 1 } } }):axes(1).artists)
  end)
end)
