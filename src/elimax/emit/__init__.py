"""Forms of an emitted program: how a small program of array operations becomes code.

`scalarise` takes a flat program apart into operations on scalars; `loop` emits those as the body of one loop over a
batch, and `vectorise` replaces calls of the C library in it by the arithmetic of `elementary`; `model` predicts the
time of each form, and `choose` picks one. `lanes` finds batch axes inside of a larger program, and `lane_form` has each
lane emitted as such a small one.
"""

from elimax.emit.choose import FORMS, LAYOUTS, staged_call
from elimax.emit.elementary import ELEMENTARY
from elimax.emit.lane_form import laned_call

__all__ = ["ELEMENTARY", "FORMS", "LAYOUTS", "laned_call", "staged_call"]
