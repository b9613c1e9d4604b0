"""Makes the HDF5 files of `hdf5/`: `python make_hdf5.py`, with h5py installed."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent / "hdf5"
CONFIG = '{"class_name": "Sequential", "config": {"layers": []}}'


def main() -> int:
    """Write every file; none of the paths that they name is read."""
    with h5py.File(HERE / "latest.h5", "w", libver="latest") as file:
        file.create_dataset("a/b", data=np.arange(5.0))
        file.attrs["model_config"] = CONFIG
    with h5py.File(HERE / "packed.h5", "w") as file:
        file.create_dataset("a", data=np.zeros((64, 8)), chunks=True, compression="gzip", shuffle=True)
        file.create_dataset("b", data=[True, False])
        file.create_dataset("c", data=["one", "two"])
        file.attrs["model_config"] = np.bytes_(CONFIG)
    with h5py.File(HERE / "link.h5", "w") as file:
        file["x"] = h5py.ExternalLink("/etc/hostname", "/")
    with h5py.File(HERE / "storage.h5", "w") as file:
        file.create_dataset("x", shape=(4,), dtype="u1", external=[("/etc/hostname", 0, 4)])
    layout = h5py.VirtualLayout(shape=(4,), dtype="u1")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "d", shape=(4,))
    for name, version in (("virtual.h5", "earliest"), ("virtual.latest.h5", "latest")):
        with h5py.File(HERE / name, "w", libver=version) as file:
            file.create_virtual_dataset("x", layout)
    with h5py.File(HERE / "soft.h5", "w") as file:
        file["x"] = h5py.SoftLink("/a")
    with h5py.File(HERE / "filter.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((100, 10)), chunks=True, compression="lzf")
    with h5py.File(HERE / "huge.h5", "w") as file:
        file.create_dataset("x", shape=(1 << 40,), dtype="f8", chunks=(1024,))
    with h5py.File(HERE / "heap.h5", "w", libver="latest") as file:
        for i in range(20):
            file.create_group(f"g{i}")
    with h5py.File(HERE / "complex.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(2, dtype="c8"))
    with h5py.File(HERE / "tables.h5", "w") as file:
        file.attrs["PYTABLES_FORMAT_VERSION"] = np.bytes_("2.1")
        file.attrs["note"] = np.bytes_(b"cos\nsystem\n(S'true'\ntR.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
