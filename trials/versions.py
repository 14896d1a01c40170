"""With what something was measured: the versions that a file of results names."""

import platform
from importlib.metadata import version

PACKAGES = ("numpy", "keras", "tensorflow", "scikit-learn")


def versions() -> dict:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version(), **{name: _installed(name) for name in PACKAGES}}


def _installed(package):
    """The version of a package; TensorFlow's may be that of its build without CUDA."""
    for name in [package, f"{package}-cpu"] if package == "tensorflow" else [package]:
        try:
            return version(name)
        except ImportError:
            continue
    return None
