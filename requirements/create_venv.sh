#!/bin/sh
# create_venv.sh DIRECTORY [PYTHON]: an environment with uv in it, of a Python that edml runs on.
set -eu
directory=$1
asked=${2:-}

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# A name on PATH may be a launcher of a version that is not there, so each candidate is run.
find_python() {
    for candidate in ${asked:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c "$fits" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "edml needs Python 3.11, 3.12 or 3.13: TensorFlow has no wheels for others." \
        "  where: ${asked:-python3, python3.13, python3.12 and python3.11 on PATH}" \
        "  to do: install one of them, or name it: make setup PYTHON=/path/to/python3.13"
}

if [ "$(uname -sm)" = "Darwin x86_64" ]; then
    fail "edml needs TensorFlow, which has no wheels for a Mac with an Intel processor." \
        "  to do: use Linux (x86_64, aarch64) or a Mac with an Apple processor"
fi

# An environment that is there keeps its Python: only its uv is brought up to the lock.
if ! "$directory/bin/python" -c "$fits" 2>/dev/null; then
    python=$(find_python)
    "$python" -m venv --clear "$directory" || fail \
        "$python cannot make a virtual environment." \
        "  to do: install its venv module (Debian, Ubuntu: apt install python3-venv)"
fi
"$directory/bin/python" -m ensurepip >/dev/null
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement requirements/setup.txt
