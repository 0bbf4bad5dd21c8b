"""The page in a browser: it works offline, asks for nothing, and can be used.

Needs playwright and an installed Chromium; screenshots go to $MOLINV_ARTIFACTS where that is set.
"""

import os
import shutil
from pathlib import Path

import pytest
import report_sections as given

from molinv.analysis.report import write, write_comparison

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason=f"no browser: none of {', '.join(NAMES)} is on the path"
)
LONG = 1_800_000  # milliseconds after which a page hangs, on however busy a machine
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    made = given.sections()
    write(folder / "one", "Rotational invariance of a test", given.VERDICT, given.FACTS, made)
    other = given.sections()
    other[0].figures[0] = given.chart(height=30.0)
    parts = [("run a", given.VERDICT, {}, made), ("run b", given.VERDICT, {}, other)]
    write_comparison(folder / "two", "A beside B", parts)
    return {name: (folder / name / "report.html").as_uri() for name in ("one", "two")}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, timeout=LONG)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, reports):
    """Opens a report; when the test is over no script has failed and no request left the page."""
    contexts, errors, requests = [], [], []

    def open_page(name="one", viewport=WIDE, scheme="light", **options):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        context.set_default_timeout(LONG)
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(reports[name])
        page.locator(".plot").first.scroll_into_view_if_needed()
        page.wait_for_selector(".plot .main-svg")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert set(requests) - set(reports.values()) == set()


@pytest.fixture
def artefacts(tmp_path):
    folder = Path(os.environ.get("MOLINV_ARTIFACTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def text_color(page):
    return page.eval_on_selector("#plot-0 .xtick text", "e => getComputedStyle(e).fill")


def see_all(page):
    """Scroll through, so that every figure is drawn."""
    for plot in page.locator(".plot:visible").all():
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for()
    page.wait_for_function(
        "[...document.querySelectorAll('.plot')].every(e => !e.offsetParent || e.data)"
    )
    page.evaluate("scrollTo(0, 0)")


def test_opens_and_runs_no_name_as_a_script(opened):
    page = opened()
    see_all(page)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert page.locator(".why").count() == 1
    assert page.locator(".verdict li").count() == 4
    assert page.locator(".contents li").count() == 1 + len(given.sections())


def test_tabs_by_mouse_and_by_keyboard(opened):
    page = opened()
    first, second = page.locator("[role=tablist]").first.locator("[role=tab]").all()
    panel = page.locator(f"#{second.get_attribute('aria-controls')}")
    assert not panel.is_visible()
    second.click()
    assert panel.is_visible()
    assert second.get_attribute("aria-selected") == "true"
    panel.locator(".main-svg").first.wait_for()
    page.keyboard.press("ArrowRight")  # around the end
    assert first.get_attribute("aria-selected") == "true"
    assert not panel.is_visible()
    page.keyboard.press("End")
    assert panel.is_visible()
    assert page.evaluate("document.activeElement.id") == second.get_attribute("id")


def test_hover_shows_a_point_with_its_interval(opened):
    page = opened()
    page.locator("#plot-0").scroll_into_view_if_needed()
    page.wait_for_selector("#plot-0 .trace.scatter .point")
    page.locator("#plot-0 .nsewdrag").first.hover()
    label = page.wait_for_selector("#plot-0 .hoverlayer .hovertext")
    assert label is not None
    assert any(character.isdigit() for character in (label.text_content() or ""))


def test_a_sphere_is_rotated_with_the_mouse(opened):
    page = opened()
    page.locator("#section-2").scroll_into_view_if_needed()
    page.wait_for_selector("#section-2 .plot canvas")
    where = "document.querySelector('#section-2 .plot')._fullLayout.scene.camera.eye"
    before = page.evaluate(f"JSON.stringify({where})")
    box = page.locator("#section-2 .plot").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y + 30, steps=5)
    page.mouse.up()
    page.wait_for_function(f"before => JSON.stringify({where}) !== before", arg=before)


def test_dark_mode_recolours_the_figures(opened):
    page = opened()
    light, paper = (
        text_color(page),
        page.evaluate("getComputedStyle(document.body).backgroundColor"),
    )
    page.click("#theme")
    page.wait_for_function(f"getComputedStyle(document.body).backgroundColor !== '{paper}'")
    page.wait_for_function(
        "light => getComputedStyle(document.querySelector('#plot-0 .xtick text')).fill !== light",
        arg=light,
    )
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    system = opened(scheme="dark")
    assert text_color(system) == text_color(page), "the system's choice and the button's agree"


def test_phone_needs_no_sideways_scrolling(opened):
    for name in ("one", "two"):
        page = opened(name, PHONE, has_touch=True, is_mobile=True)
        see_all(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_figures_side_by_side_have_one_scale(opened):
    page = opened("two")
    page.wait_for_function("document.getElementById('plot-1').layout?.yaxis?.range")
    page.wait_for_function(
        "(([a, b]) => a && b && a[0] === b[0] && a[1] === b[1])"
        "([0, 1].map(i => document.getElementById(`plot-${i}`).layout?.yaxis?.range))"
    )
    ranges = [
        page.evaluate(f"document.getElementById('plot-{i}').layout.yaxis.range") for i in (0, 1)
    ]
    assert ranges[0] == ranges[1]
    assert ranges[0][1] > 80, "the taller one fits"
    left, right = (page.locator(f"#plot-{i}").bounding_box() for i in (0, 1))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]


def test_paper_gets_every_tab(opened, artefacts):
    page = opened(scheme="dark")
    page.pdf(path=artefacts / "report.pdf")
    drawn = page.evaluate("[...document.querySelectorAll('.plot')].every(e => e.data)")
    assert drawn, "hidden tabs are drawn before printing"
    page.emulate_media(media="print")
    assert all(panel.is_visible() for panel in page.locator(".panel").all())
    assert not page.locator("#theme").is_visible()


def test_nothing_can_leave_the_page(browser, reports):
    """The page's content policy blocks requests, which the other tests cannot observe."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(reports["one"])
    blocked = page.evaluate(
        """async () => {
            const found = [];
            addEventListener("securitypolicyviolation", e => found.push(e.effectiveDirective));
            await fetch("https://example.invalid/").catch(() => 0);
            for (const [tag, key, value] of [
                ["img", "src", "https://example.invalid/a.png"],
                ["script", "textContent", "window.hacked = 1"],
            ]) document.body.append(Object.assign(document.createElement(tag), { [key]: value }));
            await new Promise(done => setTimeout(done, 500));
            return found;
        }"""
    )
    assert set(blocked) == {"connect-src", "img-src", "script-src-elem"}
    assert page.evaluate("window.hacked") is None
    context.close()


@pytest.mark.parametrize("name", ["one", "two"])
def test_screenshots(opened, artefacts, name):
    for look, viewport, scheme in (
        ("light", WIDE, "light"),
        ("dark", WIDE, "dark"),
        ("phone", PHONE, "light"),
    ):
        page = opened(name, viewport, scheme)
        see_all(page)
        path = artefacts / f"report-{name}-{look}.png"
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 50_000
