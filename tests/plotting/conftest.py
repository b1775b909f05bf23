import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def pyplot():
    """Pyplot without figures, before the test and after it."""
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")
