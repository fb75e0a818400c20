from elimax import errors


def test_errors_are_named():
    assert issubclass(errors.OrderError, errors.ElimaxError)
