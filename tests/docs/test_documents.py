"""What the documents show is what happens."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex

import pytest
from click.testing import CliRunner

from elimax.cli.app import app
from tests.docs.blocks import FILES, ROOT, Example, commands, examples

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
pytestmark = [pytest.mark.x32, pytest.mark.standard_promotion]


def check(want: str, got: str, where: str) -> None:
    assert doctest.OutputChecker().check_output(want, got, FLAGS), f"{where} printed\n{got}\ninstead of\n{want}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_blocks(path, tmp_path, monkeypatch):
    """All blocks of a file run in one folder from top to bottom; Python blocks share their names."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for example in examples(path):
        where = f"{path.name}:{example.line}"
        if example.language == "python":
            run_python(example, names, where)
        elif example.language == "console":
            run_console(example, where)


def run_python(example: Example, names: dict[str, object], where: str) -> None:
    out = io.StringIO()
    code = compile("\n" * example.line + example.code, where, "exec")
    with contextlib.redirect_stdout(out):
        exec(code, names)
    if example.output is not None:
        check(example.output, out.getvalue(), where)


def run_console(example: Example, where: str) -> None:
    """Every ``$ elimax ...`` runs, and prints what is shown below it, if anything is."""
    for command, output in commands(example):
        program, *words = shlex.split(command, comments=True)
        if program != "elimax" or words[0] in ("demo", "bench", "train"):  # others run those
            continue
        result = CliRunner().invoke(app, words, prog_name="elimax")
        assert result.exit_code == 0, f"{where}: {command}\n{result.output}"
        if output.strip():
            check(output, result.output, f"{where}: {command}")


def test_links_lead_somewhere():
    for path in FILES:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in [*FILES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"`make ([a-z-]+)`", path.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.M), f"{path.name} names make {target}"
