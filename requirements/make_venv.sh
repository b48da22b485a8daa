#!/bin/sh
# Makes .venv with a working pip, on a machine that may lack the venv module, or pip, or a recent enough `python3`.
set -eu
cd "$(dirname "$0")/.."

recent='import sys; sys.exit(sys.version_info < (3, 11))'

works() { .venv/bin/python -c "$recent" 2>/dev/null && .venv/bin/python -m pip --version >/dev/null 2>&1; }

# $PY, when given, is the only candidate. A name on the PATH may be a shim that cannot run, so each is tried.
find_python() {
    for name in ${PY:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$name" -c "$recent" 2>/dev/null; then echo "$name"; return; fi
    done
}

# Runs a command quietly and keeps what it said, for the one line at the end.
quietly() { said=$("$@" 2>&1); }

with_venv() { rm -rf .venv; quietly "$python" -m venv .venv && works; }

# A system's Python may refuse `pip install`, but not into a directory of our own.
with_virtualenv() {
    rm -rf .venv .tools
    quietly "$python" -m pip install -q --target .tools virtualenv==21.15.8 &&
        quietly env PYTHONPATH=.tools "$python" -m virtualenv -q .venv && rm -rf .tools && works
}

with_system_packages() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else return 1; fi
    echo "setup: installing python3-venv from the system's packages" >&2
    # $sudo is no word or two, hence unquoted.
    quietly $sudo apt-get update -qq && quietly $sudo apt-get install -y -qq python3-venv && with_venv
}

works && exit 0
python=$(find_python)
if [ -z "$python" ]; then
    echo "setup: needs Python 3.11 or later; none of ${PY:-python3, python3.11 to python3.14} is. Install one, or: make PY=/path/to/python" >&2
    exit 1
fi
if with_venv || with_virtualenv || with_system_packages; then exit 0; fi
rm -rf .venv .tools
echo "setup: $python can make no environment: it needs its venv module (Debian, Ubuntu: apt install python3-venv) or pip." \
    "Last it said: $(printf '%s\n' "$said" | tail -n 1)" >&2
exit 1
