"""Forms of an emitted program: how a small program of array operations becomes code.

`scalarise` takes a flat program apart into operations on scalars; `loop` emits those as the body of one loop over a
batch; `model` predicts the time of each form, and `choose` picks one.
"""

from elimax.emit.choose import FORMS, LAYOUTS, staged_call

__all__ = ["FORMS", "LAYOUTS", "staged_call"]
