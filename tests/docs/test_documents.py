"""What the documents show is what happens."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex

import pytest
from click.testing import CliRunner

from tests.docs.blocks import FILES, ROOT, commands, examples

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
pytestmark = [pytest.mark.x32, pytest.mark.standard_promotion]


def check(want: str, got: str, where: str) -> None:
    assert doctest.OutputChecker().check_output(want, got, FLAGS), f"{where} printed\n{got}\ninstead of\n{want}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_python_blocks(path, tmp_path, monkeypatch):
    """The blocks of one file share their names, as for somebody who reads from top to bottom."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for example in examples(path):
        if example.language != "python":
            continue
        out = io.StringIO()
        code = compile("\n" * example.line + example.code, str(path), "exec")
        with contextlib.redirect_stdout(out):
            exec(code, names)
        if example.output is not None:
            check(example.output, out.getvalue(), f"{path.name}:{example.line}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_elimax_commands(path, tmp_path, monkeypatch):
    """Every ``$ elimax ...`` of a console block runs, and prints what is shown below it, if anything is."""
    from elimax.cli.app import app

    monkeypatch.chdir(tmp_path)
    for name in ("examples", "benchmarks"):
        if (ROOT / name).exists():
            os.symlink(ROOT / name, tmp_path / name)
    for example in examples(path):
        if example.language != "console":
            continue
        for command, output in commands(example):
            program, *words = shlex.split(command, comments=True)
            if program != "elimax" or words[0] in ("demo", "bench"):  # those have tests of their own
                continue
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, f"{command}\n{result.output}"
            if output.strip():
                check(output, result.output, f"{path.name}: {command}")


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
