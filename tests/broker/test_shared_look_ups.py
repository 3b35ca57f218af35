"""What a round looks up is shared by all of its verbs, and each takes only what it asked for."""

from typing import get_args

import pytest

from shopfloor.core.mutation import Command, Filter, Mutation
from shopfloor.wire.commands import JobList
from tests.broker.shop import Shop

NAMED = Filter(jids=("job-meant",))


@pytest.mark.parametrize("command", [command for command in get_args(Command) if command != "clear"])
def test_a_mutation_by_jids_leaves_the_jobs_of_others_alone(shop: Shop, command: Command) -> None:
    shop.push("job-meant", "job-other", retry=-1)
    worker = shop.client("w1")
    shop.fetch(worker, count=2)
    shop.fail(worker, "job-meant")
    shop.fail(worker, "job-other")
    before = shop.held("job-other")
    shop.client().send(shop.broker.jobs.get("job-other"))
    shop.ask(shop.broker.mutations.mutate(Mutation(command=command, target="dead", filter=NAMED)))
    assert shop.held("job-other") == before


def test_a_list_by_jids_shows_no_jobs_of_others(shop: Shop) -> None:
    shop.push("job-meant", "job-other", retry=-1)
    worker = shop.client("w1")
    shop.fetch(worker, count=2)
    shop.fail(worker, "job-meant")
    shop.fail(worker, "job-other")
    shop.client().send(shop.broker.jobs.get("job-other"))
    wanted = JobList(place="dead", count=9, after=None, filter=NAMED, latest_first=False)
    assert [held.job.jid for held in shop.ask(shop.broker.listing.jobs(wanted)).jobs] == ["job-meant"]
