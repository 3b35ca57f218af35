"""The dashboard and the alert rules that come along: what they ask for is what `/metrics` has."""

import json
import re
from pathlib import Path

from tests.serving import run
from tests.web.scene import play
from tests.web.sites import visiting

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "packaging" / "monitoring"
NAME = re.compile(r"\bshopfloor_\w+")
SERIES = re.compile(r"^(shopfloor_\w+)(?:\{([^}]*)\})? ", re.MULTILINE)
DECLARED = re.compile(r"^# TYPE (shopfloor_\w+) ", re.MULTILINE)


def test_every_metric_that_is_asked_for_is_there(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            text = (await visit.get("/metrics")).text
        known = {name for name, _ in SERIES.findall(text)} | set(DECLARED.findall(text))
        for file in FOLDER.iterdir():
            asked = set(NAME.findall(file.read_text(encoding="utf-8")))
            assert asked, file.name
            assert asked <= known, file.name

    run(test())


def test_every_label_that_is_grouped_by_is_there(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            text = (await visit.get("/metrics")).text
        labels = {"instance"} | {word.partition("=")[0] for _, told in SERIES.findall(text) for word in told.split(",")}
        for file in FOLDER.iterdir():
            grouped = re.findall(r"(?:by|on) \(([^)]*)\)", file.read_text(encoding="utf-8"))
            assert {label.strip() for group in grouped for label in group.split(",")} <= labels, file.name

    run(test())


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(target["expr"] for panel in panels for target in panel["targets"])
