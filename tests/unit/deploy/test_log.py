from __future__ import annotations

from pathlib import Path

from deploy.local import log


def test_large_log_moves_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "nats.log"
    with path.open("a") as writer:
        writer.write("old " * 10)
        writer.flush()
        log.trim(path, max_bytes=10)
        writer.write("new")
    assert path.read_text() == "new"
    assert (tmp_path / "nats.log.1").read_text() == "old " * 10


def test_small_log_stays(tmp_path: Path) -> None:
    path = tmp_path / "nats.log"
    path.write_text("little")
    log.trim(path, max_bytes=10)
    log.trim(tmp_path / "none.log", max_bytes=10)
    assert list(tmp_path.iterdir()) == [path]


def test_tail_shows_the_last_lines_of_this_start_only(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("yesterday\n" + "".join(f"{number}\n" for number in range(20)))
    assert log.tail(path, start=len("yesterday\n"))[-1] == "19"
    assert log.tail(
        path, start=len("yesterday\n0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n")
    ) == ["18", "19"]
    assert log.tail(tmp_path / "none.log") == []
