"""Settings of every lab with which it has little to draw, and few rounds of it."""

SMALL = {
    "home": "",
    "spectrum": "size=60&draws=2",
    "double-descent": "size=24&draws=2",
    "dynamics": "size=24&draws=2",
    "scaling": "size=100&draws=2",
    "equivalents": "top=256&draws=2",
    "linearisation": "draws=2",
    "kernels": "size=80&draws=2",
    "deep": "size=60&dim=40&units=60&draws=2&samples=1",
    "real-data": "samples=40&draws=4",
    "matrix": "",
}
