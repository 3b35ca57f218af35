"""One row per verb: which method of the broker it is, and how its answer becomes a reply.

To add a verb: a message in `wire.commands`, a row in `wire.verbs.VERBS`, a row here, a method of the broker.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Raw, Struct

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker
from shopfloor.broker.context import Session
from shopfloor.broker.reports import Vitals
from shopfloor.core import batch, cron, tracking
from shopfloor.core.job import Held
from shopfloor.core.payload import encode_for_worker
from shopfloor.core.timestamps import format_timestamp
from shopfloor.core.workers import Worker
from shopfloor.wire import commands, resp
from shopfloor.wire.handshake import Hello


class Peer(Protocol):
    """The connection that a command came on."""

    session: Session
    broker: Broker

    def vitals(self) -> Vitals:
        """Say how the server process does."""

    def close_soon(self) -> None:
        """Close the connection; its worker was given up."""


def _hello(peer: Peer, hello: Hello) -> Verb[bytes]:
    now = peer.broker.context.moment.now
    peer.session.understands = hello.understands
    if hello.wid:
        worker = Worker(
            wid=hello.wid,
            hostname=hello.hostname,
            pid=hello.pid,
            labels=hello.labels,
            started_at=now,
            beat_at=now,
            rss_kb=hello.rss_kb,
        )
        yield from peer.broker.fleet.join(peer.session, worker, peer.close_soon)
    return resp.OK


def _push(peer: Peer, command: commands.Push) -> Verb[bytes]:
    yield from peer.broker.jobs.push(command.job)
    return resp.OK


def _push_bulk(peer: Peer, command: commands.PushBulk) -> Verb[bytes]:
    return resp.bulk_json((yield from peer.broker.jobs.push_bulk(command.jobs)))


def _fetch(peer: Peer, command: commands.Fetch) -> Verb[bytes]:
    held = yield from peer.broker.fetching.fetch(peer.session, command.queues)
    return resp.bulk(encode_for_worker(held[0].job)) if held else resp.NULL


def _fetch_bulk(peer: Peer, command: commands.FetchBulk) -> Verb[bytes]:
    held = yield from peer.broker.fetching.fetch(peer.session, command.queues, command.count)
    return resp.bulk_json(_raw_jobs(held)) if held else resp.NULL


def _ack(peer: Peer, command: commands.Ack) -> Verb[bytes]:
    yield from peer.broker.jobs.acknowledge(peer.session, command.jid)
    return resp.OK


def _ack_bulk(peer: Peer, command: commands.AckBulk) -> Verb[bytes]:
    yield from peer.broker.jobs.acknowledge_bulk(peer.session, command.jids)
    return resp.OK


def _fail(peer: Peer, command: commands.Fail) -> Verb[bytes]:
    yield from peer.broker.jobs.fail(peer.session, command.report)
    return resp.OK


def _requeue(peer: Peer, command: commands.Requeue) -> Verb[bytes]:
    yield from peer.broker.jobs.give_back(peer.session, command.jid)
    return resp.OK


def _beat(peer: Peer, command: commands.Beat) -> Verb[bytes]:
    worker = yield from peer.broker.fleet.beat(peer.session, command.wid, command.state, command.rss_kb)
    told: dict[str, Any] = {} if worker.state == "running" else {"state": worker.state}
    if worker.cancels and "cancel" in peer.session.understands:
        told["cancel"] = worker.cancels
    return resp.bulk_json(told) if told else resp.OK


def _info(peer: Peer, command: commands.Info) -> Verb[bytes]:
    return resp.bulk_json((yield from peer.broker.reports.info(peer.vitals())))


def _flush(peer: Peer, command: commands.Flush) -> Verb[bytes]:
    yield from peer.broker.mutations.flush()
    return resp.OK


def _mutate(peer: Peer, command: commands.Mutate) -> Verb[bytes]:
    yield from peer.broker.mutations.mutate(command.mutation)
    return resp.OK


def _queue_pause(peer: Peer, command: commands.QueuePause) -> Verb[bytes]:
    yield from peer.broker.queues.pause(command.names, command.paused)
    return resp.OK


def _queue_remove(peer: Peer, command: commands.QueueRemove) -> Verb[bytes]:
    yield from peer.broker.queues.remove(command.names)
    return resp.OK


def _queue_latency(peer: Peer, command: commands.QueueLatency) -> Verb[bytes]:
    return resp.bulk_json((yield from peer.broker.queues.latency(command.names)))


def _queue_peek(peer: Peer, command: commands.QueuePeek) -> Verb[bytes]:
    held = yield from peer.broker.queues.peek(command.name, command.count, command.offset)
    return resp.bulk_json(_raw_jobs(held))


def _job_get(peer: Peer, command: commands.JobGet) -> Verb[bytes]:
    held = yield from peer.broker.jobs.get(command.jid)
    return resp.bulk_json(_whereabouts(held))


def _job_cancel(peer: Peer, command: commands.JobCancel) -> Verb[bytes]:
    yield from peer.broker.jobs.cancel(command.jid)
    return resp.OK


def _job_list(peer: Peer, command: commands.JobList) -> Verb[bytes]:
    page = yield from peer.broker.listing.jobs(command)
    return resp.bulk_json({"jobs": [_whereabouts(held) for held in page.jobs], "after": page.after})


def _store_backup(peer: Peer, command: commands.StoreBackup) -> Verb[bytes]:
    return resp.bulk_json((yield from peer.broker.backups.write(command.name)))


def _batch_new(peer: Peer, command: commands.BatchNew) -> Verb[bytes]:
    return resp.bulk((yield from peer.broker.batches.new(command.definition)).encode())


def _batch_open(peer: Peer, command: commands.BatchOpen) -> Verb[bytes]:
    return resp.bulk((yield from peer.broker.batches.open(command.bid)).encode())


def _batch_commit(peer: Peer, command: commands.BatchCommit) -> Verb[bytes]:
    yield from peer.broker.batches.commit(command.bid)
    return resp.OK


def _batch_status(peer: Peer, command: commands.BatchStatus) -> Verb[bytes]:
    return resp.bulk_json(batch.status((yield from peer.broker.batches.status(command.bid))))


def _batch_list(peer: Peer, command: commands.BatchList) -> Verb[bytes]:
    return resp.bulk_json((yield from peer.broker.batch_view.list()))


def _batch_show(peer: Peer, command: commands.BatchShow) -> Verb[bytes]:
    return resp.bulk_json((yield from peer.broker.batch_view.show(command.bid)))


def _batch_cancel(peer: Peer, command: commands.BatchCancel) -> Verb[bytes]:
    return resp.bulk_json({"cancelled": (yield from peer.broker.batch_care.cancel(command.bid))})


def _batch_retry(peer: Peer, command: commands.BatchRetry) -> Verb[bytes]:
    return resp.bulk_json({"enqueued": (yield from peer.broker.batch_care.retry(command.bid))})


def _cron_list(peer: Peer, command: commands.CronList) -> Verb[bytes]:
    entries = yield from peer.broker.cron.entries()
    return resp.bulk_json({"entries": [cron.describe(entry) for entry in entries]})


def _cron_put(peer: Peer, command: commands.CronPut) -> Verb[bytes]:
    return resp.bulk_json({"name": (yield from peer.broker.cron.put(command.text))})


def _cron_remove(peer: Peer, command: commands.CronRemove) -> Verb[bytes]:
    yield from peer.broker.cron.remove(command.name)
    return resp.OK


def _cron_pause(peer: Peer, command: commands.CronPause) -> Verb[bytes]:
    yield from peer.broker.cron.pause(command.name, True)
    return resp.OK


def _cron_resume(peer: Peer, command: commands.CronResume) -> Verb[bytes]:
    yield from peer.broker.cron.pause(command.name, False)
    return resp.OK


def _cron_run(peer: Peer, command: commands.CronRun) -> Verb[bytes]:
    return resp.bulk_json({"jid": (yield from peer.broker.cron.run(command.name))})


def _throttle_list(peer: Peer, command: commands.ThrottleList) -> Verb[bytes]:
    return resp.bulk_json({"throttles": (yield from peer.broker.slot_view.throttles())})


def _lock_list(peer: Peer, command: commands.LockList) -> Verb[bytes]:
    return resp.bulk_json({"locks": (yield from peer.broker.slot_view.locks(command.count))})


def _track_set(peer: Peer, command: commands.TrackSet) -> Verb[bytes]:
    yield from peer.broker.tracking.tell(peer.session, command.report)
    return resp.OK


def _track_get(peer: Peer, command: commands.TrackGet) -> Verb[bytes]:
    return resp.bulk_json(tracking.status(command.jid, (yield from peer.broker.tracking.get(command.jid))))


def _raw_jobs(held: Any) -> list[Raw]:
    return [Raw(encode_for_worker(one.job)) for one in held]


def _whereabouts(held: Held) -> dict[str, Any]:
    """Describe a job and where it rests, as JOB GET shows it."""
    told: dict[str, Any] = {"place": held.place, "job": Raw(encode_for_worker(held.job))}
    if held.at:
        told["at"] = format_timestamp(held.at)
    if held.place == "working":
        told |= {
            "wid": held.wid,
            "reserved_at": format_timestamp(held.reserved_at),
            "expires_at": format_timestamp(held.expires_at),
            "cancelled": held.cancelled,
        }
    return told


class Row(Struct, frozen=True):
    """How a message is carried out.

    Commands that `joins` may share a round with others of their connection. Those that do not have a round to
    themselves, so that they see what the commands before them did.
    """

    verb: Callable[[Any, Any], Verb[bytes]]
    joins: bool = False


ROWS: Mapping[type, Row] = {
    Hello: Row(_hello),
    commands.Push: Row(_push, joins=True),
    commands.PushBulk: Row(_push_bulk, joins=True),
    commands.Fetch: Row(_fetch),
    commands.FetchBulk: Row(_fetch_bulk),
    commands.Ack: Row(_ack, joins=True),
    commands.AckBulk: Row(_ack_bulk, joins=True),
    commands.Fail: Row(_fail, joins=True),
    commands.Requeue: Row(_requeue, joins=True),
    commands.Beat: Row(_beat),
    commands.Info: Row(_info),
    commands.Flush: Row(_flush),
    commands.Mutate: Row(_mutate),
    commands.QueuePause: Row(_queue_pause),
    commands.QueueRemove: Row(_queue_remove),
    commands.QueueLatency: Row(_queue_latency),
    commands.QueuePeek: Row(_queue_peek),
    commands.BatchNew: Row(_batch_new),
    commands.BatchOpen: Row(_batch_open),
    commands.BatchCommit: Row(_batch_commit),
    commands.BatchStatus: Row(_batch_status),
    commands.BatchList: Row(_batch_list),
    commands.BatchShow: Row(_batch_show),
    commands.BatchCancel: Row(_batch_cancel),
    commands.BatchRetry: Row(_batch_retry),
    commands.CronList: Row(_cron_list),
    commands.CronPut: Row(_cron_put),
    commands.CronRemove: Row(_cron_remove),
    commands.CronPause: Row(_cron_pause),
    commands.CronResume: Row(_cron_resume),
    commands.CronRun: Row(_cron_run),
    commands.ThrottleList: Row(_throttle_list),
    commands.LockList: Row(_lock_list),
    commands.JobGet: Row(_job_get),
    commands.JobCancel: Row(_job_cancel),
    commands.JobList: Row(_job_list),
    commands.StoreBackup: Row(_store_backup),
    commands.TrackSet: Row(_track_set),
    commands.TrackGet: Row(_track_get),
}
