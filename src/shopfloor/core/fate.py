"""What a transition means to a job: the word by which the features follow it."""

from typing import Literal

from shopfloor.core.changes import Count, Put, Take, Transition
from shopfloor.core.job import DEAD, RETRIES, WORKING, Held

Event = Literal["succeeded", "failed", "failed_for_good", "died", "left", "returned", "held_back"]
"""Acknowledged; failed and is tried again; failed and had no retries; went to the dead set; was discarded, cancelled or
expired; left its worker to be worked on later; was not begun, because of a throttle."""


def fate(held: Held, transition: Transition) -> Event | None:
    """Say what a transition does to a job; None where it waits as before, or was dead before."""
    if held.place == DEAD or type(transition[0]) is not Take:
        return None
    put = transition[-1]
    if type(put) is not Put:
        return "failed_for_good" if _counts_failure(transition) else "left"
    if put.place == RETRIES:
        return "failed"
    if put.place == DEAD:
        return "died"
    return "returned" if held.place == WORKING else None


def _counts_failure(transition: Transition) -> bool:
    return any(type(change) is Count and change.name == "failures" for change in transition)
