"""Compiled code is forgotten when a source changes, and only then."""

import os

from elimax.elimination.stale import ROOMS, forget_stale


def test_index_files_go_when_a_source_changes(tmp_path):
    for room in ROOMS:
        (tmp_path / room / "__pycache__").mkdir(parents=True)
        (tmp_path / room / "kernel.py").write_text("x = 1")
    index = tmp_path / "order" / "__pycache__" / "walk.nbi"
    assert forget_stale(tmp_path)
    index.write_text("compiled")
    assert not forget_stale(tmp_path)
    assert index.exists()
    source = tmp_path / "cost" / "kernel.py"
    os.utime(source, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns + 1))
    assert forget_stale(tmp_path)
    assert not index.exists()
    assert not forget_stale(tmp_path)


def test_folders_that_cannot_be_written(tmp_path):
    for room in ROOMS:
        (tmp_path / room).mkdir()
    (tmp_path / ROOMS[0] / "__pycache__").write_text("a file where a folder should be")
    assert forget_stale(tmp_path)
