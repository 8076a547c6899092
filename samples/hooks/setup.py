"""Compiles the filters against the header of the meshcore that is installed."""

import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

FILTERS = ("api_key", "header_rewrite", "pii_mask")


def include() -> str:
    """The folder of meshcore_abi.h."""
    try:
        import meshcore
    except ModuleNotFoundError:
        # pip hides what is installed from a build, but runs it by the same interpreter.
        found = Path(sysconfig.get_path("platlib")) / "meshcore" / "include"
        if not found.is_dir():
            raise SystemExit("install meshcore first, or use --no-build-isolation") from None
        return str(found)
    return meshcore.get_include()


ABI = include()
setup(
    ext_modules=cythonize(
        [
            Extension(
                f"meshcore_sample_hooks.{name}",
                [f"src/meshcore_sample_hooks/{name}.pyx"],
                include_dirs=[ABI],
            )
            for name in FILTERS
        ],
        # Where `cimport meshcore.abi` is found: the folder that has meshcore in it.
        include_path=["src", str(Path(ABI).parent.parent)],
    )
)
