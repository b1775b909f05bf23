"""The models that are compared, as they come: with their defaults, and random_state=0.

To add one, add a line to RIVALS. A model that cannot be imported is absent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any

import pandas as pd

OURS = "TabularMLP"
BOOSTING = ("HistGradientBoosting", "LightGBM", "XGBoost")  # that ours should beat
REAL_MLP = "RealMLP-TD-S"


def as_they_are(model: Any, X: pd.DataFrame) -> Any:
    return model


def prepared(model: Any, X: pd.DataFrame) -> Any:
    """Behind the usual preparation: numbers imputed and scaled, a column for each category."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_include="category"),
        ),
    )
    return make_pipeline(columns, model)


def with_words(model: Any, X: pd.DataFrame) -> Any:
    """With categories named, and as words: CatBoost does not take pandas', nor missing ones."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model.set_params(cat_features=list(X.select_dtypes("category").columns))
    return make_pipeline(FunctionTransformer(words_of), model)


def words_of(X: pd.DataFrame) -> pd.DataFrame:
    categories = X.select_dtypes("category").astype(object).fillna("missing")
    return X.assign(**{name: categories[name] for name in categories})


def with_medians(model: Any, X: pd.DataFrame) -> Any:
    """With medians in the place of missing numbers, which pytabkit's models do not take."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), make_column_selector(dtype_include="number")),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns.set_output(transform="pandas"), model)


@dataclass(frozen=True)
class Rival:
    """A classifier and a regressor, `module:class`, and what they need beside their defaults."""

    classifier: str
    regressor: str
    threads: str | None = "n_jobs"  # the parameter that says how many; None: limited from outside
    params: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Any, pd.DataFrame], Any] = as_they_are

    def load(self, is_classification: bool) -> type:
        module, _, name = (self.classifier if is_classification else self.regressor).partition(":")
        try:
            return getattr(import_module(module), name)
        except AttributeError:
            raise ImportError(f"{module} has no {name}") from None

    @property
    def version(self) -> str:
        package = self.classifier.partition(":")[0].partition(".")[0]
        found = getattr(import_module(package), "__version__", None)
        return f"{package} {found or metadata.version(package)}"

    def make(self, X: pd.DataFrame, is_classification: bool, n_threads: int) -> Any:
        """A new model for tables like X."""
        params = {"random_state": 0, **self.params}
        if self.threads is not None:
            params[self.threads] = n_threads
        return self.prepare(self.load(is_classification)(**params), X)


SKLEARN = {
    "HistGradientBoosting": Rival(
        "sklearn.ensemble:HistGradientBoostingClassifier",
        "sklearn.ensemble:HistGradientBoostingRegressor",
        threads=None,
        params={"categorical_features": "from_dtype"},
    ),
    "RandomForest": Rival(
        "sklearn.ensemble:RandomForestClassifier",
        "sklearn.ensemble:RandomForestRegressor",
        prepare=prepared,
    ),
    "Linear": Rival(
        "sklearn.linear_model:LogisticRegression",
        "sklearn.linear_model:Ridge",
        threads=None,
        params={"max_iter": 1000},
        prepare=prepared,
    ),
}


def of_pytabkit(name: str) -> Rival:
    module = "pytabkit.models.sklearn.sklearn_interfaces"
    return Rival(
        f"{module}:{name}_Classifier",
        f"{module}:{name}_Regressor",
        "n_threads",
        {"device": "cpu"},
        with_medians,
    )


RIVALS = {
    OURS: Rival("mlp_c:TabularMLPClassifier", "mlp_c:TabularMLPRegressor", "n_threads"),
    "MLP": Rival("mlp_c:MLPClassifier", "mlp_c:MLPRegressor", "n_threads", prepare=prepared),
    **SKLEARN,
    "LightGBM": Rival("lightgbm:LGBMClassifier", "lightgbm:LGBMRegressor", params={"verbose": -1}),
    "XGBoost": Rival(
        "xgboost:XGBClassifier", "xgboost:XGBRegressor", params={"enable_categorical": True}
    ),
    "CatBoost": Rival(
        "catboost:CatBoostClassifier",
        "catboost:CatBoostRegressor",
        threads="thread_count",
        params={"verbose": False, "allow_writing_files": False},
        prepare=with_words,
    ),
    REAL_MLP: of_pytabkit("RealMLP_TD_S"),
    "RealMLP-TD": of_pytabkit("RealMLP_TD"),
    "TabM": of_pytabkit("TabM_D"),
}
