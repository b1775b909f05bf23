"""The estimators and kernels where users put them: tools, scikit-learn's own classes, notebooks."""
