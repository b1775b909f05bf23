"""The machine that the process runs on."""

import platform
import re
from pathlib import Path

from mlp_c._system.threads import count_cpus


def describe_machine() -> dict[str, str | int]:
    """The system, the processor, and how many CPUs this process may use."""
    return {"platform": platform.platform(), "processor": _processor(), "cpus": count_cpus()}


def _processor() -> str:
    """The processor's name; Linux has it in a file."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()
