"""PyTorch: nn.Sequential, torch.optim and CrossEntropyLoss, batches by index_select."""

from itertools import pairwise

import numpy as np
import torch

from benchmarks.cases import Case
from benchmarks.rivals.base import Rival


class PyTorch(Rival):
    version = str(torch.__version__)

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray) -> None:
        torch.set_num_threads(case.threads)
        self.case = case
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)

    def fit(self, n_epochs: int) -> None:
        torch.manual_seed(0)
        case = self.case
        layers = []
        for n_in, n_out in pairwise(case.layer_sizes):
            layers += [torch.nn.Linear(n_in, n_out, dtype=self.x.dtype), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[case.solver](
            self.model.parameters(),
            lr=case.learning_rate,
            weight_decay=case.alpha / case.batch_size,
            fused=True,  # the fastest of its variants on a CPU
        )
        loss_of = torch.nn.CrossEntropyLoss()
        for _ in range(n_epochs):
            for batch in torch.randperm(len(self.x)).split(case.batch_size):
                x, y = self.x.index_select(0, batch), self.y.index_select(0, batch)
                optimizer.zero_grad()
                loss_of(self.model(x), y).backward()
                optimizer.step()

    def predict(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.model(torch.from_numpy(x)).argmax(dim=1).numpy()
