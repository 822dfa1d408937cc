"""Chromium, started once; every visit has a context of its own and leaves a picture behind when its test fails."""

import os
import re
from pathlib import Path

import pytest
from visiting import CHROMIUM, FLAGS, Visit

RESULTS = Path(__file__).parent.parent.parent / "test-results"
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def browser():
    """Chromium. Without it these tests are skipped, but not in CI."""
    refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    if not Path(CHROMIUM).exists():
        refuse(f"There is no {CHROMIUM}.")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        refuse(f"Playwright is not installed: {error}")
    with sync_playwright() as play:
        try:
            chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except Error as error:
            refuse(f"Playwright cannot start {CHROMIUM}: {error}")
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, server, request):
    """Open pages: visit(path) gives a Visit at rest; further arguments are those of a browser context."""
    contexts, visits = [], []

    def open_page(path="/spectrum", width=1440, height=900, go=True, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        visits.append(Visit(contexts[-1].new_page(), server.url))
        return visits[-1].go(path) if go else visits[-1]

    yield open_page
    try:
        if request.node.stash.get(FAILED, False):
            _keep(visits, request.node.name)
        else:
            try:
                for one in visits:
                    one.assert_clean()
            except AssertionError:
                _keep(visits, request.node.name)
                raise
    finally:
        for context in contexts:
            context.close()


def _keep(visits, name):
    """Pictures, and what the pages complained of, for whoever looks into the failure."""
    RESULTS.mkdir(exist_ok=True)
    for number, one in enumerate(visits):
        stem = RESULTS / f"{re.sub('[^a-zA-Z0-9]+', '-', name)}-{number}"
        one.page.screenshot(path=stem.with_suffix(".png"), full_page=True)
        words = [one.page.url, *one.complaints, *one.failed, *one.dialogs]
        stem.with_suffix(".txt").write_text("\n".join(words) + "\n")
