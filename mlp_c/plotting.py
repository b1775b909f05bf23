"""Pictures of fitted models, in scikit-learn's display convention."""

from mlp_c._plots.loss_curves import LossCurveDisplay
from mlp_c._plots.weights import WeightsDisplay

__all__ = ["LossCurveDisplay", "WeightsDisplay"]
