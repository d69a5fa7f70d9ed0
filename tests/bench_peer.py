"""One repetition of the bench's peer, run by tests/bench.lua with PEER_PYTHON: prints its version and the
seconds of one training step of the two-layer net in PyTorch (batch 200, SGD), all cores, the better of
eager and compiled."""
import sys
import time

import torch

hidden, steps = int(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(3072, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, weight_decay=0.5)
x = torch.randn(49000, 3072)
y = torch.randint(0, 10, (49000,))


def step(model):
    rows = torch.randint(0, 49000, (200,))
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    return loss.item()


def seconds(model):
    for _ in range(10):
        step(model)
    start = time.perf_counter()
    for _ in range(steps):
        step(model)
    return (time.perf_counter() - start) / steps


best = seconds(net)
try:
    best = min(best, seconds(torch.compile(net)))
except Exception:  # no compiler on this machine: eager it is
    pass
print(f"PyTorch {torch.__version__}\n{best}")
