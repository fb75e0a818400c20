"""The command line."""

from __future__ import annotations


def main() -> None:
    """Run the command line; what it needs is imported only now."""
    from elimax.cli.app import app

    app(prog_name="elimax")
