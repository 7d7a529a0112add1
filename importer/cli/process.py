"""What the program settles for its whole process: as a library the importer leaves all of it alone."""

from __future__ import annotations

import gc
import os

_STARTING = 200_000
"""Objects that may come before the garbage collector looks: starting makes about 170,000."""
_USUAL = gc.get_threshold()


def begin() -> None:
    """To be called before anything heavy is imported."""
    # Modules stay: looking through them again and again while they are imported finds no garbage, and takes
    # a fifth of the time that a small file takes. A command that never calls `under_way` collects still,
    # only more rarely.
    gc.set_threshold(_STARTING, *_USUAL[1:])
    # numpy's linear algebra, which nobody here uses, otherwise starts a thread a processor, and each waits
    # for work by turning round and round.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def under_way() -> None:
    """To be called once nearly everything is imported, before the work that takes long."""
    if gc.get_threshold()[0] == _STARTING:
        # What is there now stays to the end: it is not looked through again, not even then.
        gc.freeze()
        gc.set_threshold(*_USUAL)
