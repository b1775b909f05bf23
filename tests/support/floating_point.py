"""The processor's floating-point control: rounding, and what becomes of denormals (x86-64)."""

import ctypes
import mmap
import platform

AVAILABLE = platform.machine() in ("x86_64", "AMD64") and hasattr(mmap, "PROT_EXEC")
DEFAULT = 0x1F80
FLUSH_TO_ZERO, DENORMALS_ARE_ZERO = 0x8000, 0x0040
ROUND_DOWN, ROUND_UP, ROUND_TO_ZERO = 0x2000, 0x4000, 0x6000
_SET, _GET = b"\x0f\xae\x17\xc3", b"\x0f\xae\x1f\xc3"  # ldmxcsr (%rdi), stmxcsr (%rdi); ret
_FLAGS = 0x3F  # what has happened, which any arithmetic sets


def _function(code):
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    function = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint32))(address)
    function.memory = memory
    return function


def set_control(value):
    """Sets the calling thread's MXCSR register."""
    _function(_SET)(ctypes.c_uint32(value))


def control():
    """The calling thread's MXCSR register, without its flags."""
    value = ctypes.c_uint32()
    _function(_GET)(value)
    return value.value & ~_FLAGS


def check_import():
    """To be run in a process that has not imported it."""
    before = control()
    import mlp_c  # noqa: F401

    assert control() == before == DEFAULT
