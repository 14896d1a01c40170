"""TensorFlow and Keras, imported without the log lines that TensorFlow writes at its start.

``from lrlib.quiet import keras, tf`` has to be the first import of TensorFlow in a program. The lines go straight
to file descriptor 2, before any setting is read, and differ from machine to machine; a notebook that is compared
with its stored outputs cannot have them. TensorFlow's own log level is set to 3 (fatal errors only), unless
``TF_CPP_MIN_LOG_LEVEL`` says otherwise. Python errors and warnings are not touched.

The garbage collector rests meanwhile and never looks at what was imported, which saves about a second.
"""

import gc
import os
import sys
from contextlib import contextmanager

from lrlib._modules import from_extra


@contextmanager
def _file_descriptor_2_closed():
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _garbage_collector_off():
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with from_extra("keras"), _file_descriptor_2_closed(), _garbage_collector_off():
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
