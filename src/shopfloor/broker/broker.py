"""The broker: all verbs in their groups, and what they share."""

from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from shopfloor.broker.backups import Backups
from shopfloor.broker.batch_care import BatchCare
from shopfloor.broker.batch_view import BatchView
from shopfloor.broker.batches import Batches
from shopfloor.broker.context import BrokerLimits, Context
from shopfloor.broker.cron import Cron
from shopfloor.broker.fetching import Fetching
from shopfloor.broker.fleet import Fleet
from shopfloor.broker.following import Following
from shopfloor.broker.glance import Glances
from shopfloor.broker.inbox import Inbox
from shopfloor.broker.jobs import Jobs
from shopfloor.broker.listing import Listing
from shopfloor.broker.marks import Marks
from shopfloor.broker.mutations import Mutations
from shopfloor.broker.queues import Queues
from shopfloor.broker.reports import Reports
from shopfloor.broker.search import Search
from shopfloor.broker.slot_view import SlotView
from shopfloor.broker.throttles import Throttles
from shopfloor.broker.ticks import Ticks
from shopfloor.broker.tracking import Tracking
from shopfloor.broker.upkeep import Upkeep
from shopfloor.core.lifecycle import Rules
from shopfloor.core.retry import Dice
from shopfloor.store.port import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What rules must not reach for themselves: the time in seconds since 1970, dice, and where to log."""

    clock: Callable[[], float]
    dice: Dice
    log: FilteringBoundLogger


class Broker:
    """One store, one set of rules, and a method for each verb in `jobs`, `fetching`, `queues` and so on."""

    def __init__(self, store: Store, rules: Rules, limits: BrokerLimits, world: World) -> None:
        self.ticks = Ticks(store, world.clock, world.log)
        self.context = Context(ticks=self.ticks, rules=rules, limits=limits, dice=world.dice, log=world.log)
        self.tracking = Tracking(self.context)
        self.batches = Batches(self.context, self.tracking)
        self.throttles = Throttles(self.context)
        self.slot_view = SlotView(self.context, self.throttles)
        self.marks = Marks(self.context, self.tracking, self.throttles)
        self.following = Following(self.batches, self.marks)
        self.jobs = Jobs(self.context, self.following)
        self.inbox = Inbox(self.context, self.following, self.jobs)
        self.fetching = Fetching(self.context, self.following, self.marks, self.throttles)
        self.queues = Queues(self.context, self.following)
        self.batch_care = BatchCare(self.context, self.batches, self.jobs)
        self.batch_view = BatchView(self.context)
        self.cron = Cron(self.context, self.following, self.jobs, world.log)
        self.mutations = Mutations(self.context, self.following)
        self.listing = Listing(self.context)
        self.backups = Backups(self.context)
        self.fleet = Fleet(self.context)
        self.upkeep = Upkeep(self.context, self.fleet, self.following)
        self.search = Search(self.context)
        self.glances = Glances(self.context, self.queues, self.fleet, self.throttles)
        self.reports = Reports(self.context, self.upkeep.tally, self.batch_care.tally, self.fetching, self.throttles)
