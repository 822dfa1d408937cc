"""View pieces that every lab uses."""
