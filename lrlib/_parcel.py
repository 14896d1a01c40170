"""A parcel: bytes that another process can open, with Keras models in them.

Keras pickles a model without the code of classes and functions that are not its own, so these are laid beside it.
"""

import io
import pickle
import sys
import warnings
from inspect import isfunction
from types import CodeType

import cloudpickle


def packed(thing) -> bytes:
    """Return a parcel that ``pickle.loads`` opens, in a process that need not know the reader's classes and functions.

    Parameters
    ----------
    thing : object
        Keras models, layers, losses and optimizers may be anywhere in it.

    Raises
    ------
    TypeError
        If something in it cannot be pickled; if Keras cannot save and load a model in it: a class of the reader's own
        may need ``get_config``, and a lambda has to become a function with a name.

    Examples
    --------
    >>> pickle.loads(packed(lambda x: x + 1))(2)
    3
    """
    parcel = io.BytesIO()
    try:
        _Pickler(parcel, pickle.HIGHEST_PROTOCOL).dump(thing)
    except Exception as error:
        raise TypeError(f"what is trained must be able to go to another process, but {error}") from error
    return parcel.getvalue()


class _Pickler(cloudpickle.CloudPickler):
    def reducer_override(self, thing):
        if isinstance(thing, CodeType):  # cloudpickle 3.1.3 leaves out the file, of which a traceback shows the lines
            made, parts = self.dispatch_table[CodeType](thing)[:2]
            return made, tuple(thing.co_filename if part == "<dynamic-code>" else part for part in parts)
        keras = sys.modules.get("keras")
        if not keras or not isinstance(thing, (keras.Layer, keras.Loss, keras.Optimizer)):
            return super().reducer_override(thing)
        parts = _written_by_the_reader(keras, thing), *thing.__reduce__()
        _unpacked(*parts)  # what cannot be made again there cannot be made again here
        return _unpacked, parts


def _written_by_the_reader(keras, thing) -> dict:
    """Return the classes and functions that Keras has to know to make the thing again, by the names that it uses."""
    found, seen, ahead = {}, set(), [thing]
    while ahead:
        one = ahead.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (list, tuple)):
            ahead += one
        elif isinstance(one, dict):
            ahead += one.values()
        elif isfunction(one) or hasattr(one, "get_config"):
            kind = one if isfunction(one) else type(one)
            if kind is not one:  # Keras puts methods of its own before those of the class
                ahead += [value for name, value in vars(one).items() if not hasattr(kind, name)]
            if kind.__module__.startswith("keras."):
                continue
            if kind.__name__ == "<lambda>":
                raise ValueError("a lambda has no name to be known by, write it with def")
            found[keras.saving.get_registered_name(kind)] = kind
    return found


def _unpacked(known: dict, make, arguments: tuple):
    import keras

    with keras.saving.custom_object_scope(known), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")  # it has not been used yet
        return make(*arguments)
