"""What a process runs: ``python -m benchmarks.mpi.process``, alone or started by mpiexec.

The first process prints a line of JSON for each network, batch and exchange: the seconds of a fit
of one epoch, and of a longer one.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import data
from benchmarks.cases import Case
from benchmarks.mpi.cases import EPOCHS, EXCHANGES, NETS
from benchmarks.processes import REST
from benchmarks.rivals.estimators import MlpC
from benchmarks.timing import seconds


class Together(MlpC):
    """Trains with other processes."""

    n_shards: int | None = None

    def train(self) -> None:
        from mlp_c import mpi

        mpi.fit(self.model, self.x, self.y, n_shards=self.n_shards)


def times(rival: MlpC) -> list[float]:
    """Seconds of a fit of one epoch, and of a longer one, after one to get ready."""
    rival.fit(1)
    found = []
    for n_epochs in (1, EPOCHS):
        time.sleep(REST)
        found.append(seconds(lambda n=n_epochs: rival.fit(n)))
    return found


def cases(arguments: argparse.Namespace) -> Iterator[tuple[str, Case]]:
    """Each network with each batch."""
    for name in arguments.nets:
        for batch in arguments.batches:
            yield name, replace(NETS[name], batch_size=batch, threads=arguments.threads)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mpi.process", description=__doc__)
    parser.add_argument("folder", type=Path, help="where each network's data are")
    parser.add_argument("--nets", nargs="+", choices=list(NETS), required=True)
    parser.add_argument("--batches", nargs="+", type=int, required=True)
    parser.add_argument("--exchanges", nargs="+", choices=EXCHANGES, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    comm = None
    if arguments.exchanges != ["none"]:
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
    for name, case in cases(arguments):
        x, y = data.read(arguments.folder / name, "train", case.dtype)
        for exchange in arguments.exchanges:
            rival = (MlpC if comm is None else Together)(case, x, y)
            if exchange == "tree":
                rival.n_shards = comm.Get_size()
            found = times(rival)
            if comm is None or comm.Get_rank() == 0:
                print(json.dumps([name, case.batch_size, exchange, *found]), flush=True)


if __name__ == "__main__":
    main()
