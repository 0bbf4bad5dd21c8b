"""Reports as files: whole, self-contained, escaped, with every number."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import report_sections as given

from molinv.analysis.report import write, write_comparison
from molinv.analysis.section import Chart, Section, Series, plain
from molinv.errors import InputError

LOADS = {"src", "href", "action", "data", "poster", "srcset", "formaction", "xlink:href"}


class Elements(HTMLParser):
    """Every element with its attributes, and the text of every element."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.text = [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        tag = self.found[-1][0] if self.found else ""
        self.text.setdefault(tag, []).append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    paths = write(folder, given.EVIL, given.VERDICT, given.FACTS, given.sections())
    assert sorted(paths) == sorted(folder.iterdir()), "nothing half-written may be left"
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return Elements((folder / "report.html").read_text(encoding="utf-8"))


def strict(path):
    """JSON as the standard has it: without NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_files(folder):
    assert {path.name for path in folder.iterdir()} == {"report.html", "analysis.json"}
    assert (folder / "report.html").stat().st_size < 6e6


def test_the_page_loads_nothing(page):
    for tag, attributes in page.found:
        for name in LOADS & set(attributes):
            value = attributes[name]
            assert value.startswith(("#", "data:")), f"<{tag} {name}={value!r}>"
        assert "url(" not in attributes.get("style", "")
    assert "url(" not in "".join(page.text["style"])
    assert "@import" not in "".join(page.text["style"])
    policy = next(a["content"] for t, a in page.found if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy
    script = re.search(r"script-src([^;]*);", policy)
    assert script is not None
    assert "unsafe" not in script[1]
    assert "http" not in policy


def test_names_stay_text(page):
    """Only the page's own elements are there, however a molecule is called."""
    tags = [tag for tag, _ in page.found]
    assert tags.count("script") == 3
    assert "img" not in tags
    assert not [a for _, a in page.found if any(name.startswith("on") for name in a)]
    assert any(given.EVIL in text for text in page.text["li"])
    figures = json.loads(page.text["script"][0])["figures"]
    assert [f["group"] for f in figures] == ["curve/", "bars/", "map/", "log/"]
    # plotly.js reads markup out of its texts
    shown = json.dumps([[f["layout"], [t.get("name") for t in f["data"]]] for f in figures])
    assert "<script" not in shown
    assert "<img" not in shown


def test_names_of_figures_stay_text_too(tmp_path):
    write(tmp_path, "t", [], {}, [Section("a", "A", figures=[given.chart(given.EVIL)])])
    page = Elements((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.found].count("script") == 3
    assert json.loads(page.text["script"][0])["figures"][0]["group"] == f"{given.EVIL}/"


def test_every_number_is_in_the_json(folder):
    found = strict(folder / "analysis.json")
    assert found["title"] == given.EVIL
    assert found["verdict"] == given.VERDICT
    assert found["facts"] == given.FACTS
    for section in given.sections():
        entry = found["sections"][section.name]
        assert entry["numbers"] == plain(section.numbers)
        assert entry["missing"] == section.missing
        assert [f["name"] for f in entry["figures"]] == [f.name for f in section.figures]
        for figure, there in zip(section.figures, entry["figures"], strict=True):
            if isinstance(figure, Chart):
                assert [s["y"] for s in there["series"]] == [plain(s.y) for s in figure.series]
    assert found["sections"]["curves"]["figures"][0]["series"][0]["y"][3] is None
    assert found["sections"]["curves"]["numbers"]["x"] is None


def test_missing_and_empty_sections_are_shown(page):
    headings = " ".join(page.text["h2"] + page.text["span"])
    assert "Nothing at all" in headings
    assert any("too few molecules" in text for text in page.text["strong"] + page.text["p"])
    assert any("not made" in text for text in page.text["em"])


def test_a_comparison_aligns_sections_by_name(tmp_path):
    a, b = given.sections(), given.sections()[1:]
    b[0].figures[0] = given.globe(scale=3.0)
    paths = write_comparison(
        tmp_path,
        "Two",
        [("run", given.VERDICT, {"model": "a"}, a), ("run", [], {"lambda": "0.1"}, b)],
    )
    found = strict(tmp_path / "analysis.json")
    assert [part["name"] for part in found["parts"]] == ["run", "run (2)"]
    assert "curves" not in found["parts"][1]["sections"]
    assert {p.name for p in paths} == {p.name for p in tmp_path.iterdir()}
    page = Elements((tmp_path / "report.html").read_text(encoding="utf-8"))
    figures = json.loads(page.text["script"][0])["figures"]
    assert [f["group"] for f in figures] == ["curve/", "bars/", "map/", "map/", "log/", "log/"]
    maps = [f["data"][0] for f in figures if f.get("globe")]
    assert maps[0]["cmax"] == maps[1]["cmax"] == pytest.approx(3.0), "one scale for both"
    assert any("Not part of this analysis" in text for text in page.text["p"])


def test_bad_figures_are_refused(tmp_path):
    twice = [Section("a", "A", figures=[given.chart()]), Section("b", "B", figures=[given.chart()])]
    short = Section("a", "A", figures=[Chart("c", "C", "x", "y", [Series("s", [1.0, 2.0], [1.0])])])
    flat = Section("a", "A", figures=[replace(given.globe(), pos=[[0.0, 0.0]], z=[1, 1])])
    for sections, words in (
        (twice, "different names"),
        ([twice[0], twice[0]], "sections of different names"),
        ([short], "as many y"),
        ([flat], "coordinates"),
    ):
        with pytest.raises(InputError, match=words):
            write(tmp_path / "none", "t", [], {}, sections)
    with pytest.raises(InputError, match="two parts"):
        write_comparison(tmp_path, "t", [("a", [], {}, [])])
    other = Section("a", "A", figures=[given.globe(name="curve")])
    with pytest.raises(InputError, match="one kind"):
        write_comparison(tmp_path, "t", [("a", [], {}, twice[:1]), ("b", [], {}, [other])])
