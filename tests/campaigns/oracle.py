"""Fits of random settings end with the weights that PyTorch ends with, to 1e-8.

Nothing is shared with PyTorch but the weights to begin with: gradients are those of its autograd,
and steps those of torch.optim. A deviation is named with what makes it happen again.
"""

import collections
import warnings

import numpy as np

from campaigns import build, options

TOLERANCE = 1e-8  # of how far an array's elements went, at most
LEAST = 1e-6  # of how far they went, of which rounding errors of elements near 1 are no great part


def deviation(got, want, start):
    """How far arrays are from others, at most, relative to how far each went from the start."""
    return max(
        np.max(np.abs(ours - theirs)) / max(LEAST, np.max(np.abs(theirs - begun)))
        for ours, theirs, begun in zip(got, want, start, strict=True)
    )


def compare(seed, first, n_fits):
    """How many fits there were of each problem and rule, and whether all agreed."""
    from campaigns import torch_fits

    torch_fits.assert_is_complete()
    torch_fits.torch.set_num_threads(1)  # which such small networks are fastest on
    counts, worst, good = collections.Counter(), 0.0, True
    for n in range(first, first + n_fits):
        setting = torch_fits.draw_setting(np.random.default_rng([seed, n]))
        model = setting.fitted()
        start, got = setting.weights + setting.biases, model.coefs_ + model.intercepts_
        found = deviation(got, torch_fits.fit(setting), start)
        if not found <= TOLERANCE:  # nor NaN
            print(f"{setting.name}: off by {found:.1e}: make oracle SEED={seed} FIRST={n} CALLS=1")
            good = False
        worst = np.maximum(worst, found)  # NaN, if that is among them
        counts.update(setting.name.split(" by "))
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(f"oracle: {n_fits} fits of seed {seed}, off by at most {worst:.1e}")
    return good


def main() -> int:
    bounds = options.parse(__doc__, seed=0, first=0, calls=(5_000, 200))
    if not build.has_modules("torch"):
        return 0
    warnings.simplefilter("ignore")
    return 0 if compare(bounds.seed, bounds.first, bounds.calls) else 1


if __name__ == "__main__":
    build.end(main())
