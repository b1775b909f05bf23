import os

import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    """For tests that stop processes and not machines."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
