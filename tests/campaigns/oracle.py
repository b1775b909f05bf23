"""Fits of random settings end with the weights and losses that PyTorch ends with, to 1e-8.

Nothing is shared with PyTorch but the weights to begin with: gradients are those of its autograd,
and steps those of torch.optim, or of SciPy's L-BFGS on PyTorch's losses. Of rows held out, the
losses are compared, and the weights that are kept. A deviation is named with what makes it happen
again.
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


def deviation_of_losses(got, want):
    """How far losses are from others, at most, relative to these or to 1."""
    if len(got) != len(want):
        return np.inf
    apart = (
        abs(ours - theirs) / max(1, abs(theirs)) for ours, theirs in zip(got, want, strict=True)
    )
    return max(apart, default=0)


def deviation_of_fits(setting, model, fit):
    """How far a model's weights and losses are from those of PyTorch's fit, at most."""
    losses, kept = fit.losses_held_out, len(fit.losses)
    found = [deviation_of_losses(model.loss_curve_, fit.losses)]
    if losses:
        kept = model.best_iter_
        found.append(deviation_of_losses(model.validation_loss_curve_, losses))
        found.append(deviation_of_losses([losses[kept - 1]], [min(losses)]))  # of near equals, any
    start, weights = setting.weights + setting.biases, model.coefs_ + model.intercepts_
    # A fit that makes no iteration keeps its weights.
    found.append(deviation(weights, [start, *fit.weights][kept], start))
    return np.max(found)  # NaN, if that is among them


def compare(seed, first, n_fits):
    """How many fits there were of each problem and rule, and whether all agreed."""
    from campaigns import torch_fits

    torch_fits.assert_is_complete()
    torch_fits.torch.set_num_threads(1)  # which such small networks are fastest on
    counts, worst, good = collections.Counter(), 0.0, True
    for n in range(first, first + n_fits):
        setting = torch_fits.draw_setting(np.random.default_rng([seed, n]))
        found = deviation_of_fits(setting, setting.fitted(), torch_fits.Fit(setting))
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
