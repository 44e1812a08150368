#!/usr/bin/env bash
# Makes the Python virtual environment of the KMS emulator: emulator-venv.sh REQUIREMENTS PYTHON
#
# PYTHON is the interpreter inside the environment to make. It is made once, and made again when the requirements or
# the system's Python change.
set -eu
requirements=$1
python=$2
venv=$(dirname "$(dirname "$python")")

if [ ! -f "$requirements" ]; then
    echo "no $requirements: nothing to install" >&2
    exit 1
fi

wanted=$(python3 -c 'import sys; print(sys.version)'; cat "$requirements")
if [ -x "$python" ] && [ "$(cat "$venv/made-from" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ]; then
    echo "$venv is there and is no virtual environment; move it away or set COFFER_EMULATOR_PYTHON" >&2
    exit 1
fi
echo "making the emulator's Python environment in $venv"
rm -rf "$venv"
python3 -m venv "$venv"
"$python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
printf '%s\n' "$wanted" >"$venv/made-from"
