# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several tests of this layer need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    """An empty registry to push to."""
    with FaultyRegistry() as running:
        yield running
