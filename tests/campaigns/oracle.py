"""Fits of random settings end with the weights and losses that PyTorch ends with, to 1e-8.

Nothing is shared with PyTorch but the weights to begin with: gradients are those of its autograd,
and steps those of torch.optim, or of SciPy's L-BFGS on PyTorch's losses. Of rows held out, the
losses are compared, and the weights that are kept. A deviation is named with what makes it happen
again.

Some fits magnify rounding errors: where nothing but its decay moves a weight, as one out of a ReLU
that no row passes, Adam takes it to 0 and then overshoots, ever farther. If a deviation is greater
than 1e-8, each number may be off by ten times as much as it is in PyTorch's own fits of settings
whose numbers are an ulp or two away.

Where an exponential overflows, PyTorch's gradient may be NaN of a loss that is finite, which ends a
line search of L-BFGS: such fits are passed over, and counted.
"""

import collections
import warnings

import numpy as np

from campaigns import build, options

TOLERANCE = 1e-8  # of how far an array's elements went, at most
LEAST = 1e-6  # of how far they went, of which rounding errors of elements near 1 are no great part
ROUNDED, MARGIN = 8, 10  # how many fits of rounded settings, and the multiple that is allowed


def deviation(setting, model, fit, rounded=()):
    """How far a model's weights and losses are from those of PyTorch's fit, at most.

    Relative to how far each array went from its start, and to losses or to 1. With fits of
    rounded settings, relative to what makes their own deviations `TOLERANCE` / `MARGIN`, where
    that is more.
    """
    losses, kept = fit.losses_held_out, len(fit.losses)
    if len(model.loss_curve_) != kept:
        return np.inf
    got = [*model.coefs_, *model.intercepts_, np.array(model.loss_curve_)]
    found = [0.0]
    if losses:
        kept = model.best_iter_
        got.append(np.array(model.validation_loss_curve_))
        found.append((losses[kept - 1] - min(losses)) / max(1, abs(min(losses))))  # near equals
    start = setting.weights + setting.biases
    want = results(fit, start, kept)
    weights, curves = want[: len(start)], want[len(start) :]
    scales = [max(LEAST, np.max(np.abs(w - b))) for w, b in zip(weights, start, strict=True)]
    scales += [np.maximum(1, np.abs(curve)) for curve in curves]
    others = [results(r, start, kept) for r in rounded if len(r.losses) == len(fit.losses)]
    for i, (ours, theirs, scale) in enumerate(zip(got, want, scales, strict=True)):
        for other in others:
            scale = np.maximum(scale, MARGIN / TOLERANCE * np.abs(other[i] - theirs))
        found.append(np.max(np.abs(ours - theirs) / scale, initial=0))
    return np.max(found)  # NaN, if that is among them


def results(fit, start, kept):
    """What is compared of PyTorch's fit: the weights after the epoch that is kept, and the losses.

    A fit that makes no iteration keeps its weights.
    """
    losses = [fit.losses, fit.losses_held_out] if fit.losses_held_out else [fit.losses]
    return [*[start, *fit.weights][kept], *map(np.array, losses)]


def compare(seed, first, n_fits):
    """How many fits there were of each problem and rule, and whether all agreed."""
    from campaigns import torch_fits

    torch_fits.assert_is_complete()
    torch_fits.torch.set_num_threads(1)  # which such small networks are fastest on
    counts, worst, n_rounded, n_nan, good = collections.Counter(), 0.0, 0, 0, True
    for n in range(first, first + n_fits):
        rng = np.random.default_rng([seed, n])
        setting = torch_fits.draw_setting(rng)
        model, fit = setting.fitted(), torch_fits.Fit(setting)
        if fit.lost_gradient:
            n_nan += 1
            continue
        found = deviation(setting, model, fit)
        if found > TOLERANCE:
            n_rounded += 1
            near = [torch_fits.Fit(torch_fits.rounded(rng, setting)) for _ in range(ROUNDED)]
            found = deviation(setting, model, fit, near)
        if not found <= TOLERANCE:  # nor NaN
            print(f"{setting.name}: off by {found:.1e}: make oracle SEED={seed} FIRST={n} CALLS=1")
            good = False
        worst = np.maximum(worst, found)  # NaN, if that is among them
        counts.update(setting.name.split(" by "))
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(
        f"oracle: {n_fits} fits of seed {seed}, off by at most {worst:.1e}; {n_rounded} compared "
        f"with what rounding makes of them; {n_nan} passed over, of which PyTorch's gradient is NaN"
    )
    return good


def main() -> int:
    bounds = options.parse(__doc__, seed=0, first=0, calls=(5_000, 200))
    if not build.has_modules("torch"):
        return 0
    warnings.simplefilter("ignore")
    return 0 if compare(bounds.seed, bounds.first, bounds.calls) else 1


if __name__ == "__main__":
    build.end(main())
