"""python -m app: options, then serve."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """The options; each has an environment variable of the same name for containers."""
    found = argparse.ArgumentParser(
        prog="rmt-playground",
        description="Random matrix theory of deep learning, live: theory drawn over real experiments.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def option(name: str, kind: type, default: object, text: str) -> None:
        variable = "RMT_" + name.upper().replace("-", "_")
        # A default that is a string goes through `kind` as well: a bad variable is named like a bad option.
        found.add_argument(f"--{name}", type=kind, default=os.environ.get(variable, default), help=text)

    option("port", int, 5006, "port to listen at; 0 takes a free one")
    option("address", str, "localhost", "address to listen at; 0.0.0.0 for every interface")
    option("origins", str, "", "host:port under which browsers may connect, comma-separated; * for any")
    option("workers", int, max(1, cores), "worker processes for experiments")
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
    option("log-level", str, "WARNING", "DEBUG, INFO, WARNING or ERROR")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; the exit code."""
    options = parser()
    chosen = options.parse_args(arguments)
    if not 0 <= chosen.port <= 65535:
        options.error(f"--port must be 0 to 65535, not {chosen.port}")
    if chosen.log_level.upper() not in logging.getLevelNamesMapping():
        options.error(f"--log-level must be DEBUG, INFO, WARNING or ERROR, not {chosen.log_level}")
    for name in ("workers", "max_entries", "cache_mib", "file_mib", "task_seconds", "worker_mib"):
        if not getattr(chosen, name) >= 1:  # NaN is not
            options.error(f"--{name.replace('_', '-')} must be at least 1, not {getattr(chosen, name)}")
    logging.basicConfig(level=chosen.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One thread for linear algebra, here as in the workers: more only get in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imported late: worker processes import this module again, and need none of it.
    from app.labs import LABS
    from app.server import Options, serve

    for lab in LABS.values():
        lab.most_entries = chosen.max_entries
    origins = tuple(origin.strip() for origin in chosen.origins.split(",") if origin.strip())
    prefix = "/" + chosen.prefix.strip("/") if chosen.prefix.strip("/") else ""
    secret = chosen.secret or secrets.token_urlsafe(32)
    limits = chosen.workers, chosen.cache_mib, chosen.file_mib
    work = chosen.task_seconds, chosen.worker_mib, chosen.cache_dir, chosen.secret
    return serve(Options(chosen.port, chosen.address, origins, *limits, prefix, secret, *work))


if __name__ == "__main__":
    sys.exit(main())
