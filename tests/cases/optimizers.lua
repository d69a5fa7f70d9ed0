-- Optimizers: { optimizer = its name, options … }. Each name of pl.optim.names has a row at least;
-- optim_spec.lua fails otherwise, and runs every row against tests/reference_optimizers.lua.
return {
  { optimizer = "SGD" },
  { optimizer = "SGD", learning_rate = 0.1, momentum = 0.9 },
  { optimizer = "SGD", learning_rate = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.01 },
  { optimizer = "SGD", learning_rate = 0.5, clipvalue = 0.3 },
  { optimizer = "SGD", learning_rate = 0.5, clipnorm = 0.7, weight_decay = 0.1 },
  { optimizer = "SGD", learning_rate = 0.5, momentum = 0.5, global_clipnorm = 0.9 },
  { optimizer = "Adam" },
  { optimizer = "Adam", learning_rate = 0.01, beta_1 = 0.8, beta_2 = 0.9, epsilon = 1e-3 },
  { optimizer = "Adam", learning_rate = 0.01, amsgrad = true, weight_decay = 0.02 },
}
