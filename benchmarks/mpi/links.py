"""Links of limited rate: two network namespaces of Linux, joined by a pair of veth devices.

It takes root, and ``ip`` and ``tc`` of iproute2. What the machine does not permit ends in a
LinkError, which says what was asked for and what came back.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

DEVICE = "mlp0"  # its name in each namespace
# So many bytes may go at once: fewer than the gradients of the smallest network that is measured.
BURST = 32 * 1024

# Have MPICH take the link, also for processes that it finds on one machine.
ENVIRONMENT = {
    "MPIR_CVAR_NOLOCAL": "1",
    "UCX_TLS": "tcp,self",
    "UCX_NET_DEVICES": DEVICE,
    "FI_PROVIDER": "tcp",
    "FI_TCP_IFACE": DEVICE,
}


class LinkError(Exception):
    """Why there is no such link here."""


@dataclass(frozen=True)
class Link:
    """A link between two machines, as it is made here.

    Attributes
    ----------
    name : str
        Of the link.
    gigabits : float, default=None
        What goes through in a second, each way; None: what the machine can do.
    delay : float, default=0
        Seconds that a packet takes.
    """

    name: str
    gigabits: float | None = None
    delay: float = 0.0

    @property
    def limits(self) -> list[list[str]]:
        """The disciplines of ``tc`` that make such a link, the one to be tried first first."""
        if self.gigabits is None:
            return []
        rate = ["rate", f"{self.gigabits * 1000:.0f}mbit"]
        delay = ["delay", f"{self.delay * 1e6:.0f}us"] if self.delay else []
        netem = ["netem", *rate, *delay, "limit", "10000"]
        bucket = ["tbf", *rate, "burst", f"{BURST}", "latency", "100ms"]
        return [netem] if self.delay else [bucket, netem]


LINKS = (
    Link("TCP"),
    Link("TCP, 4 Gb/s", 4.0),
    Link("TCP, 1 Gb/s", 1.0),
    Link("TCP, 1 Gb/s, 100 µs", 1.0, 100e-6),
)


@contextmanager
def joined(link: Link) -> Iterator[list[list[str]]]:
    """For each of two processes, what its command begins with: it runs in its namespace then."""
    names = [f"mlp_c-{os.getpid()}-{end}" for end in range(2)]
    made = []
    try:
        for name in names:
            _run("ip", "netns", "add", name)
            made.append(name)
        ends = [["netns", name] for name in names]
        _run(
            "ip", "link", "add", DEVICE, *ends[0], "type", "veth", "peer", "name", DEVICE, *ends[1]
        )
        for end, name in enumerate(names):
            _run("ip", "-n", name, "addr", "add", f"10.77.0.{end + 1}/24", "dev", DEVICE)
            for device in ("lo", DEVICE):
                _run("ip", "-n", name, "link", "set", device, "up")
            _limit(name, link)
        yield [["ip", "netns", "exec", name] for name in names]
    finally:
        for name in made:
            _run("ip", "netns", "del", name)


def _limit(name: str, link: Link) -> None:
    """Limit what leaves a namespace, by the first discipline that the kernel has."""
    errors = []
    for limit in link.limits:
        try:
            _run("tc", "-n", name, "qdisc", "add", "dev", DEVICE, "root", *limit)
        except LinkError as error:
            errors.append(f"{' '.join(limit)}: {error}")
        else:
            return
    if errors:
        raise LinkError("; ".join(errors))


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise LinkError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise LinkError(f"{command[0]}: {done.stderr.strip()}")
