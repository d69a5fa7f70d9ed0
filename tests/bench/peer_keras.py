"""The bench's peer in Keras, on the backend that KERAS_BACKEND names; see peers.lua for how they talk. A
training step is one of fit's, compiled, over as many batches as a repetition takes."""
import sys
import time

answers = sys.stdout
sys.stdout = sys.stderr

import keras
import numpy
from keras import layers

backend = keras.backend.backend()
if backend == "torch":
    import torch  # noqa: F401
numpy_rng = numpy.random.default_rng(0)


def net(name, padding):
    """The course's nets, as scripts/nets/convnets.lua has them."""
    def conv(filters, kernel=3):
        return layers.Conv2D(filters, kernel, padding=padding, activation="relu")

    if name == "a":
        inner = [conv(12, 5), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5)]
    elif name == "b":
        inner = [conv(32), conv(64), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5),
                 layers.Dense(128), layers.Dropout(0.5)]
    else:
        inner = [conv(32), conv(32), layers.MaxPooling2D(), conv(64), conv(64), layers.MaxPooling2D(),
                 layers.Flatten(), layers.Dropout(0.5), layers.Dense(512, activation="relu"),
                 layers.Dropout(0.5)]
    return compiled([keras.Input((32, 32, 3)), *inner, layers.Dense(10, activation="softmax")], "adam")


def compiled(stack, optimizer):
    model = keras.Sequential(stack)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy",
                  jit_compile="auto" if backend != "torch" else False)
    return model


def fitter(model, shape, batch, steps=32):
    """Steps take the same time each: `calls` of them are one fit over so many batches."""
    x = numpy_rng.standard_normal((batch * steps, *shape)).astype("float32")
    y = numpy_rng.integers(0, 10, batch * steps)
    return (lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0)), steps


def training(name, padding):
    return fitter(net(name, padding), (32, 32, 3), 32)


def two_layer(hidden):
    regularizer = keras.regularizers.L2(0.25)
    model = compiled([keras.Input((3072,)),
                      layers.Dense(int(hidden), activation="relu", kernel_regularizer=regularizer),
                      layers.Dense(10, activation="softmax", kernel_regularizer=regularizer)],
                     keras.optimizers.SGD(1e-4))
    return fitter(model, (3072,), 200, 245)  # 49,000 rows, as ours draws from


def prediction(name, padding, images, batch):
    model = net(name, padding)
    x = numpy_rng.standard_normal((int(images), 32, 32, 3)).astype("float32")
    if int(images) == 1:
        return (lambda: numpy.asarray(model.predict_on_batch(x))), 1
    return (lambda: model.predict(x, batch_size=int(batch), verbose=0)), 1


kinds = {"step": training, "two_layer": two_layer, "predict": prediction}
chosen = {}

print(f"Keras {keras.__version__} on {backend}", file=answers, flush=True)
for line in sys.stdin:
    request = line.strip()
    kind, *arguments = request.split()
    try:
        if request not in chosen:
            chosen[request] = kinds[kind](*arguments)
            for _ in range(2):
                chosen[request][0]()
        run, steps = chosen[request]
        start, rounds = time.perf_counter(), 0
        while rounds == 0 or time.perf_counter() - start < 0.1:
            run()
            rounds += 1
        print((time.perf_counter() - start) / steps / rounds, file=answers, flush=True)
    except Exception as problem:
        print(problem, file=sys.stderr)
        print("none", file=answers, flush=True)
