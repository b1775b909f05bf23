"""The CPU time that Linux's control groups allow this process."""

import math
from pathlib import Path


def cpu_quota(root: Path = Path("/")) -> float:
    """CPUs this process may use by its control group and those above it; inf for all.

    Both versions of control groups count, as services and containers set them. A container
    may see the path its group has outside, of which only the top exists inside.
    """
    mounts = root / "sys" / "fs" / "cgroup"
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return math.inf
    least = math.inf
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            trees = [mounts, mounts / "unified"]
        elif "cpu" in controllers.split(","):
            trees = [mounts / "cpu", mounts / controllers]
        else:
            continue
        for tree in trees:
            group = tree / path.lstrip("/")
            while tree in (group, *group.parents):
                least = min(least, _group_quota(group))
                group = group.parent
    return least


def _group_quota(group: Path) -> float:
    """What one group allows: version 2 keeps quota and period in one file."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join(
                (group / name).read_text(errors="surrogateescape") for name in names
            ).split()
            if int(quota) > 0:  # -1 is none in version 1
                return int(quota) / int(period)
        except (OSError, ValueError):  # no such file; 'max' is none in version 2
            continue
    return math.inf
