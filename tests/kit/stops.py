# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ...plugins.module_utils._oci.errors import Stopped
from ...plugins.module_utils._registry.stopping import Stopping


@contextmanager
def stopped(*, within: float, after: float = 0.3, match: str | None = None) -> Iterator[Stopping]:
    """What is done inside is told to stop `after` seconds, and has to raise Stopped `within` seconds of its begin."""
    stopping = Stopping()
    threading.Timer(after, stopping.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped, match=match):
        yield stopping
    assert time.monotonic() - started < within
