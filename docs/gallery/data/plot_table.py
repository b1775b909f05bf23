"""
A table, from dataframe to intervals
====================================

:class:`mlp_c.TabularMLPRegressor` takes a dataframe as it is: numbers of any scale, words, and
missing values. Beside a prediction it gives an interval, whose width comes from rows that were
held out.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from mlp_c import TabularMLPRegressor

# %%
# The table
# ---------
#
# Made-up houses: an area, a year, which is not always known, and a town. Prices depend on the
# area, more so in one town, and new houses are dearer.

rng = np.random.default_rng(0)
n_houses = 1200
houses = pd.DataFrame(
    {
        "area": rng.gamma(6, 18, n_houses).round(1),
        "year": rng.integers(1900, 2020, n_houses),
        "town": rng.choice(["Aber", "Bala", "Cwm"], n_houses),
        "door": rng.choice(["red", "green", "blue"], n_houses),
    }
)
price = houses["area"] * houses["town"].map({"Aber": 4.2, "Bala": 2.6, "Cwm": 2.0})
price = (price + 60 * (houses["year"] > 1990)) * rng.lognormal(0, 0.12, n_houses)
houses["year"] = houses["year"].where(rng.random(n_houses) < 0.8)
houses.head()

# %%
# The fit
# -------
#
# There is nothing to scale, to encode or to impute. ``oob_score_`` is the R² of the training
# rows, each predicted by the member that had held it out.

X_train, X_test, y_train, y_test = train_test_split(houses, price, test_size=300, random_state=0)
model = TabularMLPRegressor(random_state=0).fit(X_train, y_train)
print(f"R²: {model.oob_score_:.3f} held out, {model.score(X_test, y_test):.3f} on test rows")

# %%
# Intervals
# ---------
#
# ``predict_interval(X, alpha=0.1)`` returns lower and upper ends, between which about nine in ten
# targets are to lie. Test rows say whether that is so. Each line of the picture is a house, put
# in order by its prediction.

low, high = model.predict_interval(X_test, alpha=0.1).T
is_inside = (low <= y_test) & (y_test <= high)
print(f"{is_inside.mean():.1%} of the test prices lie in their intervals")

plt.style.use("petroff10")
order = np.argsort(model.predict(X_test))[::3]  # a third, so that lines can be told apart
place, true, inside = np.arange(len(order)), y_test.to_numpy()[order], is_inside.to_numpy()[order]
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.vlines(place, low[order], high[order], color="C0", alpha=0.5, label="90 % interval")
ax.plot(place[inside], true[inside], "o", color="C0", markersize=4, label="price inside")
ax.plot(place[~inside], true[~inside], "X", color="C2", markersize=8, label="price outside")
ax.set(xlabel="test houses, by predicted price", ylabel="price (thousands)")
ax.legend()
plt.show()

# %%
# What each column is worth
# -------------------------
#
# ``permutation_importance`` shuffles a column among the rows held out and takes the score again.
# The colour of the door, which has no part in the price, is worth next to nothing.

importance = model.permutation_importance(X_train, y_train, random_state=0)
fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.barh(houses.columns, importance.importances_mean, xerr=importance.importances_std, color="C0")
ax.set(xlabel="fall of R² when the column is shuffled")
ax.invert_yaxis()
plt.show()
