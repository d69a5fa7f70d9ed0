-- Images: PNG in and out, the canvas by its coverage, text by its measures, and what bad data and bad
-- arguments get.
local pl = require "perilune"
local core = require "perilune.core"
local drawn = require "tests.pixels"

local ink, extent, near, raises = drawn.ink, drawn.extent, drawn.near, drawn.raises
local nan, inf = 0 / 0, math.huge
local temp

local function canvas(width, height)
  return pl.full({ height, width, 3 }, 255, "uint8")
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
