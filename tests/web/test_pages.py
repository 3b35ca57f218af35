"""What pages show, and that a job's texts stay texts on every one of them."""

import re
from pathlib import Path

import pytest

from tests.serving import run
from tests.stores import EMBEDDED
from tests.web.scene import HOSTILE, play
from tests.web.sites import seen, visiting

PAGES = (
    "/",
    "/?days=180",
    "/queues",
    "/queues/default",
    "/queues/default?preview=clear",
    "/busy",
    "/retries",
    "/retries?preview=discard",
    "/scheduled",
    "/morgue",
    "/jobs",
    "/jobs?jid=hostile-job-1",
    "/jobs?jid=hostile-retry-1",
    "/debug",
)
OPENING = re.compile(r"<(script|img)\b[^>]*>")


def test_no_text_of_a_job_becomes_markup(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, EMBEDDED) as visit:
            await play(visit.serving)
            for page in PAGES:
                answer = await visit.get(page)
                tags = [tag[0] for tag in OPENING.finditer(answer.text)]
                assert all("/static/" in tag for tag in tags), (page, tags)
                assert "\u202e" not in answer.text, page
                assert "49" not in re.findall(r"&amp;\S{0,8}", answer.text), page
            about = await visit.read("/jobs?jid=hostile-job-1")
            assert HOSTILE.replace("\u202e", "\\u202e") in about

    run(test())


def test_a_jid_that_looks_like_an_address_leads_to_its_job(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            scene = await play(visit.serving)
            jid = "a/../b?c=d&e=%2f#f +g"
            await scene.push(jid, "Odd", "odd")
            link = re.search(r'href="(/jobs\?[^"]+)"', (await visit.get("/queues/odd")).text)
            assert link is not None
            assert jid in await visit.read(link[1].replace("&amp;", "&"))

    run(test())


def test_arguments_are_shown_as_they_were_written(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            client = await visit.serving.client()
            args = '[1.0,12345678901234567890123,{"b":1,"a":2},1e5]'
            assert await client.ask(f'PUSH {{"jid":"exact-01","jobtype":"T","args":{args}}}') == "+OK"
            text = await visit.read("/jobs?jid=exact-01")
            assert '[ 1.0, 12345678901234567890123, { "b": 1, "a": 2 }, 1e5 ]' in text

    run(test())


def test_arguments_can_be_hidden(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, web_hide_arguments=True) as visit:
            await play(visit.serving)
            for page in ("/queues/default", "/busy", "/retries", "/scheduled", "/morgue", "/jobs?jid=retry-0001"):
                text = await visit.read(page)
                assert "cat" not in text, page
                assert "hidden by a setting" in text, page

    run(test())


def test_the_overview_says_what_is_wrong(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            assert "All is well" in await visit.read("/")
            scene = await play(visit.serving)
            text = await visit.read("/?days=9")
            assert "Something wants attention" in text
            assert "The oldest job of queue default has been waiting for 3 min 20 s; no worker is asking" in text
            assert "Queue mail is paused and has jobs" in text
            assert "1 worker silent for more than 30 s" in text
            assert "2023-11-23" in text
            assert "of today's runs failed" not in text
            visit.serving.clock.now += 500
            visit.serving.server.broker.context.push_refusal = "server is out of memory"
            text = await visit.read("/")
            assert "Something is wrong" in text
            assert "No job is taken: server is out of memory" in text
            assert scene is not None

    run(test())


def test_a_job_page_says_why_it_is_not_running(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            assert "Queue mail is paused." in await visit.read("/jobs?jid=letter-0001")
            text = await visit.read("/jobs?jid=picture-0050")
            assert "No worker is asking this server for jobs of queue default" in text
            assert "59 jobs wait in queue default" in text
            text = await visit.read("/jobs?jid=picture-0001")
            assert "Worker resizer-1 has had it for" in text
            text = await visit.read("/jobs?jid=retry-0001")
            assert "It is put into queue letters in 15 s" in text
            assert 'File "pictures.py", line 3, in step_3' in text
            assert "It is not tried again by itself" in await visit.read("/jobs?jid=dead-00001")
            assert "no job nobody is held" in (await visit.read("/jobs?jid=nobody", 404)).lower()

    run(test())


def test_places_are_searched_by_each_word(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            for query, count in {
                "type=Letter": 4,
                "queue=lett*": 5,
                "error=HOST+2": 1,
                "argument=cat.jpg": 4,
                "jid=retry-0003": 1,
                "type=Letter&error=host+3": 1,
                "type=Nothing": 0,
            }.items():
                text = await visit.read(f"/retries?{query}")
                assert f"{count} job{'' if count == 1 else 's'} found; that was all." in text, query
            assert "cat-7.jpg" in await visit.read("/queues/default?argument=cat-7")
            assert "No such job was found" in await visit.read("/queues/default?jid=nobody-here")

    run(test())


def test_pages_of_a_place_follow_one_another(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            scene = await play(visit.serving)
            for number in range(120):
                await scene.push(
                    f"much-later-{number:03}", "Report", at=f"2034-01-01T00:{number // 60:02}:{number % 60:02}Z"
                )
            met: list[str] = []
            path = "/scheduled"
            for _ in range(3):
                text = (await visit.get(path)).text
                met += re.findall(r'name="jid" value="(much-later-\d+)"', text)
                onwards = re.search(r'href="([^"]+)">Further jobs', text)
                path = onwards[1].replace("&amp;", "&") if onwards else ""
            assert met == [f"much-later-{number:03}" for number in range(120)]
            assert path == ""

    run(test())


def test_pages_of_queues_follow_one_another(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            client = await visit.serving.client()
            for number in range(105):
                assert await client.ask(f"QUEUE PAUSE q{number:03}") == "+OK"
            text = await visit.read("/queues")
            assert "105 queues" in text
            assert "q099" in text
            assert "q100" not in text
            assert "q104" in await visit.read("/queues?begin=100")
            assert "10 queues with “q01”" in await visit.read("/queues?name=q01")

    run(test())


def test_pages_of_a_deep_queue(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            text = (await visit.get("/queues/default")).text
            assert "picture-0052" in text
            assert "picture-0053" not in text
            onwards = re.search(r'href="([^"]+)">Further jobs', text)
            assert onwards is not None
            assert "picture-0053" in await visit.read(onwards[1])
            assert visit.serving.server.broker.ticks.waiting.count == 0

    run(test())


@pytest.mark.parametrize(
    "path",
    [
        "/retries?after=nonsense",
        "/retries?after=nan,x",
        "/?days=0",
        "/?days=99999999999999999999",
        "/?days=-3",
        "/queues?begin=abc",
        "/queues/default?begin=99999999999",
        "/retries?type=" + "x" * 5000,
        "/morgue?error=%00%ff",
    ],
)
def test_addresses_that_mean_nothing_do_no_harm(tmp_path: Path, path: str) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            await visit.get(path)

    run(test())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/queues/nobody", 404),
        ("/chores/nobody", 404),
        ("/static/nothing.css", 404),
        ("/static/%2e%2e/site.py", 404),
        ("/retries?preview=nonsense", 400),
        ("/theme", 405),
        ("/retries?type=" + "*" * 500, 200),
    ],
)
def test_what_is_not_there_is_said_on_a_page(tmp_path: Path, path: str, status: int) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            answer = await visit.get(path, status)
            assert "Shopfloor" in seen(answer)

    run(test())


def test_old_addresses_lead_to_the_job(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            answer = await visit.get("/retries/2023-11-23T00:00:00Z%7Cretry-0001", 303)
            assert "mail host 1" in await visit.follow(answer)

    run(test())


def test_stats_and_health_are_those_of_faktory(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            stats = (await visit.get("/stats")).json()
            assert sorted(stats) == ["faktory", "now", "server", "server_utc_time"]
            assert stats["faktory"]["sets"] == {"dead": 4, "retries": 5, "scheduled": 2, "working": 3}
            health = (await visit.get("/health")).json()
            assert sorted(health) == ["now", "server"]
            assert sorted(health["server"]) == ["command_count", "connections", "description", "faktory_version"]

    run(test())


def test_files_are_kept_by_browsers_until_they_change(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            answer = await visit.get("/static/style.css")
            assert answer.headers["content-type"].startswith("text/css")
            assert "max-age=3600" in answer.headers["cache-control"]
            assert (await visit.get("/static/style.css", 304, {"if-none-match": answer.headers["etag"]})).text == ""

    run(test())
