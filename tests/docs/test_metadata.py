"""The files around the code agree with it."""

from __future__ import annotations

from importlib.metadata import version

import yaml

import elimax
from tests.docs.blocks import ROOT


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert elimax.__version__ == version("elimax") == str(citation["version"])


def test_both_papers_are_cited():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    found = " ".join(reference.get("doi", "") + reference["url"] for reference in citation["references"])
    assert "2406.05027" in found
    assert "10.1145/3485507" in found


def test_licence_is_apache():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
