"""Figures about the server for Prometheus: counted as things happen, or asked when somebody looks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

KINDS = ("hello", "set", "query", "preset", "pick", "draw", "reset", "stop", "snapshot", "table", "file")
_FINE = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
LAG_EVERY = 0.25  # seconds


class Metrics:
    """The figures of one server."""

    def __init__(self, sessions: Callable[[], int], workers: Callable[[], Any]) -> None:
        self.registry = CollectorRegistry()
        made = self.registry
        self.opens = Counter("rmt_opens", "Pages opened.", ["lab"], registry=made)
        self.opening = Histogram("rmt_open_seconds", "Building a page.", ["lab"], registry=made, buckets=_FINE)
        self.refusals = Counter("rmt_refusals", "What was refused, by the reason.", ["reason"], registry=made)
        self.messages = Histogram(
            "rmt_message_seconds", "Handling a message of a page.", ["lab", "kind"], registry=made, buckets=_FINE
        )
        self.lag = Histogram("rmt_loop_lag_seconds", "How late the event loop is.", registry=made, buckets=_FINE)
        self.ready = Gauge("rmt_ready", "1 once the server is warm.", registry=made)
        Gauge("rmt_sessions", "Sessions that live.", registry=made).set_function(sessions)
        self.registry.register(_WorkersCollector(workers))
        self._due = 0.0

    def feel(self) -> None:
        """Called by the loop every LAG_EVERY seconds: notes how much later than that it is."""
        now = time.monotonic()
        if self._due:
            self.lag.observe(max(0.0, now - self._due))
        self._due = now + LAG_EVERY

    def text(self) -> bytes:
        """In the format of Prometheus."""
        return generate_latest(self.registry)


class _WorkersCollector(Collector):
    """Every number in the workers' status under its own name."""

    def __init__(self, status: Callable[[], Any]) -> None:
        self._status = status

    def collect(self) -> Iterable[GaugeMetricFamily]:
        status = self._status()
        if dataclasses.is_dataclass(status):
            for field in dataclasses.fields(status):
                value = getattr(status, field.name)
                if isinstance(value, (int, float)):
                    yield GaugeMetricFamily(f"rmt_workers_{field.name}", f"Workers: {field.name}.", value)
