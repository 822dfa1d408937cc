"""A stand-in for OpenML on this machine: one small data set, sent as slowly as a test wants."""

import gzip
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

IMAGES, PIXELS = 480, 784
PARTS = 20


def arff():
    """MNIST's form: 784 numbers and a class a row; noise, of which each class has its own part."""
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 10
    pixels = rng.integers(0, 128, (IMAGES, PIXELS)) + 100 * (np.arange(PIXELS) % 10 == labels[:, None])
    head = ["@RELATION mnist_784", *(f"@ATTRIBUTE pixel{k + 1} REAL" for k in range(PIXELS))]
    head += ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
    rows = [",".join(map(str, [*row, label])) for row, label in zip(pixels, labels, strict=True)]
    return "\n".join([*head, *rows]).encode() + b"\n"


class OpenML(ThreadingHTTPServer):
    """`state`: "well", "slow" (a part at a time, when `let` is released), "silent" (after half), "cut" (after half)."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state, self.let, self.asked = "well", threading.Semaphore(0), []
        self.content = arff()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if "/data/list/" in self.path:
            self._json({"data": {"dataset": [{"did": "554", "name": "mnist_784", "version": "1", "status": "active"}]}})
        elif self.path.endswith("/data/features/554"):
            names = [*((f"pixel{k + 1}", "numeric") for k in range(PIXELS)), ("class", "nominal")]
            about = [
                {
                    "index": str(k), "name": name, "data_type": kind, "is_target": str(kind == "nominal").lower(),
                    "is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0",
                }
                for k, (name, kind) in enumerate(names)
            ]  # fmt: skip
            self._json({"data_features": {"feature": about}})
        elif self.path.endswith("/data/qualities/554"):
            self._json({"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": str(IMAGES)}]}})
        elif self.path.endswith("/data/554"):
            digest = hashlib.md5(self.server.content).hexdigest()
            self._json(
                {
                    "data_set_description": {
                        "id": "554", "name": "mnist_784", "version": "1", "format": "ARFF", "description": "noise",
                        "status": "active", "file_id": "52667", "default_target_attribute": "class",
"md5_checksum": digest,
                        "url": "https://www.openml.org/data/v1/download/52667/mnist_784.arff",
                    }
                }
            )  # fmt: skip
        else:
            self._content()

    def _json(self, told):
        self._send(json.dumps(told).encode())

    def _send(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _content(self):
        body = gzip.compress(self.server.content)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        step = -(-len(body) // PARTS)
        for part in range(PARTS):
            if part == PARTS // 2 and self.server.state == "cut":
                return
            if part == PARTS // 2 and self.server.state == "silent":
                self.server.let.acquire()
                return
            if self.server.state == "slow":
                self.server.let.acquire()
            try:
                self.wfile.write(body[part * step : (part + 1) * step])
                self.wfile.flush()
            except OSError:
                return  # the client has gone

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    """OpenML, until the end of the block."""
    with OpenML() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            for _ in range(10 * PARTS):
                server.let.release()
            server.shutdown()
            thread.join()


def measure_from(url, folder, patience, *args):
    """What the lab asks of a worker, with OpenML and scikit-learn's folder elsewhere."""
    import os
    from functools import partial

    from app.parts import real_data
    from rmtcore import datasets, downloads

    os.environ["SCIKIT_LEARN_DATA"] = folder
    real_data._refused.clear()
    for kept in (real_data._images, real_data._labelled, real_data._data):
        kept.cache_clear()  # by an earlier test in the same worker
    downloads._Watch.site = url
    datasets.watched = partial(downloads.watched, patience=patience)
    return real_data.measure(*args)
