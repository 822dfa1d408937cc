FROM python:3.11-slim

# libgomp1: without it Numba falls back to a threading layer that is not safe in a server.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1
COPY . /src
# The second step compiles every kernel and composes every figure: a start then takes seconds, not a minute.
RUN sh /src/.ci/install /opt/rmt && sh /src/.ci/bake /opt/rmt /opt/baked && rm -rf /src
RUN useradd --system --no-create-home rmt

USER rmt
WORKDIR /
# What is baked goes where even a read-only container can write (run with --tmpfs /tmp).
ENV NUMBA_CACHE_DIR=/tmp/numba RMT_BAKED=/opt/baked OPENBLAS_NUM_THREADS=1 NUMBA_THREADING_LAYER=omp \
    PYTHONUNBUFFERED=1 RMT_ADDRESS=0.0.0.0 RMT_PORT=5006
EXPOSE 5006
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["/opt/rmt/bin/python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://localhost:{os.environ['RMT_PORT']}{os.environ.get('RMT_PREFIX', '')}/readyz\", timeout=4)"]
# Browsers connect under the public name: set RMT_ORIGINS=host:port for it.
CMD ["/opt/rmt/bin/rmt-playground"]
