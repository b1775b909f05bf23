"""scikit-learn's own networks, as they are when this package is imported."""

from sklearn.neural_network import MLPClassifier, MLPRegressor

# Held here, for users may put ours in their place: see patch_sklearn.
SKLEARN_CLASSES = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
