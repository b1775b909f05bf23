"""The package builds from its source distribution, and says so where it cannot."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRY_IT = """
import mlp_c, numpy as np
assert "site" in mlp_c.__file__, mlp_c.__file__
X = np.random.default_rng(0).random((60, 3))
model = mlp_c.MLPClassifier(max_iter=2, random_state=0).fit(X, X.sum(axis=1) > 1.5)
print(mlp_c.show_config(mode="dicts")["version"], model.predict(X).shape)
"""


def run(*command, cwd, **env):
    """What a command printed; its output is shown if it fails."""
    result = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def pip_wheel(source, target, **env):
    options = ("--no-build-isolation", "--no-deps", "--quiet", "--wheel-dir", target)
    return run("-m", "pip", "wheel", *options, source, cwd=target, **env)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The unpacked source distribution."""
    target = tmp_path_factory.mktemp("sdist")
    build = f"from setuptools.build_meta import build_sdist; build_sdist({str(target)!r})"
    run("-c", build, cwd=ROOT)
    (archive,) = target.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return target / archive.name.removesuffix(".tar.gz")


def test_the_source_distribution_holds_what_the_repository_holds(source):
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    left_out = {".gitignore", ".ci/run"}
    missing = {name for name in listed.stdout.split() if not (source / name).exists()}
    assert missing <= left_out


def test_a_wheel_built_from_the_source_distribution_works(source, tmp_path):
    soonest_compiled = {"MLP_C_CFLAGS": "-O0", "MLP_C_BUILD_ISAS": ""}
    pip_wheel(source, tmp_path, **soonest_compiled)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel, cwd=tmp_path)
    installed = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert {"mlp_c/py.typed", "mlp_c/_core.pyi"} <= installed
    assert not [name for name in installed if name.endswith((".c", ".h")) or "tests" in name]
    assert run("-W", "ignore", "-c", TRY_IT, cwd=tmp_path, PYTHONPATH=str(site)).startswith("0.")


def test_without_a_compiler_the_build_says_what_to_install(source, tmp_path):
    with pytest.raises(AssertionError, match="mlp_c is written in C, and its compiler"):
        pip_wheel(source, tmp_path, CC=str(tmp_path / "no-such-compiler"))


@pytest.mark.parametrize(
    ("platform", "isas"),
    [
        ("linux-x86_64", ["avx2", "avx512"]),
        ("linux-aarch64", ["neon"]),
        ("macosx-12.0-arm64", ["neon"]),
        ("macosx-12.0-x86_64", ["avx2", "avx512"]),
        ("win-amd64", ["avx2", "avx512"]),
        ("linux-riscv64", []),
    ],
)
def test_the_instruction_sets_are_those_of_the_machine_that_is_built_for(platform, isas):
    ask = "import runpy; print(list(runpy.run_path('setup.py', run_name='setup')['ISAS']))"
    assert run("-c", ask, cwd=ROOT, _PYTHON_HOST_PLATFORM=platform).strip() == str(isas)
