"""Tests of the Debian packages; they need root and `script/bootstrap --release`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from built import packages  # noqa: E402, F401  (a fixture for all tests)
