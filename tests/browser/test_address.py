"""The address: a link is a view, a drag is one entry, back and forward move everything, garbage does no harm."""

LINK = (
    "/spectrum?data=atoms2&s2=12.5&ratio=0.3&size=120&depth=2&width=0.8&activation2=relu"
    "&seed=42&side=gram&bins=77&axes=log"
)


def everything(one):
    return one.values, {name: one.columns(name) for name in ("rug", "actual", "linear", "equivalent", "atom")}


def test_a_link_is_a_view(visit):
    first, second = visit(LINK), visit(LINK)
    assert everything(first) == everything(second)
    assert first.values["s2"] == 12.5
    assert first.page.locator("#value-s2").input_value() == "12.5"
    assert first.page.locator("#set-data").input_value() == "atoms2"
    assert first.page.locator("#set-activation2").input_value() == "relu"
    assert first.notices() == second.notices() == []
    first.press("ratio", "ArrowRight", 4)  # a view made by hand is a link as well
    first.click("#draw")
    second.page.goto(first.page.url)
    second.rest()
    assert everything(first) == everything(second)


def test_copy_link_copies_the_view(visit):
    one = visit("/spectrum?size=100", permissions=["clipboard-read", "clipboard-write"])
    one.press("bins", "ArrowRight")
    one.page.locator("#share").click()
    one.page.locator("#copy-link").click()
    one.until("document.querySelector('.notice')")
    assert one.evaluate("navigator.clipboard.readText()") == one.page.url == f"{one.origin}/spectrum?size=100&bins=55"
    assert "Link copied" in one.notices()[0]


def test_copy_link_without_leave_still_says_something(visit):
    one = visit("/spectrum?size=100")
    one.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')) }")
    one.page.locator("#share").click()
    one.page.locator("#copy-link").click()
    one.until("document.querySelector('.notice')")
    assert len(one.notices()) == 1
    assert one.page.locator("textarea.offscreen").count() == 0


def test_a_drag_is_one_entry_and_back_and_forward_move_everything(visit):
    one = visit("/spectrum?size=100")
    stay = one.evaluate("history.length")
    views = [(one.page.url, *everything(one))]

    def nothing_is_kept_yet():
        one.rest()
        assert one.values["ratio"] > 3
        assert one.page.url == views[0][0]

    one.drag("ratio", 0.385, 0.8, moves=40, before_release=nothing_is_kept_yet)
    assert one.evaluate("history.length") == stay + 1
    views.append((one.page.url, *everything(one)))
    one.drag("bins", 0.21, 0.6, moves=40)
    assert one.evaluate("history.length") == stay + 2
    views.append((one.page.url, *everything(one)))
    one.choose("data", "digits")
    assert one.evaluate("history.length") == stay + 3
    views.append((one.page.url, *everything(one)))
    assert len({view[0] for view in views}) == 4

    def at(view):
        one.until(f"location.href === {view[0]!r}")
        one.until(f"JSON.stringify(playground.state.values.ratio) === {str(view[1]['ratio']).removesuffix('.0')!r}")
        one.rest()
        assert everything(one) == view[1:]
        assert one.page.locator("#value-ratio").input_value() == f"{view[1]['ratio']:.4g}"
        assert one.page.locator("#value-bins").input_value() == str(view[1]["bins"])
        assert one.page.locator("#set-data").input_value() == view[1]["data"]

    for view in (views[2], views[1], views[0]):
        one.page.go_back()
        at(view)
    for view in views[1:]:
        one.page.go_forward()
        at(view)
    assert one.evaluate("history.length") == stay + 3
    positions = one.evaluate("[...document.querySelectorAll('#set-ratio, #set-bins')].map((slider) => slider.value)")
    one.page.go_back()
    at(views[2])
    one.page.go_back()
    at(views[1])
    now = one.evaluate("[...document.querySelectorAll('#set-ratio, #set-bins')].map((slider) => slider.value)")
    assert now[0] == positions[0]
    assert now[1] != positions[1]


def test_arrow_keys_held_down_are_few_entries(visit):
    one = visit("/spectrum?size=100")
    stay = one.evaluate("history.length")
    one.press("bins", "ArrowRight", 10)
    assert one.evaluate("history.length") <= stay + 3
    assert one.query() == {"size": "100", "bins": "100"}


BAD = {
    "ratio=99&size=-1e9": ["Aspect ratio must be 0.05 to 20; 99 became 20.", "Dimension must be 20 to 2000; -1e9 beca"],
    "ratio=nan&seed=inf&actual=maybe": [
        "Aspect ratio: “nan” is not a number",
        "Seed must be 0 to",
        "Experiment: “maybe”",
    ],
    "data=%3C/script%3E%3Cscript%3Ewindow.harm=1%3C/script%3E": ["Data: “</script><script>wi…” is not offered"],
    "ratio=%22%3E%3Cimg%20src=x%20onerror=window.harm=1%3E&size=%zz%ff%00": ["Aspect ratio", "Dimension"],
    "size=60&" + "x" * 4100: ["This link is too long"],
    "nothing=1&__proto__=2&constructor=3&theme=nothing&%ff%fe=%00&=&&;": [],
}


def test_bad_links_are_mended_said_and_harmless(visit):
    one = visit(go=False)
    for query, said in BAD.items():
        one.go(f"/spectrum?{query}")
        notices = one.notices()
        assert len(notices) == len(said), (query, notices)
        for notice, start in zip(notices, said, strict=True):
            assert notice.startswith(start)
        schema = one.evaluate("JSON.parse(document.getElementById('boot').textContent).schema")
        for setting in schema:
            value = one.values[setting["name"]]
            assert not isinstance(value, (int, float)) or setting["low"] <= value <= setting["high"] or value in (0, 1)
        assert one.evaluate("window.harm") is None
        assert one.shown(".notice") or not said
        one.press("bins", "ArrowRight")
        assert one.values["bins"] == 55
        assert "bins=55" in one.page.url
        assert "script" not in one.page.url
    assert one.dialogs == []


def test_back_to_a_bad_address_is_mended_too(visit):
    one = visit("/spectrum?ratio=99&size=100")
    one.press("bins", "ArrowRight")
    assert one.query() == {"ratio": "20", "size": "100", "bins": "55"}
    one.page.go_back()
    one.until("playground.state.values.bins === 50")
    one.rest()
    assert one.values["ratio"] == 20
    assert len([notice for notice in one.notices() if notice.startswith("Aspect ratio must be")]) >= 1


def test_two_visitors_do_not_see_each_other(visit):
    first, second = visit("/spectrum?size=100"), visit("/spectrum?size=100")
    before = everything(second)
    first.press("ratio", "End")
    first.choose("data", "digits")
    first.click("#draw")
    second.rest()
    assert everything(second) == before
    second.press("bins", "ArrowRight")
    assert second.values == before[0] | {"bins": 55}
    assert first.values["data"] == "digits"
    assert first.values["bins"] == 50
