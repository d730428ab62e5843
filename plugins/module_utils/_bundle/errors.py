# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be wrong with a bundle or the directory it lives in."""

from __future__ import annotations

from .._oci.errors import AirgapError


class BundleError(AirgapError):
    """A bundle, or its directory, cannot be used as asked."""


class BundleDamaged(BundleError):
    """An archive whose structure or content is not what it must be. `archive` is its file name without chunk suffix."""

    def __init__(self, archive: str, problem: str) -> None:
        super().__init__(f"{archive}: {problem}", archive=archive)
        self.archive = archive
        self.problem = problem


class BundleUnfinished(BundleError):
    """The directory holds a pull that was interrupted."""


class BundleBusy(BundleError):
    """Another run works on this directory. `holder` says which, where that is known."""

    def __init__(self, message: str, holder: str = "") -> None:
        super().__init__(message)
        self.holder = holder


class NoSpace(BundleError):
    """The file system has less free space than the bundle needs."""
