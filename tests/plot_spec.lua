-- Plots: ticks, image grids against a reference computed here, figures by properties of their pixels, and
-- what bad data and bad arguments get.
local pl = require "perilune"
local core = require "perilune.core"
local drawn = require "tests.pixels"
local ticks = require "perilune.plot.ticks"
local plot = pl.plot

local ink, extent, near, raises = drawn.ink, drawn.extent, drawn.near, drawn.raises
local nan, inf = 0 / 0, math.huge
local temp

setup(function()
  temp = os.tmpname()
  os.remove(temp)
  assert(core.mkdirs(temp))
end)

teardown(function() os.execute("rm -rf '" .. temp .. "'") end)

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

describe("a confusion matrix", function()
  local truth, guess = pl.tensor({ 1, 1, 1, 2, 3 }, "int32"), pl.tensor({ 1, 1, 2, 2, 1 }, "int32")

  it("counts, shades by the share of the row, and tells the accuracy", function()
    local axes = plot.confusion_matrix(truth, guess, { "a", "b", "c" }):axes()
    assert.equal("Accuracy 60.0 %", axes.settings.title)
    local texts, pixels = {}, nil
    for _, artist in ipairs(axes.artists) do
      if artist.kind == "text" then texts[#texts + 1] = artist.text else pixels = artist.pixels end
    end
    assert.equal("2 1 0 0 1 0 1 0 0", table.concat(texts, " "))
    local red = pixels:select(3, 1):totable() -- less red where the share is larger
    assert.is_true(red[2][2] < red[1][1] and red[1][1] < red[1][2] and red[1][2] < red[1][3])
    assert.equal(255, red[1][3])
  end)

  it("is drawn from a matrix too, and saved", function()
    local figure = plot.confusion_matrix(pl.tensor { { 3, 1 }, { 0, 0 } })
    assert.equal("Accuracy 75.0 %", figure:axes().settings.title)
    assert(figure:save(temp .. "/confusion.png"))
  end)

  it("says what is wrong", function()
    raises(function() plot.confusion_matrix(truth, guess:narrow(1, 1, 2)) end, "does not go with")
    raises(function() plot.confusion_matrix(truth, guess, { "a" }) end, "a list of 3 names")
    raises(function() plot.confusion_matrix(truth) end, "with y_pred as the second argument")
    local none = truth:narrow(1, 1, 0)
    raises(function() plot.confusion_matrix(none, none) end, "at least one label")
  end)
end)
