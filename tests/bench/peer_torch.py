"""The bench's peer in PyTorch; see peers.lua for how they talk. All cores. The first time that something is
asked for, each way is tried (contiguous or channels_last, eager or compiled) and the fastest kept."""
import sys
import time

import torch
from torch import nn

torch.manual_seed(0)
answers = sys.stdout
sys.stdout = sys.stderr


def same(kernel, padding):
    return kernel // 2 if padding == "same" else 0


def net(name, padding):
    """The course's nets, as scripts/nets/convnets.lua has them."""
    size = 32 if padding == "same" else 28
    p = same(3, padding)
    if name == "a":
        layers = [nn.Conv2d(3, 12, 5, padding=same(5, padding)), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                  nn.Dropout(0.5), nn.Linear(12 * (size // 2) ** 2, 10)]
    elif name == "b":
        layers = [nn.Conv2d(3, 32, 3, padding=p), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=p), nn.ReLU(),
                  nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * (size // 2) ** 2, 128),
                  nn.Dropout(0.5), nn.Linear(128, 10)]
    else:
        last = 8 if padding == "same" else 5
        layers = [nn.Conv2d(3, 32, 3, padding=p), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=p), nn.ReLU(),
                  nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=p), nn.ReLU(),
                  nn.Conv2d(64, 64, 3, padding=p), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
                  nn.Linear(64 * last * last, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10)]
    return nn.Sequential(*layers)


def layouts(model, x):
    yield "contiguous", model, x
    if x.dim() == 4:
        last = torch.channels_last
        yield "channels_last", model.to(memory_format=last), x.contiguous(memory_format=last)


def ways(make, x):
    """Every way to run a model on a batch: name, model, batch."""
    for compiled in (False, True):
        for name, model, batch in layouts(make(), x):
            if compiled:
                name, model = name + ", compiled", torch.compile(model)
            yield name, model, batch


def trainer(model, x, y, optimizer):
    loss_of = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def training(name, padding):
    x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
    for way, model, batch in ways(lambda: net(name, padding), x):
        yield way, trainer(model, batch, y, torch.optim.Adam(model.parameters(), fused=True))


def two_layer(hidden):
    def make():
        return nn.Sequential(nn.Linear(3072, int(hidden)), nn.ReLU(), nn.Linear(int(hidden), 10))

    reg = 0.25
    data, labels = torch.randn(49000, 3072), torch.randint(0, 10, (49000,))
    for way, model, _ in ways(make, data):
        weights = [p for p in model.parameters() if p.dim() == 2]
        biases = [p for p in model.parameters() if p.dim() == 1]
        optimizer = torch.optim.SGD([{"params": weights, "weight_decay": 2 * reg}, {"params": biases}], lr=1e-4)
        loss_of = nn.CrossEntropyLoss()

        def step(model=model, weights=weights, optimizer=optimizer):
            rows = torch.randint(0, 49000, (200,))
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(data[rows]), labels[rows])
            loss.backward()
            with torch.no_grad():  # the optimizer decays; the loss that is reported has the term too
                loss += reg * sum(torch.dot(w.view(-1), w.view(-1)) for w in weights)
            optimizer.step()
            return loss.item()

        yield way, step


def prediction(name, padding, images, batch):
    x = torch.randn(int(images), 3, 32, 32)
    for way, model, data in ways(lambda: net(name, padding).eval(), x):
        def run(model=model, data=data):
            with torch.inference_mode():
                return torch.cat([model(part) for part in data.split(int(batch))])

        yield way, run


def convolution(batch, size, channels, filters, kernel, padding, which):
    batch, size, channels, filters, kernel = map(int, (batch, size, channels, filters, kernel))
    p = same(kernel, padding)
    x, w, b = torch.randn(batch, channels, size, size), torch.randn(filters, channels, kernel, kernel), torch.randn(filters)
    for last in (False, True):
        memory = torch.channels_last if last else torch.contiguous_format
        x, w = x.contiguous(memory_format=memory), w.contiguous(memory_format=memory)
        dy = torch.nn.functional.conv2d(x, w, b, padding=p)

        def run(x=x, w=w, dy=dy):
            with torch.inference_mode():
                if which == "forward":
                    return torch.nn.functional.conv2d(x, w, b, padding=p)
                return torch.ops.aten.convolution_backward(
                    dy, x, w, [filters], [1, 1], [p, p], [1, 1], False, [0, 0], 1,
                    [which == "data", which == "kernel", False])

        yield "channels_last" if last else "contiguous", run


kinds = {"step": training, "two_layer": two_layer, "predict": prediction, "conv": convolution}
chosen = {}


def repetition(step, least=0.1):
    calls, taken = 1, 0
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            step()
        taken = time.perf_counter() - start
        if taken >= least:
            return taken / calls, calls
        calls *= 2


def best_way(request):
    kind, *arguments = request.split()
    best = None
    for way, step in kinds[kind](*arguments):
        try:
            for _ in range(3):
                step()
            seconds, calls = repetition(step)
        except Exception as problem:  # no compiler on this machine: eager it is
            print(problem, file=sys.stderr)
            continue
        if best is None or seconds < best[0]:
            best = (seconds, way, step, calls)
    return best


def serve():
    print(f"PyTorch {torch.__version__.split('+')[0]}", file=answers, flush=True)
    for line in sys.stdin:
        request = line.strip()
        if request not in chosen:
            chosen[request] = best_way(request)
        _, way, step, calls = chosen[request]
        start = time.perf_counter()
        for _ in range(calls):
            step()
        print((time.perf_counter() - start) / calls, way, file=answers, flush=True)


def first_steps(name, padding, path, steps):
    """A process of its own: reads 32 images, trains, and prints its memory at its highest, in KB."""
    import resource

    import numpy

    records = numpy.fromfile(path, dtype=numpy.uint8).reshape(-1, 3073)[:32]
    x = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255)
    y = torch.from_numpy(records[:, 0].astype(numpy.int64))
    model = net(name, padding)
    step = trainer(model, x, y, torch.optim.Adam(model.parameters()))
    for _ in range(int(steps)):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=answers)


if __name__ == "__main__":
    first_steps(*sys.argv[1:]) if len(sys.argv) > 1 else serve()
