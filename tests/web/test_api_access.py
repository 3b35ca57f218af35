"""Who may ask the JSON API, from where, and what it says where it does not answer."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec
import pytest

from shopfloor.errors import ConfigError, StoreUnavailable
from shopfloor.web.api.document import document
from shopfloor.web.api.entrance import routes
from shopfloor.web.api.operations import BEGIN, DOCUMENT_PATH, OPERATIONS
from shopfloor.web.api.scopes import SCOPES, digest, read_tokens
from shopfloor.web.application import make_application
from tests.serving import run
from tests.web.programs import asking
from tests.web.scene import play
from tests.web.sites import visiting

NAMES: Mapping[str, str] = {"place": "retries"}
TOKENS = {scope: f"a-long-random-token-for-{scope}" for scope in SCOPES}
FILE = "\n".join(f"{scope}-token {scope} sha256:{digest(token)}  # why" for scope, token in TOKENS.items())


def test_each_operation_wants_its_scope(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path, password="correct horse") as program:
            program.visit.site.tokens = read_tokens("# ours\n\n" + FILE, "tokens")
            for operation in OPERATIONS:
                path = operation.path.format(jid="x", name="x", id="x", bid="x", wid="x", **NAMES)
                for shown in ("", "Bearer x", "Basic !!", "Basic eDp4", "Bearer correct horse"):
                    headers = {"authorization": shown} if shown else {}
                    await program.ask(operation.method, path, "{", 401, headers=headers)
                for scope, token in TOKENS.items():
                    headers = {"authorization": f"Bearer {token}"}
                    answer = await program.visit.visitor.request(operation.method, BEGIN + path, headers=headers)
                    assert (answer.status_code == 403) == (scope not in (operation.scope, "admin")), operation.name
            answer = await program.visit.visitor.get(f"{BEGIN}/stats", auth=("anybody", "correct horse"))
            assert answer.status_code == 200
            assert (await program.visit.visitor.get(DOCUMENT_PATH)).content == msgspec.json.encode(document())

    run(test())


@pytest.mark.parametrize(
    "text",
    [
        "grafana read",
        "grafana read a-long-random-token",
        "grafana look sha256:" + "0" * 64,
        "grafana read sha256:short",
        "grafana read sha256:" + "0" * 64 + "\ngrafana push sha256:" + "1" * 64,
        "grafana read sha256:" + "0" * 64 + "\nother push sha256:" + "0" * 64,
    ],
)
def test_a_file_that_is_none_of_tokens(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^tokens:\d: ") as raised:
        read_tokens(text, "tokens")
    assert "random" not in str(raised.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_pages_of_other_sites_are_refused(tmp_path: Path, headers: Mapping[str, str]) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            told = await program.get("/stats", 403, headers=headers)
            assert told["type"] == "urn:shopfloor:problem:cross-origin"
            job = {"jobtype": "Resize", "args": []}
            await program.ask("POST", "/jobs", job, 403, headers=headers)
            await program.ask("POST", "/jobs", job, 415, headers={"content-type": "text/plain"})
            assert (await program.get("/stats"))["enqueued"] == 0

    run(test())


def test_hidden_arguments_are_neither_shown_nor_found(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path, web_hide_arguments=True) as program:
            await play(program.visit.serving)
            for path in ("/jobs/picture-0010", "/queues/default/jobs", "/sets/retries"):
                answer = await program.visit.visitor.get(BEGIN + path)
                assert "cat" not in answer.text
                assert '"args"' not in answer.text
            await program.get("/sets/retries", 403, params={"argument": "cat"})
            meant = {"action": "kill", "filter": {"argument": "cat"}, "dry_run": True}
            await program.post("/sets/retries/actions", meant, 403)

    run(test())


def test_an_answer_that_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            first = await program.visit.visitor.get(f"{BEGIN}/stats")
            headers = {"if-none-match": first.headers["etag"]}
            again = await program.visit.visitor.get(f"{BEGIN}/stats", headers=headers)
            assert (again.status_code, again.content) == (304, b"")
            await program.post("/jobs", {"jobtype": "Resize", "args": []})
            assert (await program.visit.visitor.get(f"{BEGIN}/stats", headers=headers)).status_code == 200

    run(test())


def test_other_paths_and_methods(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            await program.get("/nowhere", 404)
            answer = await program.visit.visitor.put(f"{BEGIN}/batches")
            assert answer.status_code == 405
            assert answer.headers["allow"] == "GET, POST"

    run(test())


def test_what_goes_wrong_in_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            for error, status in ((StoreUnavailable("the disk is full"), 503), (KeyError("secret of ours"), 500)):

                async def broken(error: Exception = error) -> None:
                    raise error

                monkeypatch.setattr(program.visit.site.broker.context.store, "figures", broken)
                told = await program.get("/stats", status)
                assert "secret" not in told["detail"]

    run(test())


def test_the_document_has_every_route_and_no_other(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            told = document()
            routed = {route.path.replace(":path", "") for route in routes(visit.site)}
            assert routed == {*told["paths"], DOCUMENT_PATH, "/api/{rest}"}
            listed = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
            assert listed == {(operation.method, BEGIN + operation.path) for operation in OPERATIONS}
            names = [operation.name for operation in OPERATIONS]
            assert len(set(names)) == len(names)
            assert all(operation.says.endswith(".") for operation in OPERATIONS)

    run(test())


def test_a_defect_is_logged_and_not_told_on_any_page(tmp_path: Path) -> None:
    """The application of the pages has handlers of its own; none of them answers for the API."""

    async def test() -> None:
        async with visiting(tmp_path) as visit:
            transport = httpx.ASGITransport(make_application(visit.site))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
                answer = await visitor.get("/api/v2/stats")
                assert answer.status_code == 404
                assert answer.headers["content-type"] == "application/problem+json"

    run(test())
