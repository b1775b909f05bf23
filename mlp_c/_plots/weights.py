"""Pictures of the weights of a first layer."""

from collections.abc import Sequence
from math import ceil, isqrt, sqrt
from numbers import Integral
from typing import Any, Self

import numpy as np

from mlp_c._estimators.html import shorten
from mlp_c._estimators.tabular import BaseTabularMLP
from mlp_c._plots.axes import import_pyplot, size_in_points
from mlp_c._plots.models import find_network
from mlp_c._system.blocks import Array

# Smaller squares are no pictures: nine features are a table.
_MIN_SIDE = 8

# Points of text: a line of it, and the least that can be read.
_LINE, _MIN_FONT, _MAX_FONT = 11, 4, 9
_MAX_NAME = 24  # characters


class WeightsDisplay:
    """The weights of a first layer: an image for each unit, or a heat map of features by units.

    All are on the same colour scale, which is symmetric about 0.

    Parameters
    ----------
    weights : array-like of shape (n_features, n_units)
        The weights of the layer, as ``model.coefs_[0]``.
    units : int or sequence of int, default=16
        The units to draw, by index; or how many: those with the largest norm then, the largest
        first.
    image_shape : tuple of (height, width), default=None
        The shape of the images whose pixels the features are, row by row. By default a square of
        at least 8 x 8 where the features have no names and their number is one; else a heat map.
    feature_names : sequence of str, default=None
        The names of the features, which the heat map shows where there is room.

    Attributes
    ----------
    units : ndarray of int
        The units that are drawn.
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        The figure.
    image_ : matplotlib.image.AxesImage
        The heat map, or the images side by side.
    colorbar_ : matplotlib.colorbar.Colorbar
        The colour scale.

    Raises
    ------
    ValueError
        If there are no such units, or the image has another number of pixels than there are
        features.

    See Also
    --------
    WeightsDisplay.from_estimator : The weights of a fitted model.
    LossCurveDisplay : Curves of the training.

    Examples
    --------
    >>> from mlp_c import MLPClassifier
    >>> from mlp_c.plotting import WeightsDisplay
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(32, max_iter=20, tol=1, random_state=0).fit(X / 16, y)
    >>> display = WeightsDisplay.from_estimator(model, units=[0, 1, 2])
    >>> display.image_shape
    (8, 8)
    """

    __module__ = "mlp_c.plotting"  # its public place

    def __init__(
        self,
        weights: Any,
        *,
        units: int | Sequence[int] = 16,
        image_shape: tuple[int, int] | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.weights = np.asarray(weights, float)
        if self.weights.ndim != 2 or self.weights.size == 0:
            raise ValueError(
                f"weights must be a matrix of features by units, got shape {self.weights.shape}"
            )
        self.units = _choose_units(self.weights, units)
        n_features = len(self.weights)
        if image_shape is None:
            side = isqrt(n_features)
            is_square = side >= _MIN_SIDE and side**2 == n_features and feature_names is None
            image_shape = (side, side) if is_square else None
        elif not _is_shape_of(n_features, image_shape):
            raise ValueError(
                f"image_shape must be a height and a width of {n_features} pixels, one for each "
                f"feature, got {image_shape!r}"
            )
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, int] | None = None,
        units: int | Sequence[int] = 16,
        ax: Any = None,
        cmap: Any = "RdBu_r",
    ) -> Self:
        """Draw the first layer's weights of a fitted model.

        Parameters
        ----------
        estimator : estimator
            A fitted network of this package or of scikit-learn, a pipeline that ends in one, or a
            search of one. No ensemble for tables: what its networks read are codes of columns.
        image_shape : tuple of (height, width), default=None
            The shape of the images whose pixels the features are, row by row. By default a square
            of at least 8 x 8 where the features have no names and their number is one; else a
            heat map.
        units : int or sequence of int, default=16
            The units to draw, by index; or how many: those with the largest norm then, the
            largest first.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default in a new figure.
        cmap : str or matplotlib.colors.Colormap, default='RdBu_r'
            The colours, of which the middle is 0.

        Returns
        -------
        WeightsDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there are no such units, or the image has another number of pixels than there are
            features.
        TypeError
            If there is no network in `estimator`, or it is an ensemble for tables.
        ImportError
            If matplotlib is not installed: ``pip install matplotlib``.
        sklearn.exceptions.NotFittedError
            If it is not fitted.

        See Also
        --------
        WeightsDisplay.plot : Draw the same weights again.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        model = find_network(estimator)
        if isinstance(model, BaseTabularMLP):
            raise TypeError(
                f"estimator must be a single network that reads features, got a "
                f"{type(model).__name__}, whose {len(model.members_)} networks read codes of "
                "columns; permutation_importance says what its columns are worth"
            )
        names = getattr(model, "feature_names_in_", None)
        display = cls(model.coefs_[0], units=units, image_shape=image_shape, feature_names=names)
        return display.plot(ax, cmap=cmap)

    def plot(self, ax: Any = None, *, cmap: Any = "RdBu_r") -> Self:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default in a new figure.
        cmap : str or matplotlib.colors.Colormap, default='RdBu_r'
            The colours, of which the middle is 0.

        Returns
        -------
        WeightsDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed: ``pip install matplotlib``.

        See Also
        --------
        WeightsDisplay.from_estimator : The weights of a fitted model.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        drawn = self.weights[:, self.units]
        largest = np.abs(drawn).max()
        colours = {"cmap": cmap, "vmin": -largest, "vmax": largest}
        draw = self._draw_heat_map if self.image_shape is None else self._draw_images
        self.image_ = draw(drawn, colours)
        self.colorbar_ = self.figure_.colorbar(
            self.image_, ax=self.ax_, fraction=0.05, label="weight"
        )
        return self

    def _draw_images(self, drawn: Array, colours: dict[str, Any]) -> Any:
        """Draw an image for each unit, with its index above it."""
        assert self.image_shape is not None
        height, width = self.image_shape
        n = len(self.units)
        n_columns = min(n, max(1, round(sqrt(n * height / width))))
        gap, head = max(1, width // 10), max(1, height // 5)
        step_y, step_x = height + head, width + gap
        whole = np.full((ceil(n / n_columns) * step_y, n_columns * step_x - gap), np.nan)
        corners = [(head + k // n_columns * step_y, k % n_columns * step_x) for k in range(n)]
        for (y, x), weights in zip(corners, drawn.T, strict=True):
            whole[y : y + height, x : x + width] = weights.reshape(height, width)
        image = self.ax_.imshow(whole, interpolation="nearest", **colours)
        self.ax_.set_axis_off()
        of_axes = min(size_in_points(self.ax_) / np.array(whole.shape[::-1]))
        font = min(_MAX_FONT, 0.9 * head * of_axes)
        for (y, x), unit in zip(corners, self.units, strict=True):
            self.ax_.add_patch(_frame(x, y, width, height))
            if font >= _MIN_FONT:
                self.ax_.text(x, y - 0.5, f"unit {unit}", fontsize=font, va="bottom")
        return image

    def _draw_heat_map(self, drawn: Array, colours: dict[str, Any]) -> Any:
        """Draw a row for each feature and a column for each unit."""
        from matplotlib.ticker import MaxNLocator

        image = self.ax_.imshow(drawn, aspect="auto", **colours)
        room_x, room_y = size_in_points(self.ax_) // _LINE
        every = ceil(2 * len(self.units) / room_x)  # a number takes about two lines
        ticks = range(0, len(self.units), every)
        self.ax_.set_xticks(ticks, [str(self.units[k]) for k in ticks])
        if self.feature_names is not None and len(drawn) <= room_y:
            names = [shorten(str(name), _MAX_NAME) for name in self.feature_names]
            self.ax_.set_yticks(range(len(names)), names, fontsize="small", parse_math=False)
        else:
            self.ax_.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        self.ax_.set(xlabel="unit", ylabel="feature")
        return image


def _choose_units(weights: Array, units: Any) -> Array:
    """The indices of the units to draw."""
    n_units = weights.shape[1]
    if isinstance(units, Integral) and not isinstance(units, bool):
        if units < 1:
            raise ValueError(f"units must be at least 1, got {units}")
        by_norm = np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")
        return by_norm[: int(units)]
    indices = np.asarray(units)
    is_list = indices.ndim == 1 and indices.size > 0 and indices.dtype.kind in "iu"
    if not is_list or indices.min() < 0 or indices.max() >= n_units:
        raise ValueError(
            f"units must be a number of units, or a list of indices from 0 to {n_units - 1}, got "
            f"{units!r}"
        )
    return indices


def _is_shape_of(n_pixels: int, shape: Any) -> bool:
    """Whether a shape is the height and the width of an image of so many pixels."""
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        return False
    is_whole = all(isinstance(n, (int, np.integer)) and n > 0 for n in shape)
    return is_whole and shape[0] * shape[1] == n_pixels


def _frame(x: int, y: int, width: int, height: int) -> Any:
    """The frame of an image whose first pixel is at a place."""
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), width, height, fill=False, color="0.7", linewidth=0.5)
