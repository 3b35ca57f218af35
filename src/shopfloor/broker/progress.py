"""How far something long is: written by the verb that does it, read by whoever began it."""

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """Jobs looked at and moved so far. Setting `stopped` ends the verb after its next round."""

    looked: int = 0
    moved: int = 0
    stopped: bool = False
