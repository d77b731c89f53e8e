# Makes .venv, mends it, or sees in a moment that it is ready. Sourced by scripts/demo and scripts/test.
# PYTHON chooses the interpreter; without it, a .venv that works is kept, or the newest Python that fits is taken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CANDIDATES=(python3.13 python3.12 python3.11 python3 python)
if [ -n "${PYTHON:-}" ]; then CANDIDATES=("$PYTHON"); fi
IDENTIFY='
import ensurepip, sys, venv
print(sys.version.split()[0], sys.base_prefix)
sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

# Sets python and identity. Each candidate is run, because a version manager's stand-in may exist and yet fail.
find_python() {
    for python in "${CANDIDATES[@]}"; do
        if identity=$("$python" -c "$IDENTIFY" 2>/dev/null); then return; fi
    done
    echo "This needs Python 3.11, 3.12 or 3.13 with venv. Tried without success: ${CANDIDATES[*]}." >&2
    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv) or name it: PYTHON=/path/to/python3.12 $0" >&2
    exit 3
}

# set_up LOCK: fills .venv with exactly the packages of a lock file, and with this checkout in place.
set_up() {
    local lock=$1 stamp=.venv/ready-$1 python='' identity present wanted
    present=$(.venv/bin/python -c "$IDENTIFY" 2>/dev/null) || present=''
    identity=$present
    if [ -n "${PYTHON:-}" ] || [ -z "$present" ]; then find_python; fi
    wanted="$identity $(cat "$lock" pyproject.toml forecast/version.py | cksum)"
    if [ "$(cat .venv/whole "$stamp" 2>/dev/null)" = "$PWD"$'\n'"$wanted" ]; then return; fi

    # Half a package from an interrupted pip passes for a whole one, and scripts keep the path of the folder they were
    # made in: in both cases only a new start is sure.
    if [ "$present" != "$identity" ] || [ "$(cat .venv/whole 2>/dev/null)" != "$PWD" ]; then
        if [ -z "$python" ]; then find_python; fi
        echo "Making .venv with Python ${identity%% *}"
        "$python" -m venv --clear .venv || exit 3
    fi
    rm -f .venv/whole
    echo "Installing the $(grep -c == "$lock") packages of $lock (the first time, some minutes and 3 GB of disk)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" &&
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . || {
        echo "The packages could not be installed: pip says why above. Run $0 again to try once more." >&2
        exit 3
    }
    echo "$wanted" >"$stamp"
    echo "$PWD" >.venv/whole
    echo "Ready"
}
