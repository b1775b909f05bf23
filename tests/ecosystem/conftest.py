"""What tests of notebooks share: a kernel of this interpreter."""

import sys

import pytest


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """Makes a client that executes a notebook with this interpreter in a folder."""
    nbclient = pytest.importorskip("nbclient")
    kernelspec = pytest.importorskip("ipykernel.kernelspec")
    home = tmp_path_factory.mktemp("jupyter")
    kernelspec.write_kernel_spec(home / "kernels" / "python3")

    def make(notebook, folder):
        client = nbclient.NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=None,  # pytest's is the limit
            resources={"metadata": {"path": str(folder)}},
        )
        spec = client.create_kernel_manager().kernel_spec
        assert spec is not None
        assert spec.argv[0] == sys.executable
        return client

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JUPYTER_PATH", str(home))
        environment.setenv("IPYTHONDIR", str(home / "ipython"))
        yield make
