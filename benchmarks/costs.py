"""What options cost, ``make bench-costs``: an epoch of MNIST with each, beside one without it.

PyTorch's usual loop takes the same options. Each library has a process of its own, and in each
round, all options of both are timed once, in turns.
"""

import argparse
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks import data
from benchmarks.cases import MNIST
from benchmarks.processes import REST, Disturbance, Worker, apart
from benchmarks.progress import progress
from benchmarks.tables import aligned
from benchmarks.timing import Fits

HIDDEN, BATCH_SIZE, RATES = (128,), 128, {"sgd": 0.1, "adam": 0.001}


@dataclass(frozen=True)
class Option:
    """Parameters of our classifier, beside a rate, and the option that it is compared with."""

    params: dict[str, Any] = field(default_factory=dict)
    of: str = "plain"


OPTIONS = {
    "plain": Option(),
    "gelu": Option({"activation": "gelu"}),
    "silu": Option({"activation": "silu"}),
    "mish": Option({"activation": "mish"}),
    "elu": Option({"activation": "elu"}),
    "selu": Option({"activation": "selu"}),
    "leaky_relu": Option({"activation": "leaky_relu"}),
    "softplus": Option({"activation": "softplus"}),
    "dropout": Option({"dropout": 0.5}),
    "input_dropout": Option({"input_dropout": 0.2}),
    "max_grad_norm": Option({"max_grad_norm": 1.0}),
    "weight_decay": Option({"weight_decay": 0.01}),
    "cosine": Option({"learning_rate": "cosine"}),
    "adam": Option({"solver": "adam"}, of="adam"),
    "adamw": Option({"solver": "adamw"}, of="adam"),
    "rmsprop": Option({"solver": "rmsprop"}, of="adam"),
    "all of them": Option(
        {
            "solver": "adamw",
            "activation": "gelu",
            "dropout": 0.5,
            "input_dropout": 0.2,
            "max_grad_norm": 1.0,
            "learning_rate": "cosine",
        },
        of="adam",
    ),
}


class Ours:
    """Our classifier."""

    def __init__(self, X: Any, y: Any, threads: int) -> None:
        self.data, self.threads = (X, y), threads

    def fit(self, params: dict[str, Any], epochs: int) -> None:
        import warnings

        from mlp_c import MLPClassifier

        solver = params.get("solver", "sgd")
        model = MLPClassifier(
            HIDDEN,
            batch_size=BATCH_SIZE,
            alpha=0,
            momentum=0,
            learning_rate_init=RATES.get(solver, RATES["adam"]),
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            random_state=0,
            n_threads=self.threads,
            **{"solver": solver} | params,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            model.fit(*self.data)


class PyTorch:
    """nn.Sequential, torch.optim and CrossEntropyLoss, batches by index_select."""

    def __init__(self, X: Any, y: Any, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch, self.X, self.y = torch, torch.from_numpy(X), torch.from_numpy(y)

    def network(self, params: dict[str, Any]) -> Any:
        nn = self.torch.nn
        unit = {
            "relu": nn.ReLU,
            "gelu": nn.GELU,
            "silu": nn.SiLU,
            "mish": nn.Mish,
            "elu": nn.ELU,
            "selu": nn.SELU,
            "leaky_relu": nn.LeakyReLU,
            "softplus": nn.Softplus,
        }[params.get("activation", "relu")]
        layers = [nn.Dropout(params["input_dropout"])] if "input_dropout" in params else []
        for n_in, n_out in pairwise((MNIST.n_in, *HIDDEN)):
            layers += [nn.Linear(n_in, n_out, dtype=self.X.dtype), unit()]
            if "dropout" in params:
                layers.append(nn.Dropout(params["dropout"]))
        return nn.Sequential(*layers, nn.Linear(HIDDEN[-1], MNIST.n_classes, dtype=self.X.dtype))

    def optimizer(self, params: dict[str, Any], parameters: Any) -> Any:
        """The fastest of its variants on a CPU; RMSprop has one alone."""
        optim, solver = self.torch.optim, params.get("solver", "sgd")
        decay = {"weight_decay": params["weight_decay"]} if "weight_decay" in params else {}
        if solver == "rmsprop":
            return optim.RMSprop(parameters, lr=RATES["adam"], alpha=0.999, foreach=True, **decay)
        kind = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}[solver]
        return kind(parameters, lr=RATES.get(solver, RATES["adam"]), fused=True, **decay)

    def fit(self, params: dict[str, Any], epochs: int) -> None:
        torch = self.torch
        torch.manual_seed(0)
        network = self.network(params)
        optimizer = self.optimizer(params, network.parameters())
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1)
        if "learning_rate" in params:
            steps = epochs * -(-len(self.X) // BATCH_SIZE)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        loss_of = torch.nn.CrossEntropyLoss()
        for _ in range(epochs):
            for batch in torch.randperm(len(self.X)).split(BATCH_SIZE):
                X, y = self.X.index_select(0, batch), self.y.index_select(0, batch)
                optimizer.zero_grad()
                loss_of(network(X), y).backward()
                if "max_grad_norm" in params:
                    torch.nn.utils.clip_grad_norm_(network.parameters(), params["max_grad_norm"])
                optimizer.step()
                if "learning_rate" in params:
                    schedule.step()


LIBRARIES = {"mlp_c": Ours, "torch": PyTorch}


class Server:
    """Runs in the worker of a library, with its data."""

    def __init__(self, name: str, folder: Path, dtype: str, threads: int) -> None:
        self.library = LIBRARIES[name](*data.read(folder, "train", dtype), threads)
        threadpool_limits(threads)
        self.clocks: dict[str, Fits] = {}

    def warm_up(self, option: str, goal: float) -> None:
        params = OPTIONS[option].params
        self.clocks[option] = Fits(lambda epochs: self.library.fit(params, epochs), goal, REST)

    def time(self, option: str) -> float:
        """Seconds of an epoch."""
        return self.clocks[option].read()[0]


Seconds = dict[tuple[str, str], list[float]]


def measure(dtype: str, options: list[str], threads: int, rounds: int, goal: float) -> Seconds:
    """The seconds of an epoch in each round, by library and option."""
    with TemporaryDirectory() as folder:
        apart(data.write, MNIST, {dtype}, Path(folder))
        workers = [Worker(Server, name, Path(folder), dtype, threads) for name in LIBRARIES]
        absent = {worker.name: worker.receive() for worker in workers}
        workers = [worker for worker in workers if absent[worker.name] is None]
        seconds: Seconds = {(w.name, option): [] for w in workers for option in options}
        with progress(len(seconds) * (rounds + 1)) as step:
            for worker in workers:
                for option in options:
                    worker.ask("warm_up", option, goal)
                    step(f"{dtype} {worker.name} {option}: ready")
            disturbance = Disturbance(workers)
            for r in range(rounds):
                for option in options:
                    for worker in workers:
                        seconds[worker.name, option].append(worker.ask("time", option))
                        step(f"{dtype} round {r + 1}/{rounds} {worker.name} {option}")
            print(f"other processes kept {disturbance.cpus():.2f} CPUs busy")
        for worker in workers:
            worker.close()
    for name, reason in absent.items():
        if reason:
            print(f"{name} is absent: {reason}")
    return seconds


def rows_of(seconds: Seconds, options: list[str]) -> list[tuple[str, ...]]:
    """A header, then the medians of each option, and of its ratios in each round."""
    header = ("option", "ms", "of plain", "PyTorch ms", "of PyTorch's")
    rows: list[tuple[str, ...]] = [header]
    for option in options:
        ours, theirs = seconds["mlp_c", option], seconds.get(("torch", option))
        row = [option, in_ms(ours), ratio(ours, seconds["mlp_c", OPTIONS[option].of])]
        row += ["", ""] if theirs is None else [in_ms(theirs), ratio(ours, theirs)]
        rows.append(tuple(row))
    return rows


def in_ms(seconds: list[float]) -> str:
    return f"{median(seconds) * 1e3:.1f}"


def ratio(seconds: list[float], others: list[float]) -> str:
    return f"{median(ours / theirs for ours, theirs in zip(seconds, others, strict=True)):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.costs")
    parser.add_argument("--options", nargs="+", choices=list(OPTIONS), default=list(OPTIONS))
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--goal", type=float, default=1.0, help="seconds of a fit")
    arguments = parser.parse_args()
    needed = {OPTIONS[option].of for option in arguments.options}
    options = [option for option in OPTIONS if option in needed.union(arguments.options)]
    for dtype in arguments.dtypes:
        print(f"an epoch of MNIST, {MNIST.n_in}-{HIDDEN[0]}-{MNIST.n_classes}, batch {BATCH_SIZE}, "
              f"{dtype}, {arguments.threads} threads")  # fmt: skip
        seconds = measure(dtype, options, arguments.threads, arguments.rounds, arguments.goal)
        print(aligned(rows_of(seconds, options)), end="\n\n")


if __name__ == "__main__":
    main()
