-- pl.callbacks: what may be told of a training's events. One file each.
local callbacks = {
  Callback = require "perilune.train.callbacks.callback",
  History = require "perilune.train.history",
  EarlyStopping = require "perilune.train.callbacks.early_stopping",
  ModelCheckpoint = require "perilune.train.callbacks.model_checkpoint",
  BackupAndRestore = require "perilune.train.callbacks.backup_and_restore",
  ReduceLROnPlateau = require "perilune.train.callbacks.reduce_lr_on_plateau",
  LearningRateScheduler = require "perilune.train.callbacks.learning_rate_scheduler",
  CSVLogger = require "perilune.train.callbacks.csv_logger",
  TerminateOnNaN = require "perilune.train.callbacks.terminate_on_nan",
  LambdaCallback = require "perilune.train.callbacks.lambda_callback",
  LivePlot = require "perilune.train.callbacks.live_plot",
}

return callbacks
