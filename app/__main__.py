"""python -m app: options, then serve."""

from __future__ import annotations

import argparse
import logging
import os
import re
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from app.cluster import Tls, add_options
from app.machine import cpus


def parser() -> argparse.ArgumentParser:
    """The options; each has an environment variable of the same name for containers."""
    found = argparse.ArgumentParser(
        prog="rmt-playground",
        description="Random matrix theory of deep learning, live: theory drawn over real experiments.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )

    def option(name: str, kind: type, default: object, text: str) -> None:
        variable = "RMT_" + name.upper().replace("-", "_")
        # A default that is a string goes through `kind` as well: a bad variable is named like a bad option.
        found.add_argument(f"--{name}", type=kind, default=os.environ.get(variable, default), help=text)

    option("port", int, 5006, "port to listen at; 0 takes a free one")
    option("address", str, "localhost", "address to listen at; 0.0.0.0 for every interface")
    option("origins", str, "", "host:port under which browsers may connect, comma-separated; * for any")
    option("workers", int, cpus(), "worker processes for experiments; as many as there are processors")
    option("max-entries", int, 4_000_000, "entries of the largest matrix that an experiment may form")
    option("cache-mib", int, 64, "memory for finished experiments, in MiB")
    option("cache-dir", str, "", "folder for finished experiments, kept over restarts and shared between servers")
    option("task-seconds", float, 60.0, "time after which an experiment is ended")
    option("worker-mib", int, 1024, "memory beyond which a worker is replaced, in MiB")
    option("file-mib", int, 32, "size of the largest file that a visitor may open, in MiB")
    option("prefix", str, "", "path under which a proxy serves this, such as /rmt")
    option(
        "secret", str, "", "key that signs sessions; the same on every server behind one address; default: a random one"
    )
    option("sessions", int, 400, "pages that may be open at the same time")
    option("unused-seconds", int, 300, "how long a page that lost its connection is kept; 60 does for a public demo")
    option("frames", str, "'self'", "who may show this in a frame, space-separated: 'self', 'none', https://host")
    option("metrics", str, "local", "who may read /metrics: local, or public")
    option("log", str, "human", "kind of log: human, or json (one object a line)")
    option("log-level", str, "WARNING", "DEBUG, INFO, WARNING or ERROR")
    found.add_argument("--warm", action="store_true", help="only compile and compose everything, for later starts")
    add_options(found)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; the exit code."""
    options = parser()
    chosen = options.parse_args(arguments)
    if not 0 <= chosen.port <= 65535:
        options.error(f"--port must be 0 to 65535, not {chosen.port}")
    if chosen.log_level.upper() not in logging.getLevelNamesMapping():
        options.error(f"--log-level must be DEBUG, INFO, WARNING or ERROR, not {chosen.log_level}")
    for name, known in (("log", ("human", "json")), ("metrics", ("local", "public"))):
        if getattr(chosen, name) not in known:
            options.error(f"--{name} must be {' or '.join(known)}, not {getattr(chosen, name)}")
    frames = tuple(chosen.frames.split())
    if not frames or not all(re.fullmatch(r"'self'|'none'|https?://[A-Za-z0-9.:*-]+", one) for one in frames):
        options.error(f"--frames must be 'self', 'none' or addresses such as https://host, not {chosen.frames}")
    positive = "workers", "max_entries", "cache_mib", "file_mib", "sessions", "unused_seconds"
    for name in (*positive, "task_seconds", "worker_mib"):
        if not getattr(chosen, name) >= 1:  # NaN is not
            options.error(f"--{name.replace('_', '-')} must be at least 1, not {getattr(chosen, name)}")
    # One thread for linear algebra, here as in the workers: more only get in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Else scikit-learn's joblib leaves semaphores behind for processes that we never start by it.
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
    _unpack_baked()
    # Imported late: worker processes import this module again, and need none of it.
    from app import logs
    from app.labs import LABS

    logs.start(chosen.log_level.upper(), chosen.log)
    if chosen.warm:
        from app.warm import fill_caches

        fill_caches()
        return 0
    from app.server import Options, serve

    for lab in LABS.values():
        lab.most_entries = chosen.max_entries
    origins = tuple(origin.strip() for origin in chosen.origins.split(",") if origin.strip())
    prefix = "/" + chosen.prefix.strip("/") if chosen.prefix.strip("/") else ""
    secret = chosen.secret or secrets.token_urlsafe(32)
    limits = chosen.workers, chosen.cache_mib, chosen.file_mib
    more = {
        "sessions": chosen.sessions,
        "unused_seconds": chosen.unused_seconds,
        "frames": frames,
        "metrics_public": chosen.metrics == "public",
        "task_seconds": chosen.task_seconds,
        "worker_mib": chosen.worker_mib,
        "cache_dir": chosen.cache_dir,
        "scheduler": chosen.scheduler,
        "tls": Tls(chosen.tls_ca, chosen.tls_cert, chosen.tls_key),
        "lasting_secret": chosen.secret,
    }
    return serve(Options(chosen.port, chosen.address, origins, *limits, prefix, secret, **more))


def _unpack_baked() -> None:
    """Copy what an image has compiled (RMT_BAKED) to where it can be written (NUMBA_CACHE_DIR)."""
    baked, place = os.environ.get("RMT_BAKED"), os.environ.get("NUMBA_CACHE_DIR")
    if not (baked and place):
        return
    for file in Path(baked).rglob("*"):
        copy = Path(place) / file.relative_to(baked)
        if file.is_file():  # without its permissions: Numba uses no folder that it cannot write to
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


if __name__ == "__main__":
    sys.exit(main())
