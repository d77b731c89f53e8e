"""The pages of the site: each stands in its menu, links lead where they lead in the repository, faults are found."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from stage_site import ROOT, faults, sources, with_links


def test_the_menu_has_every_page_once() -> None:
    with (ROOT / "zensical.toml").open("rb") as file:
        text = str(tomllib.load(file)["project"]["nav"])
    pages = re.findall(r"'([^']+\.md)'", text)
    assert sorted(pages) == sorted(place for place in sources() if place.endswith(".md"))


def test_a_link_leads_to_the_place_on_the_site_and_one_to_code_becomes_words() -> None:
    places = {source: place for place, source in sources().items()}
    text = "[Data](docs/guides/data.md#holes) ![x](docs/gradient.png) [code](forecast/model.py) [away](https://a.b)"
    assert with_links(text, "index.md", "README.md", places) == (
        "[Data](guides/data.md#holes) ![x](gradient.png) code [away](https://a.b)"
    )
    text = "[runs](../../models/README.md), [home](../../README.md), [here](#there)"
    assert with_links(text, "guides/production.md", "docs/guides/production.md", places) == (
        "[runs](../models/README.md), [home](../index.md), [here](#there)"
    )


def test_what_is_loaded_from_elsewhere_and_links_to_nothing_are_faults(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<link href="https://x.y/s.css"><a href="https://x.y">away</a><a href="b.html#in">b</a><a href="c.html">c</a>'
        '<a href="b.html#out">b</a><img src="data:image/png;base64,AA==">'
    )
    (tmp_path / "b.html").write_text('<h2 id="in">In</h2><script src="//x.y/z.js"></script>')
    assert faults(tmp_path) == [
        "a.html: b.html#out has no such place",
        "a.html: c.html leads nowhere",
        "a.html: https://x.y/s.css is loaded from elsewhere",
        "b.html: //x.y/z.js is loaded from elsewhere",
    ]
