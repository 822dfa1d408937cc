"""A visitor's own file: chosen, seen, refused in words, let go."""

import io

import numpy as np


def npy(matrix):
    file = io.BytesIO()
    np.save(file, matrix)
    return file.getvalue()


def send(one, name, content):
    one.page.locator("#file").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
    one.until(f"playground.state.file === {name!r}")
    return one.rest()


def test_a_matrix_of_ones_own(visit):
    one = visit("/matrix")
    example = one.readouts()
    white = np.random.default_rng(1).standard_normal((300, 150))
    send(one, "white.npy", npy(white))
    assert one.page.locator(".file-name").inner_text() == "white.npy"
    assert one.readouts()["Verdict"] == "bulk"
    assert "300 × 150" in one.readouts()["Matrix"]
    send(one, "pickled.npy", npy(np.array([{"a": 1}, None], dtype=object)))
    assert "Verdict" not in one.readouts() or one.readouts()["Verdict"] != "bulk"
    assert "object" in one.page.locator("#explain").inner_text()
    one.click("button:has-text('Remove')")
    one.until("playground.state.file === null")
    one.rest()
    assert one.readouts()["Verdict"] == example["Verdict"]
    one.assert_clean()


def test_a_data_set_of_ones_own(visit):
    one = visit("/real-data?samples=60&draws=4")
    rng = np.random.default_rng(2)
    label = rng.choice([0, 1], 150)
    points = rng.standard_normal((150, 8)) + label[:, None]
    send(one, "points.npy", npy(np.column_stack([points, label])))
    assert "“points.npy”" in one.page.locator("#explain").inner_text()
    assert one.readouts()["Test error here"] not in ("…", "no data")
    one.assert_clean()


def test_a_file_that_is_too_large_is_not_even_sent(visit):
    one = visit("/matrix")
    one.evaluate("""() => {
        const input = document.getElementById("file"), chosen = new DataTransfer()
        chosen.items.add(new File([new ArrayBuffer(33 * 2 ** 20)], "large.npy"))
        input.files = chosen.files
        input.dispatchEvent(new Event("change"))
    }""")
    assert one.notices() == ["“large.npy” has 33 MiB; at most 32 MiB can be opened."]
    assert not any("/upload/" in url for url in one.urls)
    one.assert_clean()
