# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything installs itself: programs and virtual environments go to a cache outside the checkout
# (DKP_AIRGAP_TEST_CACHE, by default ~/.cache/dkp-airgap-tests).

PYTHON ?= python3
RUN = @$(PYTHON) tests/run.py

.DEFAULT_GOAL := help
.PHONY: help setup test lint unit integration sanity package build demo bench kills clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

setup: ## install what the tests need into the cache (as root on Debian also packages)
	$(RUN) setup

test: ## run all the tests
	$(RUN) test

lint: ## style, types, licences, documentation
	$(RUN) lint

unit: ## pure code on Python 3.9 and 3.13, without Ansible
	$(RUN) unit

integration: ## modules through ansible-core 2.16, 2.18, 2.20 and 2.21
	$(RUN) integration

sanity: ## ansible-test sanity on the same four
	$(RUN) sanity

package: ## build the tarball, check its files, install it without network
	$(RUN) package

build: ## build the tarball into dist/
	$(RUN) build

demo: ## mirror a small release tree from one registry to another
	$(RUN) demo

bench: ## measure speed and memory against curl and skopeo
	$(RUN) bench

kills: ## kill whole journeys at random moments, KILLS=50 times; takes an hour
	$(RUN) kills

clean: ## remove what builds leave in the checkout; the cache stays
	rm -rf dist tests/output .ruff_cache .mypy_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
