"""The dashboard: a Panel server around `rmtcore`."""
