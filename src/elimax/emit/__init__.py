"""Forms of an emitted program: how a small program of array operations becomes code.

`scalarise` takes a flat program apart into operations on scalars; `loop` emits those as the body of one loop over a
batch, and `vectorise` replaces calls of the C library in it by the arithmetic of `elementary`; `model` predicts the
time of each form, and `choose` picks one.
"""

from elimax.emit.choose import FORMS, LAYOUTS, staged_call
from elimax.emit.elementary import ELEMENTARY

__all__ = ["ELEMENTARY", "FORMS", "LAYOUTS", "staged_call"]
