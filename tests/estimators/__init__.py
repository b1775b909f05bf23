"""The estimators as scikit-learn means them: fits, parity, inputs, errors, callbacks."""
