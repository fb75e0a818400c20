"""``python -m elimax`` is the ``elimax`` command."""

from elimax.cli import main

if __name__ == "__main__":
    main()
