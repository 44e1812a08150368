#!/usr/bin/env bash
# Checks the licences and sources of all dependencies against deny.toml: with cargo-deny where it is installed, else
# with licences.py. `licences.sh --self-test` shows that the check refuses what it must.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1:-}" = --self-test ]; then exec python3 scripts/licences.py --self-test; fi
python3 scripts/licences.py --self-test >/dev/null
if command -v cargo-deny >/dev/null; then
    exec cargo deny --locked check licenses sources bans
fi
exec python3 scripts/licences.py
