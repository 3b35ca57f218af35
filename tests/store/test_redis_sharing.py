"""Several servers on one Redis: exact limits, one winner, wake-ups; and how a Redis is found and entered."""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from shopfloor.config import StorageUrl
from shopfloor.core.changes import Claim, Note, Take
from shopfloor.errors import ConfigError, StoreUnavailable
from shopfloor.store.port import QueueLimit, Reserve
from shopfloor.store.redis.address import read_address
from shopfloor.store.redis.library import NAME
from tests import redis_servers
from tests.jobs import NOW
from tests.serving import run, until
from tests.store.redis_house import make, opened, push, pushes, queued


def test_servers_that_race_share_what_there_is(tmp_path: Path) -> None:
    async def story() -> None:
        url = redis_servers.shared_url(tmp_path)
        async with opened(url, url, url) as stores:
            await stores[0].commit(pushes([f"job-{number:03}" for number in range(90)]), [], NOW)
            limits = {"default": QueueLimit(concurrency=20, worker=8)}
            requests = [Reserve(("default",), f"w{number}", 3, limits) for number in range(4)]
            races = [store.commit([], requests, NOW) for store in stores for _ in range(5)]
            got = [held for committed in await asyncio.gather(*races) for jobs in committed.reserved for held in jobs]
            assert len({held.job.jid for held in got}) == len(got) == 20
            assert max(sum(held.wid == f"w{number}" for held in got) for number in range(4)) <= 8
            assert len(await stores[0].reservations()) == 20
            done = [(Take(held.job.jid, "working", held.wid),) for held in got]
            settled = await asyncio.gather(*[store.commit(done, [], NOW) for store in stores])
            wins = [sum(committed.outcomes[at] is None for committed in settled) for at in range(20)]
            assert wins == [1] * 20

    run(story())


def test_one_of_those_who_claim_or_write_at_once_wins(tmp_path: Path) -> None:
    async def story() -> None:
        url = redis_servers.shared_url(tmp_path)
        async with opened(url, url, url) as stores:
            claims = [
                store.commit([(Claim("key", f"owner-{at}", NOW + 9, NOW),), (Note("batch", "b", b"x", 0),)], [], NOW)
                for at, store in enumerate(stores)
            ]
            outcomes = [committed.outcomes for committed in await asyncio.gather(*claims)]
            assert [sum(one[at] is None for one in outcomes) for at in (0, 1)] == [1, 1]

    run(story())


def test_a_server_hears_of_what_another_put_in_and_not_of_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        url = redis_servers.shared_url(tmp_path)
        heard: dict[str, list[str]] = {"one": [], "other": []}
        one, other = make(url), make(url)
        one.listen(lambda queues: heard["one"].extend(queues or ()))
        other.listen(lambda queues: heard["other"].extend(queues or ()))
        await one.open()
        await other.open()
        await push(one, "a", queue="mail")
        await until(lambda: heard["other"] == ["mail"])
        await one.commit(pushes(["b"]), [Reserve(("default",), "w1")], NOW)  # served here: nobody else need know
        await push(one, "c", queue="later")
        await until(lambda: heard["other"] == ["mail", "later"])
        assert heard["one"] == []
        await one.close()
        await other.close()

    run(story())


@pytest.mark.faults
def test_a_fail_over_is_followed() -> None:
    async def story() -> None:
        with ExitStack() as stack:
            ports = [_free_port() for _ in range(3)]
            redises = [
                stack.enter_context(redis_servers.running("--save", "", "--port", str(port), "--bind", "127.0.0.1"))
                for port in ports[:2]
            ]
            redises[1].ask("REPLICAOF", "127.0.0.1", ports[0])
            watch = f"sentinel monitor house 127.0.0.1 {ports[0]} 1\nsentinel down-after-milliseconds house 300\n"
            sentinel = stack.enter_context(
                redis_servers.watching(ports[2], watch + "sentinel failover-timeout house 2000\n")
            )
            await until(lambda: "state=online" in redises[0].text("INFO", "replication"))
            await until(lambda: "slaves=1" in sentinel.text("INFO", "sentinel"))
            url = StorageUrl(f"redis+sentinel://127.0.0.1:{_free_port()},127.0.0.1:{ports[2]}/house?replicas=1")
            async with opened(url) as (store,):
                await push(store, "a")
                redises[0].kill()
                await until(lambda: "role:master" in redises[1].text("INFO", "replication"))
                await until(lambda: store._link.reconnects)
                with pytest.raises(StoreUnavailable, match="only 0 of 1 replicas"):
                    await push(store, "b")
                assert (await queued(store))[0] == "a"

    run(story())


def test_the_doctor_looks_and_changes_nothing() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "", "--maxmemory-policy", "allkeys-lru") as redis:
            found = [(one.verdict, one.about) for one in await make(redis.url(replicas=1)).examine()]
            assert [about for verdict, about in found if verdict == "problem"] == ["redis", "replicas"]
            assert ("warning", "memory") in found
            assert redis.ask("DBSIZE") == 0
            assert NAME not in str(redis.ask("FUNCTION", "LIST"))
            redis.stop()
            with pytest.raises(StoreUnavailable):
                await make(redis.url()).examine()

    run(story())


def test_whoever_has_no_password_is_told_so_without_naming_it() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            redis.ask("ACL", "SETUSER", "floor", "on", ">open sesame", "~{shopfloor}:*", "&{shopfloor}:*", "+@all")
            redis.ask("CONFIG", "SET", "requirepass", "other")
            with pytest.raises(StoreUnavailable, match="NOAUTH"):
                await make(redis.url()).open()
            wrong = StorageUrl(f"redis://floor:wrongwrong@{redis.socket}")
            with pytest.raises(StoreUnavailable) as error:
                await make(wrong).open()
            assert "WRONGPASS" in str(error.value)
            assert "wrongwrong" not in str(error.value)
            async with opened(StorageUrl(f"redis://floor:open%20sesame@{redis.socket}")) as (store,):
                await push(store, "a")
                assert "sesame" not in str(await store.describe())

    run(story())


def test_tls_is_spoken_and_the_certificate_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    port = _free_port()
    files = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem"]
    settings = [str(tmp_path / word) if word.endswith(".pem") else word for word in files]

    async def story() -> None:
        with redis_servers.running("--save", "", "--tls-port", str(port), "--tls-auth-clients", "no", *settings):
            async with opened(StorageUrl(f"rediss://127.0.0.1:{port}?tls_ca={tmp_path}/ca.pem")) as (store,):
                await push(store, "a")
                assert await queued(store) == ["a"]
            with pytest.raises(StoreUnavailable, match="certificate verify failed"):
                await make(StorageUrl(f"rediss://127.0.0.1:{port}")).open()

    run(story())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(("url", "shown", "database"), [
    ("redis://", "localhost:6379", 0),
    ("redis://host/3", "host:6379", 3),
    ("redis://u:p@[::1]:7000", "[::1]:7000", 0),
    ("redis:///run/redis.sock?database=2", "/run/redis.sock", 2),
    ("redis+sentinel://one,two:7/house/4", "one:26379,two:7/house", 4),
])  # fmt: skip
def test_an_address_is_read(url: str, shown: str, database: int) -> None:
    address = read_address(StorageUrl(url))
    assert (str(address), address.database) == (shown, database)


@pytest.mark.parametrize(("url", "why"), [
    ("redis://host/x", "database must be a number"),
    ("redis://host:port", "port must be a number"),
    ("redis://host?prefx=a", "'prefx' is none of"),
    ("redis://host?prefix=a{b", "must match"),
    ("redis+sentinel://one", "name of the master is missing"),
    ("redis://u:secret@host/1/2", "more behind the database"),
])  # fmt: skip
def test_an_address_that_cannot_be_read_is_refused(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as error:
        read_address(StorageUrl(url))
    assert "secret" not in str(error.value)
