-- What the curves of a training run say, by the course's three rules: a loss that falls in a straight line
-- has too low a rate, no gap between training and validation too small a net, a wide gap overfits. A net that
-- has not learnt, or a gap that so few images cannot measure, is said to be that.
local diagnosis = {}

local FINE <const> = 0.02 -- a standard error past this cannot tell a gap of 2 points from one of 5

local function mean(list, first, last)
  local sum = 0
  for i = first, last do sum = sum + list[i] end
  return sum / (last - first + 1)
end

--- The standard error of a difference of two shares, each of so many images.
local function standard_error(accuracy, count)
  local variance = 0
  for _, split in ipairs { "train", "val" } do
    variance = variance + accuracy[split] * (1 - accuracy[split]) / count[split]
  end
  return math.sqrt(variance)
end

--- Measures the curves.
---@param histories table as net:train returns them
---@param accuracy { train: number, val: number } of all images, after training
---@param count { train: integer, val: integer } how many images they are
---@return { late_share: number, gap: number, error: number, text: string }
---  late_share: the part of the loss's fall that came in the second half of the run (0.5 on a straight line);
---  gap: training minus validation accuracy; error: its standard error; text: all of it, and what it means
function diagnosis.of(histories, accuracy, count)
  -- Means over a tenth of the run: the loss of a single batch is noisy.
  local losses = histories.loss_history
  local tenth = math.max(1, #losses // 10)
  local half = (#losses - tenth) // 2
  local start = mean(losses, 1, tenth)
  local middle = mean(losses, half + 1, half + tenth)
  local finish = mean(losses, #losses - tenth + 1, #losses)
  local late_share = start > finish and (middle - finish) / (start - finish) or 1
  local share, gap = 100 * late_share, accuracy.train - accuracy.val
  local noise = standard_error(accuracy, count)
  local learnt = start - finish >= 0.01 * start

  local lines = {}
  local function say(...) table.insert(lines, "  " .. string.format(...)) end
  say("Loss at start, middle and end: %.3f, %.3f, %.3f.", start, middle, finish)
  if finish > 1.01 * start or finish ~= finish then
    say("It rose: the learning rate is too high.")
  elseif not learnt then
    say("It never fell: the learning rate is too low, or the run too short.")
  elseif late_share >= 0.35 then
    say("%.0f %% of its fall came in the second half, nearly as on a straight line (50 %%).", share)
    say("The learning rate is too low, or the run too short.")
  else
    say("%.0f %% of its fall came in the second half; on a straight line it would be 50 %%.", share)
    say("The learning rate is high enough.")
  end
  say("Training minus validation accuracy: %.1f - %.1f = %.1f points.", 100 * accuracy.train,
    100 * accuracy.val, 100 * gap)
  local few = noise > FINE
  local within = few and math.abs(gap) < 2 * noise
  if few then
    say("On only %d and %d images its standard error is %.1f points%s.", count.train, count.val, 100 * noise,
      within and ": the gap is within noise" or "")
  end
  if not learnt then
    say("Before the loss falls, a gap says nothing.")
  elseif within then
    say("Nothing follows from it.")
  elseif gap < 0.02 then
    say("No gap: too little capacity, the net does not even fit its training images.")
  elseif gap <= 0.05 then
    say("A small gap: neither too small a net nor overfitting.")
  else
    say("A wide gap: overfitting. Stronger regularisation or more data narrows it, more hidden units do not.")
  end
  return { late_share = late_share, gap = gap, error = noise, text = table.concat(lines, "\n") }
end

return diagnosis
