"""Who may come in, from where, and what a browser is allowed to do."""

import asyncio
import re
from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from shopfloor.errors import StoreUnavailable
from shopfloor.web import guard, limits, site
from shopfloor.web.api.scopes import Tokens
from shopfloor.web.application import make_application, rows
from tests.serving import run, serving
from tests.stores import MEMORY
from tests.web.scene import play
from tests.web.sites import TOKEN, seen, visiting, web_house

PASSWORD = "correct horse"
ACTING = [row.path.format(name="default", id="x", key="x", bid="x") for row in rows() if row.act is not None]


def _basic(password: str, user: str = "anybody") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_without_the_password_nothing_is_shown_but_what_is_for_everybody(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, password=PASSWORD) as visit:
            for path in [row.path for row in rows() if row.path != "/health"]:
                answer = await visit.get(path, 401)
                assert answer.headers["www-authenticate"].startswith("Basic ")
            await visit.get("/health")
            await visit.get("/static/style.css")
            await visit.get("/healthy", 401)
            await visit.get("/", headers={"authorization": _basic(PASSWORD)})
            await visit.get("/", headers={"authorization": _basic(PASSWORD, "")})

    run(test())


@pytest.mark.parametrize(
    "shown",
    [
        _basic("wrong"),
        _basic(""),
        _basic(PASSWORD + "x"),
        "Basic",
        "Basic !!!",
        "Basic " + b64encode(b"no colon").decode(),
        "Bearer " + PASSWORD,
        "",
    ],
)
def test_wrong_passwords(shown: str) -> None:
    assert not guard.shows(shown, PASSWORD)


def test_a_password_may_hold_colons_and_any_letter() -> None:
    assert guard.shows(_basic("a:b:ü"), "a:b:ü")


def test_another_password_after_a_reload(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house, PASSWORD)
            web.reload("another", Tokens())
            transport = httpx.ASGITransport(make_application(web.site))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
                assert (await visitor.get("/", headers={"authorization": _basic(PASSWORD)})).status_code == 401
                assert (await visitor.get("/", headers={"authorization": _basic("another")})).status_code == 200

    run(test())


@pytest.mark.parametrize("path", ACTING)
def test_no_form_is_taken_from_elsewhere(tmp_path: Path, path: str) -> None:
    """Another site can send a form with the visitor's cookies; it says where it is from, and has no token."""

    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            found = TOKEN.search((await visit.get("/queues")).text)
            assert found is not None
            before = (await visit.get("/stats")).json()["faktory"]
            for fields, headers in (
                ({}, {}),
                ({"form_token": ""}, {}),
                ({"form_token": "x" * 32}, {"sec-fetch-site": "same-origin"}),
                ({"form_token": found[1]}, {"sec-fetch-site": "cross-site"}),
                ({"form_token": found[1]}, {"sec-fetch-site": "same-site"}),
                ({"form_token": found[1]}, {"origin": "https://evil.example"}),
                ({"form_token": found[1]}, {"origin": "null"}),
            ):
                answer = await visit.visitor.post(path, data=fields, headers=headers)
                assert answer.status_code == 403, (path, fields, headers)
            visit.visitor.cookies.clear()
            answer = await visit.visitor.post(path, data={"form_token": found[1]})
            assert answer.status_code == 403
            after = (await visit.get("/stats")).json()["faktory"]
            assert after["queues"] == before["queues"]
            assert after["sets"] == before["sets"]

    run(test())


def test_a_program_may_send_a_form_that_it_has_read(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            found = TOKEN.search((await visit.get("/queues")).text)
            assert found is not None
            sent = {"form_token": found[1], "queue": "mail", "action": "resume"}
            answer = await visit.visitor.post("/queues", data=sent, headers={"origin": "http://localhost"})
            assert answer.status_code == 303

    run(test())


def test_forms_that_are_too_large_or_are_none(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            for body, status in (
                (b"a=" + b"x" * limits.BODY_BYTES_MAX, 413),
                (b"&".join(b"a=1" for _ in range(limits.FIELDS_MAX + 1)), 400),
                (b"\xff\xfe", 400),
                (b"", 403),
            ):
                answer = await visit.visitor.post("/queues", content=body)
                assert answer.status_code == status, body[:20]

    run(test())


def test_pages_allow_a_browser_nothing_but_their_own_files(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            first, second = await visit.get("/"), await visit.get("/")
            policy = first.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "*" not in policy
            nonce = re.search(r"'nonce-([^']+)'", policy)
            assert nonce is not None
            assert f'nonce="{nonce[1]}"' in first.text
            assert nonce[1] not in second.text
            for answer in (first, await visit.get("/nowhere", 404), await visit.get("/static/style.css")):
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["x-frame-options"] == "DENY"
                assert answer.headers["referrer-policy"] == "same-origin"
                assert answer.headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
            assert first.headers["cache-control"] == "no-store"
            cookie = first.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert "set-cookie" not in second.headers

    run(test())


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("localhost", True),
        ("localhost:7420", True),
        ("jobs.localhost", True),
        ("127.0.0.1:7420", True),
        ("[::1]:7420", True),
        ("[::1]", True),
        ("evil.example", False),
        ("evil.example:7420", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_without_a_password_only_addresses_are_answered(tmp_path: Path, host: str, answers: bool) -> None:
    """A name that another site made to lead here would let its scripts read these pages (DNS rebinding)."""

    async def test() -> None:
        async with visiting(tmp_path) as visit:
            answer = await visit.visitor.get("/", headers={"host": host})
            assert answer.status_code == (200 if answers else 403)

    run(test())


def test_with_a_password_any_name_will_do(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, password=PASSWORD) as visit:
            await visit.get("/", headers={"host": "jobs.example", "authorization": _basic(PASSWORD)})

    run(test())


@pytest.mark.parametrize("header", ["x-script-name", "x-forwarded-prefix"])
@pytest.mark.parametrize("cut", [True, False])
def test_behind_a_proxy_every_link_has_the_prefix(tmp_path: Path, header: str, cut: bool) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            before = "" if cut else "/deep/shop-1"
            mounted = {header: "/deep/shop-1/"}
            for page in ("/", "/queues", "/queues/default", "/busy", "/retries", "/jobs?jid=retry-0001", "/debug"):
                text = (await visit.get(before + page, headers=mounted)).text
                links = re.findall(r'(?:href|src|action)="(/[^"]*)"', text)
                assert links
                assert [link for link in links if not link.startswith("/deep/shop-1/")] == [], page
            answer = await visit.get("/queues", headers=mounted)
            assert "Path=/deep/shop-1" in answer.headers.get("set-cookie", "Path=/deep/shop-1")
            answer = await visit.get(f"{before}/retries/x%7Cretry-0001", 303, headers=mounted)
            assert answer.headers["location"] == "/deep/shop-1/jobs?jid=retry-0001"

    run(test())


@pytest.mark.parametrize("prefix", ["//evil.example", '/a"b', "evil", "/a/../b", "/" + "a" * 300, "/a?b", "/.."])
def test_a_prefix_that_is_no_plain_path_is_none(tmp_path: Path, prefix: str) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            text = (await visit.get("/", headers={"x-script-name": prefix})).text
            assert 'href="/queues"' in text

    run(test())


def test_what_takes_too_long_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            monkeypatch.setattr(site, "ANSWER_SECONDS", 0.01)
            stuck = asyncio.get_running_loop().create_future()
            monkeypatch.setattr(visit.site.broker.ticks, "run", lambda verb: (verb.close(), stuck)[1])
            answer = await visit.get("/", 503)
            assert "took too long" in answer.text
            stuck.cancel()

    run(test())


def test_a_store_that_is_away_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:

            async def away() -> None:
                raise StoreUnavailable("the disk is full")

            monkeypatch.setattr(visit.site.broker.context.store, "figures", away)
            assert "The store did not answer: the disk is full" in seen(await visit.get("/", 503))

    run(test())


def test_an_error_of_ours_is_not_told_to_strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:

            async def broken() -> None:
                raise KeyError("secret of ours")

            monkeypatch.setattr(visit.site.broker.context.store, "figures", broken)
            transport = httpx.ASGITransport(make_application(visit.site), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
                answer = await visitor.get("/")
            assert answer.status_code == 500
            assert "something went wrong" in answer.text.lower()
            assert "secret" not in answer.text

    run(test())
