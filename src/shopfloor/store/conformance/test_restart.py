"""Durable stores answer the same after every restart, wherever in their life it comes."""

from pathlib import Path

from shopfloor.core.changes import Note
from shopfloor.store.conformance.jobs import job
from shopfloor.store.conformance.kind import Kind
from shopfloor.store.conformance.script import SCRIPT, carry_out
from shopfloor.store.conformance.subject import Subject


def test_a_store_answers_the_same_after_a_restart_behind_every_step(durable_kind: Kind, tmp_path: Path) -> None:
    steady = Subject(lambda: durable_kind.make(tmp_path / "steady"))
    restless = Subject(lambda: durable_kind.make(tmp_path / "restless"))
    for step in SCRIPT:
        assert carry_out(restless, step) == carry_out(steady, step)
        restless.reopen()
        assert restless.snapshot() == steady.snapshot(), step
    steady.reopen()
    assert restless.snapshot() == steady.snapshot()
    steady.close()
    restless.close()


def test_soft_records_may_be_forgotten_and_others_may_not(durable: Subject) -> None:
    durable.do(Note("worker", "w1", b"alive", 0), Note("batch", "b1", b"open", 0))
    durable.reopen()
    assert durable.record("batch", "b1").value == b"open"
    version = durable.record("worker", "w1").version
    assert durable.why(Note("worker", "w1", b"again", version)) == ""


def test_a_flush_is_kept(durable: Subject) -> None:
    empty = durable.snapshot()
    for step in SCRIPT:
        carry_out(durable, step)
    durable.run(durable.store.flush())
    assert durable.snapshot() == empty
    durable.reopen()
    assert durable.snapshot() == empty
    durable.put(job("a"))
    durable.reopen()
    assert durable.peek("default") == ["a"]


def test_closing_twice_is_harmless(durable: Subject) -> None:
    durable.put(job("a"))
    durable.run(durable.store.close())
    durable.run(durable.store.close())
    durable.reopen()
    assert durable.peek("default") == ["a"]
