"""The home page's nine pictures: they are what the labs behind them show, and they move."""

import re
from urllib.parse import urlsplit

import numpy as np
import pytest
from visitor import Visitor

from app.front import front
from app.labs import LABS
from app.labs.home import HomeLab, gap
from app.labs.home_theory import CELLS, COLUMNS, FAMILIES, address, pictures

VALUES = {"noise": 0.3, "ridge": 1e-4}


def at(visitor, name):
    (found,) = [one for one in visitor.told[-1]["sketches"] if one["name"] == name]
    return found


def heights(path):
    return np.array([float(y) for y in re.findall(r"[ML][\d.-]+ ([\d.-]+)", path)])


@pytest.fixture
def home():
    return Visitor("", lab=HomeLab())


@pytest.mark.parametrize(("lab", "family"), CELLS)
def test_a_picture_is_the_curve_of_the_lab_that_it_opens(lab, family):
    shown = pictures(VALUES)[f"{lab}/{family}"]
    values, notices = LABS[lab].schema.from_query(address(lab, family, **VALUES))
    assert notices == []
    assert (values["family"], values["noise"], values["ridge"]) == (family, 0.3, 1e-4)
    theory = LABS[lab].equivalent(LABS[lab].schema.resolved(values))
    if lab == "double-descent":
        x, curve = theory.x, theory.curve
    elif lab == "scaling":
        x, curve = theory.solved.x, theory.solved.curve
    else:
        x, curve = theory.solved.times, theory.solved.curve
    for part in ("test", "train"):
        expected = np.interp(np.log(shown.x), np.log(x), getattr(curve, part))
        np.testing.assert_allclose(getattr(shown, part), expected, rtol=1e-5, atol=1e-7)


def test_the_link_of_every_picture_opens_its_lab(home):
    assert len(home.told[-1]["sketches"]) == len(CELLS) == 9
    for one in home.told[-1]["sketches"]:
        lab, query = urlsplit(one["link"]).path, urlsplit(one["link"]).query
        assert LABS[lab].schema.from_query(query)[1] == []
        assert one["name"].startswith(lab)


def test_one_slider_moves_all_nine(home):
    before = {one["name"]: one["paths"]["test"] for one in home.told[-1]["sketches"]}
    after = {one["name"]: one["paths"]["test"] for one in home.set(ridge=1.0)["sketches"]}
    assert all(before[name] != after[name] for name in before)
    noisy = {one["name"]: one["paths"]["test"] for one in home.set(noise=0.9)["sketches"]}
    assert all(noisy[name] != after[name] for name in before)


def test_ridge_takes_the_peak_away_in_picture_and_words(home):
    home.set(ridge=1e-6)
    assert "peak of" in at(home, "double-descent-shallow")["words"]
    high = heights(at(home, "double-descent-shallow")["paths"]["test"]).min()
    said = home.set(ridge=3.0)
    assert "without a peak" in at(home, "double-descent-shallow")["words"]
    assert heights(at(home, "double-descent-shallow")["paths"]["test"]).min() > high + 20
    assert said["readouts"][0]["value"] == "none"


def test_dots_come_from_the_workers_and_lie_on_the_lines(home):
    assert "test-dots" not in at(home, "dynamics-linear")["paths"]
    while home.session.state()["busy"]:
        home.answer()
    observed = home.session._observed
    for name, one in home.session._theory.items():
        assert observed[name].test.shape == (4, one.places.size)
        assert gap(one, observed[name]) < 0.25, name
    assert at(home, "dynamics-linear")["paths"]["test-dots"].count("M") == 8
    assert re.search(r"dots \d+% off", at(home, "scaling-deep")["words"])
    assert home.told[-1]["readouts"][2]["good"] is True


def test_dots_wait_for_the_new_networks_and_legend_flags_hide(home):
    home.answer()
    assert "test-dots" in at(home, "dynamics-linear")["paths"]
    home.set(equivalent=False)
    assert set(at(home, "dynamics-linear")["paths"]) == {"test-dots", "train-dots"}
    home.set(equivalent=True, actual=False)
    assert set(at(home, "dynamics-linear")["paths"]) == {"test", "train"}
    home.set(actual=True, noise=0.5)
    assert "test-dots" not in at(home, "dynamics-linear")["paths"]


def test_the_table_has_every_curve_and_dot(home):
    home.answer()
    tables = home.say(type="table", open=True)["tables"]
    assert len(tables) == 9
    assert all({"test", "train", "test, trained"} <= set(table["columns"]) for table in tables)


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("ridge", [1e-6, 10.0])
def test_at_the_ends_of_the_sliders_everything_is_finite(noise, ridge):
    for one in pictures({"noise": noise, "ridge": ridge}).values():
        for part in (one.test, one.train, one.expected, one.places):
            assert np.isfinite(part).all()


def test_the_front_page_links_every_lab():
    parts = front(LABS["home"], "/rmt")
    links = set(re.findall(r'href="/rmt/([a-z-]+)', "".join(parts.values())))
    assert links == set(LABS) - {"home"}
    assert parts["map"].count("<svg") == len(FAMILIES) * len(COLUMNS)
    assert front(LABS["spectrum"], "") == {}
