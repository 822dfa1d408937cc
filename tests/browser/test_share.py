"""Share: every file arrives and is what it says; the dialog is one for keyboard, phone and both themes."""

import contextlib
import csv
import io
import json
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from visiting import contrast, near, rgb

from app.share import qr_svg

SVG = "{http://www.w3.org/2000/svg}"
THREE = "/dynamics?data=mixture&size=24&draws=2"  # three figures
RELEASE = f"RMT Playground {version('rmt-playground')}"


def opened(visit, path="/spectrum?size=60&seed=4", **options):
    """A page with its share dialog, once the server has said what goes in."""
    one = visit(path, **options)
    if one.page.locator("#menu").is_visible():  # on a phone
        one.click("#menu")
    one.page.locator("#share").click()
    one.until("playground.state.share && !document.getElementById('save-svg').disabled")
    return one.rest()


def taken(one, kind, folder):
    """The file of one of the buttons."""
    with one.page.expect_download() as arriving:
        one.page.locator(f"#save-{kind}").click()
    path = Path(folder) / arriving.value.suggested_filename
    arriving.value.save_as(path)
    return path


def words(one):
    return one.page.locator("#said").inner_text()


# ---- pictures ----
@pytest.mark.parametrize(("path", "figures"), [("/spectrum?size=60&seed=4", 1), (THREE, 3)])
def test_the_svg_is_drawn_of_paths_with_its_caption(visit, tmp_path, path, figures):
    one = opened(visit, path)
    file = taken(one, "svg", tmp_path)
    assert file.name == f"{path[1:].split('?')[0]}-seed-{one.values['seed']}.svg"
    root = ElementTree.parse(file).getroot()
    assert root.tag == SVG + "svg"
    assert len(root.findall(SVG + "svg")) == figures
    for drawn in root.findall(SVG + "svg"):
        assert len(list(drawn.iter(SVG + "path"))) > 20
        assert list(drawn.iter(SVG + "image")) == []
        assert "test accuracy" in _text(root) or figures == 1
    text = _text(root)
    assert f"Seed = {one.values['seed']}" in text
    assert RELEASE in text
    assert one.page.url in text.replace(" ", "")
    assert root.find(SVG + "rect").get("fill") == "#ffffff"


def _text(root):
    return " ".join(" ".join(part.itertext()) for part in root.iter(SVG + "text"))


def test_the_curve_in_the_svg_is_the_one_on_the_page(visit, tmp_path):
    one = opened(visit)
    root = ElementTree.parse(taken(one, "svg", tmp_path)).getroot()
    lines = [
        part for part in root.iter(SVG + "path") if part.get("stroke") == "#d55e00" and part.get("d").count("L") > 50
    ]
    assert len(lines) == 1
    points = np.array([pair.split() for pair in lines[0].get("d").replace("M", "L").split("L")[1:]], float)
    curve = one.columns("equivalent")
    assert len(points) == len(curve["x"])
    for drawn, known in ((points[:, 0], curve["x"]), (points[:, 1], curve["y"])):
        assert np.corrcoef(drawn, known)[0, 1] ** 2 == pytest.approx(1.0, abs=1e-4)  # axes are linear here


def test_the_png_is_the_same_at_two_pixels_a_unit_in_print_colours(visit, tmp_path):
    one = opened(visit, "/spectrum?size=60&theme=dark")
    size = ElementTree.parse(taken(one, "svg", tmp_path)).getroot()
    image = Image.open(taken(one, "png", tmp_path)).convert("RGB")
    assert image.size == (2 * float(size.get("width")), 2 * float(size.get("height")))
    seen = sorted(((colour, count) for count, colour in image.getcolors(2**24)), key=lambda pair: -pair[1])
    assert seen[0][0] == (255, 255, 255)
    for colour in ("#d55e00", "#1b1f24"):
        assert near(seen, rgb(colour)) > 500, colour
    one.page.locator("#as-seen").check()
    image = Image.open(taken(one, "png", tmp_path)).convert("RGB")
    assert max(image.getcolors(2**24))[1] == rgb("#0d1117")


def test_a_picture_shows_what_is_on_the_page_and_leaves_it_alone(visit, tmp_path):
    one = visit("/spectrum?size=60&ratio=0.3&depth=1")
    one.page.locator("#set-linear").uncheck()
    one.rest()
    before = one.figure(), one.columns("equivalent"), one.evaluate("Bokeh.documents.length")
    one.page.locator("#share").click()
    one.until("playground.state.share")
    root = ElementTree.parse(taken(one, "svg", tmp_path)).getroot()
    labels = _text(root)
    for label in before[0]["labels"]:
        assert label in labels
    paths = root.find(SVG + "svg").iter(SVG + "path")
    strokes = {part.get("stroke") for part in paths if part.get("d")}  # what is empty draws nothing
    assert "#d55e00" in strokes
    assert "#009e73" not in strokes  # switched off
    assert (one.figure(), one.columns("equivalent"), one.evaluate("Bokeh.documents.length")) == before
    assert one.page.locator(".studio").count() == 0


# ---- data ----
def test_the_csv_has_every_digit_and_says_where_it_is_from(visit, tmp_path):
    one = opened(visit)
    file = taken(one, "csv", tmp_path)
    assert file.name == "spectrum-seed-4.csv"
    text = file.read_text(encoding="utf-8")
    head = text.split("\n\n")[0].split("\n")
    assert head[0] == f"# Spectrum, {RELEASE}"
    assert head[1] == f"# {one.page.url}"
    assert "# seed = 4 (Seed)" in head
    assert "# ratio = 0.5 (Aspect ratio p/n)" in head
    assert all(line.startswith("# ") for line in head)
    assert _tables(text) == {table["caption"]: table["columns"] for table in one.state["tables"]}
    assert len(_tables(text)["Non-zero eigenvalues, actual"]["λ"]) == 60
    assert not one.evaluate("document.getElementById('data').open")


def _tables(text):
    """Tables of a CSV file by caption, numbers as numbers."""
    found = {}
    for block in text.strip().split("\n\n")[1:]:
        caption, *rows = block.split("\n")
        names, *cells = csv.reader(io.StringIO("\n".join(rows)))
        columns = [[_number(cell) for cell in column] for column in zip(*cells, strict=True)]
        for column in columns:
            while column and column[-1] is None:
                column.pop()
        found[caption.removeprefix("# ")] = dict(zip(names, columns, strict=True))
    return found


def _number(cell):
    with contextlib.suppress(ValueError):
        return float(cell)
    return cell or None


def test_columns_whose_names_have_commas_stay_one_column(visit, tmp_path):
    one = opened(visit, "/linearisation?draws=1")
    tables = _tables(taken(one, "csv", tmp_path).read_text(encoding="utf-8"))
    assert "error, Taylor polynomial" in tables["Errors"]
    assert tables["Errors"]["n"] == [2**k for k in range(13)]


def test_the_json_is_the_whole_state(visit, tmp_path):
    one = opened(visit)
    file = taken(one, "json", tmp_path)
    found = json.loads(file.read_text(encoding="utf-8"))
    state = one.state
    assert (found["lab"], found["seed"], found["version"], found["link"]) == ("spectrum", 4, RELEASE, one.page.url)
    assert found["tables"] == state["tables"]
    assert found["readouts"] == state["readouts"]
    assert found["settings"]["ratio"] == {"value": 0.5, "label": "Aspect ratio", "symbol": "p/n", "unit": ""}
    assert found["python"] == state["share"]["python"]


# ---- Python ----
def test_the_lines_are_shown_copied_and_saved(visit, tmp_path):
    one = opened(visit, permissions=["clipboard-read", "clipboard-write"])
    shown = one.page.locator("#python").inner_text()
    assert "Network(population, samples=120)" in shown
    one.page.locator("#copy-python").click()
    one.until("document.getElementById('said').textContent.includes('copied')")
    assert one.evaluate("navigator.clipboard.readText()").strip() == shown.strip()
    saved = taken(one, "py", tmp_path).read_text(encoding="utf-8")
    space = {}
    exec(compile(saved, "lines", "exec"), space)
    columns = {table["caption"]: table["columns"] for table in one.state["tables"]}
    for caption, made in space["tables"].items():
        for name, column in made.items():
            np.testing.assert_allclose(column, columns[caption][name], rtol=1e-9, atol=1e-12)


# ---- the report ----
HOSTILE = "<img src=x onerror=harm=1>&'\"`.csv"


def test_the_report_opens_offline_and_has_everything(visit, browser, tmp_path):
    one = opened(visit, THREE)
    file = taken(one, "html", tmp_path)
    state = one.state
    seen, complaints = _offline(browser, file)
    assert complaints == []
    assert seen["svgs"] == 1 + 3
    assert seen["images"] == seen["scripts"] == 0
    for one_readout in state["readouts"]:
        assert one_readout["label"] in seen["text"]
        assert one_readout["value"] in seen["text"]
    for text in state["explain"]:
        assert " ".join(text.split()) in seen["text"]
    for lamp in state["lamps"]:
        assert lamp["label"] in seen["text"]
    for setting in state["share"]["settings"]:
        assert setting["label"] in seen["text"]
    assert state["share"]["python"].split("\n")[0] in seen["text"]
    assert RELEASE in seen["text"]
    tables = seen["tables"]
    assert [caption.split(" (")[0] for caption in tables] == [table["caption"] for table in state["tables"]]


def _offline(browser, file):
    """What a browser without a network shows of a file, and what it complains of."""
    context = browser.new_context(offline=True)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: request.url != file.as_uri() and complaints.append(request.url))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    try:
        page.goto(file.as_uri())
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        return page.evaluate("""() => ({
            svgs: document.querySelectorAll("svg").length,
            images: document.querySelectorAll("img").length,
            scripts: document.querySelectorAll("script").length,
            harm: window.harm ?? null,
            text: document.body.innerText.replace(/\\s+/g, " "),
            tables: [...document.querySelectorAll("summary")].map((one) => one.textContent),
        })"""), complaints
    finally:
        context.close()


def test_what_a_visitor_typed_does_no_harm_in_a_report(visit, browser, tmp_path):
    one = visit("/matrix")
    rows = np.random.default_rng(1).standard_normal((40, 30))
    content = "\n".join(",".join(f"{cell:.6g}" for cell in row) for row in rows)
    one.page.locator("#file").set_input_files({"name": HOSTILE, "mimeType": "text/csv", "buffer": content.encode()})
    one.until(f"playground.state.file === {json.dumps(HOSTILE)} && playground.idle")
    one.page.locator("#share").click()
    one.until("playground.state.share && playground.idle")
    assert HOSTILE in one.page.locator("#python").inner_text().replace('\\"', '"').replace("\\'", "'")
    seen, complaints = _offline(browser, taken(one, "html", tmp_path))
    assert complaints == []
    assert (seen["images"], seen["scripts"], seen["harm"]) == (0, 0, None)
    assert "<img src=x" in seen["text"]
    assert one.evaluate("window.harm ?? null") is None


# ---- link and code ----
def test_the_code_is_of_the_link_and_grows_for_the_room(visit):
    one = opened(visit, "/spectrum?size=60&bins=55&theme=dark")
    assert one.page.locator("#share-link").input_value() == one.page.url
    asked = urlsplit(one.evaluate("document.getElementById('qr').src"))
    assert parse_qs(asked.query)["query"] == ["size=60&bins=55&theme=dark"]
    body = one.evaluate("fetch(document.getElementById('qr').src).then((answer) => answer.text())")
    assert body.encode() == qr_svg(one.page.url)
    one.page.locator("#qr-large").click()
    left, top, right, bottom = one.box("#qr")
    assert right - left == pytest.approx(bottom - top, abs=2)
    assert right - left > 600
    assert bottom < 900
    one.page.keyboard.press("Escape")  # first the code, then the dialog
    assert one.shown("#save-svg")
    one.page.keyboard.press("Escape")
    assert not one.shown("#sharing")


def test_a_link_that_no_code_holds_is_said_to_be_too_long(visit):
    many = "&".join(f"width{k}=0.12{k}&activation{k}=softplus" for k in range(1, 10))
    one = visit(f"/spectrum?depth=10&size=60&{many}&hide={'x' * 300}")
    one.page.locator("#share").click()
    one.until("document.getElementById('qr').hidden")
    assert "too long for a QR code" in one.page.locator("#sharing").inner_text()
    link = one.page.locator("#share-link").input_value()
    assert parse_qs(urlsplit(link).query) == parse_qs(urlsplit(one.page.url).query)
    one.failed = [line for line in one.failed if not line.endswith(": 414")]
    one.complaints = [line for line in one.complaints if "414" not in line]


def test_the_link_follows_a_new_draw(visit):
    one = visit("/spectrum?size=60")
    one.click("#draw")
    one.page.locator("#share").click()
    one.until("playground.state.share")
    one.rest()
    assert one.page.locator("#share-link").input_value() == one.page.url
    assert one.query()["seed"] == "2"
    assert "observe(network, 2, 1" in one.page.locator("#python").inner_text()


# ---- the dialog ----
def test_by_keyboard_alone_and_back_where_one_was(visit):
    one = visit("/spectrum?size=60")
    one.page.locator("#share").focus()
    one.page.keyboard.press("Enter")
    one.until("playground.state.share && !document.getElementById('save-svg').disabled")
    one.rest()
    focused = "document.activeElement.id || document.activeElement.getAttribute('aria-label')"
    assert one.evaluate(focused) == "copy-link"
    seen = []
    for _ in range(12):
        one.page.keyboard.press("Tab")
        seen.append(one.evaluate(focused))
    wanted = ["qr-large", "save-svg", "save-png", "as-seen", "save-csv", "save-json", "save-html", "Python lines"]
    assert seen[: len(wanted)] == wanted
    assert seen[len(wanted) : len(wanted) + 2] == ["copy-python", "save-py"]
    one.page.keyboard.press("Escape")
    assert not one.shown("#sharing")
    assert one.evaluate("document.activeElement.id") == "share"
    one.rest()
    assert "share" not in one.state


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_in_both_themes(visit, theme):
    one = opened(visit, f"/spectrum?size=60&theme={theme}", width=390, height=844)
    left, top, right, bottom = one.box("#sharing")
    assert (left >= 0, top >= 0, right <= 390, bottom <= 844) == (True,) * 4
    wide = (
        "[...document.querySelectorAll('#sharing, #sharing .sections')].map((one) => one.scrollWidth - one.clientWidth)"
    )
    assert one.evaluate(wide) == [0, 0]
    pairs = one.evaluate("""() => {
        const parts = [...document.querySelectorAll("#sharing button, #sharing h3, #sharing .help")]
        return parts.filter((one) => one.offsetParent).map((one) => {
            let back = one
            while (getComputedStyle(back).backgroundColor === "rgba(0, 0, 0, 0)") back = back.parentElement
            return [getComputedStyle(one).color, getComputedStyle(back).backgroundColor, one.textContent]
        })
    }""")
    assert len(pairs) > 10
    for ink, page, text in pairs:
        assert contrast(rgb(ink), rgb(page)) >= 4.5, text


def test_without_leave_for_the_clipboard_copying_in_the_dialog_still_works(visit):
    one = opened(visit)
    one.evaluate("""() => {
        navigator.clipboard.writeText = () => Promise.reject(new Error("refused"))
        document.execCommand = () => { window.copied = String(document.activeElement.value); return true }
    }""")
    one.page.locator("#copy-link").click()
    one.until("document.getElementById('said').textContent.includes('Link copied')")
    assert one.evaluate("window.copied") == one.page.url
    assert one.page.locator("textarea.offscreen").count() == 0
