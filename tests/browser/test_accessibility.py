"""axe-core on every page and dialog, in both themes, on a desk and on a phone: nothing serious or critical."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from drawn_small import SMALL
from visiting import contrast, rgb

from app.labs import LABS

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
# What opens over a page: the button or key that opens it, and what is there then.
OPENERS = {
    "#tours": "#tours-dialog",
    "#share": "#sharing",
    "#glossary": "#glossary-box",
    "?": "#keys-help",
    "#drawer": "#controls",
    "#menu": "#menu-box",
}
ON_A_PHONE = ("#drawer", "#menu")


def findings(one):
    """What axe calls serious or critical, one line an element."""
    one.evaluate(AXE_SCRIPT)
    # All rows of a table are alike, and thousands of them would take a minute.
    found = one.evaluate("axe.run({ exclude: ['tbody tr:nth-child(n+3)'] }, { resultTypes: ['violations'] })")[
        "violations"
    ]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def assert_plots_readable(one):
    """Words in the plots, which axe cannot see, against what is behind them."""
    page = rgb(one.evaluate("getComputedStyle(document.body).backgroundColor"))
    inks = one.evaluate("""(Bokeh.documents ?? []).flatMap((doc) => [...doc.all_models]).flatMap((model) => ({
        LinearAxis: () => [model.axis_label_text_color, model.major_label_text_color],
        ColorBar: () => [model.major_label_text_color, model.title_text_color],
        Text: () => [model.text_color.value ?? model.text_color],
    }[model.type]?.() ?? []))""")
    assert inks or "/home" in one.page.url
    for ink in inks:
        assert contrast(rgb(ink), page) >= 4.5, ink
    patches = one.evaluate("""(Bokeh.documents ?? []).flatMap((doc) => [...doc.all_models])
        .filter((model) => model.type === "Text" && (model.background_fill_alpha.value ?? 1) < 1)
        .map((model) => model.background_fill_color.value)""")
    assert patches or "/deep" not in one.page.url
    for patch in patches:
        assert rgb(patch) == page


def switch_theme(one):
    one.evaluate("document.getElementById('theme').click()")
    return one.rest()


def test_axe_finds_what_is_wrong(visit):
    one = visit("/home")
    one.evaluate("document.querySelector('.map').append(document.createElement('button'))")
    one.evaluate("document.querySelector('.hero p').style.color = '#bbbbbb'")
    rules = {line.split()[0] for line in findings(one)}
    assert rules == {"button-name", "color-contrast"}


# A phone has the same colours, so one theme tells what is different there: the layout.
@pytest.mark.parametrize(
    ("name", "device", "themes"),
    [(name, DESK, ("light", "dark")) for name in LABS]
    + [(name, PHONE, ("light",)) for name in ("home", "spectrum", "deep")],
)
def test_no_serious_finding_in_either_theme(visit, name, device, themes):
    one = visit(f"/{name}?{SMALL[name]}", color_scheme="light", **device)
    one.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    one.rest()
    for theme in themes:
        if theme != "light":
            switch_theme(one)
        assert findings(one) == []
        assert_plots_readable(one)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
def test_nor_in_what_opens_over_a_page(visit, device, theme):
    one = visit("/spectrum?size=100", color_scheme=theme, **device)
    for opener, opened in OPENERS.items():
        if opener in ON_A_PHONE and device is DESK:
            assert not one.shown(opener)
            continue
        if opener == "?":
            one.page.keyboard.press("?")
        else:
            if device is PHONE and opener not in ON_A_PHONE:
                one.page.locator("#menu").click()
            one.page.locator(opener).click()
        one.page.locator(opened).wait_for()
        one.rest()
        assert findings(one) == [], opener
        if opened == "#controls":
            one.page.locator(opener).click()
        else:
            one.page.keyboard.press("Escape")
        assert not one.shown(opened)
