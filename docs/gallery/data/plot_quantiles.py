"""
Bands of quantiles
==================

``MLPRegressor(loss="quantile", quantile=[0.05, 0.5, 0.95])`` learns a median and the ends of a
band that holds nine in ten targets, by one network with an output for each. No shape of the noise
is assumed.
"""

import matplotlib.pyplot as plt
import numpy as np

from mlp_c import MLPRegressor

# %%
# Noise that is not the same everywhere
# -------------------------------------
#
# The rate of a reaction is measured at temperatures from 0 to 100 °C. The noise grows with the
# rate, and it is skewed: what goes wrong makes it too high.

rng = np.random.default_rng(0)


def measure(n_samples):
    temperature = np.sort(rng.uniform(0, 100, n_samples))
    rate = 2 + 8 * np.exp(-(((temperature - 60) / 22) ** 2))
    X = (temperature[:, np.newaxis] - 50) / 25  # near unit scale, as networks want it
    return temperature, X, rate + rate / 6 * (rng.gamma(2, size=n_samples) - 1.7)


_, X_train, y_train = measure(2000)
temperature, X_test, y_test = measure(2000)

# %%
# One fit, three quantiles
# ------------------------
#
# ``predict`` returns a column for each quantile, sorted, so that they never cross.

quantiles = [0.05, 0.5, 0.95]
model = MLPRegressor(
    "quantile",
    quantile=quantiles,
    hidden_layer_sizes=(64, 64),
    activation="gelu",
    learning_rate_init=0.005,
    max_iter=300,
    random_state=0,
)
model.fit(X_train, y_train)
low, median, high = model.predict(X_test).T
for quantile, predicted in zip(quantiles, [low, median, high], strict=True):
    print(f"{np.mean(y_test <= predicted):.1%} of test targets lie below the {quantile} quantile")
print(f"{np.mean((low <= y_test) & (y_test <= high)):.1%} lie in the band")

# %%
# The band
# --------
#
# The band is wide where the rate is high, and reaches farther up from the median than down: it
# has found both the growth and the skew of the noise.

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
ax.plot(temperature, y_test, ".", color="0.45", markersize=3, label="test measurements")
ax.fill_between(temperature, low, high, color="C0", alpha=0.3, label="5 % to 95 %")
ax.plot(temperature, median, color="C0", linewidth=2.5, label="median")
ax.set(xlabel="temperature (°C)", ylabel="rate (mmol/s)")
ax.legend()
plt.show()
