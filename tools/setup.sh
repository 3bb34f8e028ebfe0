#!/usr/bin/env bash
# Makes .venv ready: finds or installs uv, finds Python 3.13, checks the system libraries that Blender needs, installs the
# hash-locked requirements. `make setup` calls it; it may be called again at any time.
# usage: tools/setup.sh [runtime|test]   ("test" adds the servers and tools that only the tests need)
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-runtime}
# Trust what the machine trusts: behind a company's proxy uv's own list of authorities does not do.
export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1

say() { printf 'setup: %s\n' "$*" >&2; }

apt_install() { # packages...: install what is missing; as another user than root, print the command
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "these packages are missing; install them and call make again:"
        say "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
        return 1
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true # one dead source among many must not end it; the install below decides
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

find_uv() { # prints the path of uv, installing it under .cache when there is none
    local found
    for found in "$(command -v uv || true)" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv" .cache/uv/bin/uv; do
        [ -n "$found" ] && [ -x "$found" ] && "$found" --version >/dev/null 2>&1 && { echo "$found"; return; }
    done
    say "uv is not here; installing it under .cache/uv"
    command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1 || apt_install python3 python3-pip
    python3 -m pip install --quiet --disable-pip-version-check --require-hashes --target .cache/uv -r requirements/uv.txt >&2
    echo .cache/uv/bin/uv
}

is_right_python() { "$1" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; }

find_python() { # prints the path of a Python 3.13
    local found
    for found in "${PYTHON:-}" "$(command -v python3.13 || true)" "$HOME"/.pyenv/versions/3.13*/bin/python3.13 \
        /opt/python*/bin/python3.13 /usr/local/bin/python3.13 "$("$uv" python find 3.13 2>/dev/null || true)"; do
        [ -n "$found" ] && [ -x "$found" ] && is_right_python "$found" && { echo "$found"; return; }
    done
    if [ "$(id -u)" -eq 0 ] && apt-cache show python3.13-venv >/dev/null 2>&1; then
        apt_install python3.13 python3.13-venv && command -v python3.13 && return
    fi
    say "Python 3.13 is not here; asking uv for one"
    "$uv" python install --quiet 3.13 && "$uv" python find 3.13
}

if command -v dpkg-query >/dev/null; then
    # libgl1-mesa-glx and friends have other names on other systems; there `farm doctor` tells what is missing.
    mapfile -t libraries < farm/cli/system-libraries.txt
    apt_install "${libraries[@]}"
    if [ "$what" = test ]; then
        # Real servers for the tests: Ceph's S3 gateway, Redis, Prometheus' rule checker, a browser.
        apt_install radosgw ceph-mon ceph-osd redis-server prometheus chromium faketime tcc rsync ||
            say "going on without; the tests that need them will say that they are skipped"
    fi
fi

uv=$(find_uv)
locked=$(cat requirements/dev.txt pyproject.toml | sha256sum)
if [ "$(cat .venv/.locked 2>/dev/null)" != "$locked" ]; then
    python=$(find_python)
    say "Python: $python"
    [ -x .venv/bin/python ] && is_right_python .venv/bin/python || "$uv" venv --quiet --clear --python "$python" .venv
    say "installing the locked requirements (Blender is 350 MB; this takes a while the first time)"
    "$uv" pip sync --quiet --python .venv/bin/python --require-hashes requirements/dev.txt
    # Built with the hatchling of the lock file: nothing is installed that the lock does not name.
    "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
    # uv leaves the packages as source, and where PYTHONDONTWRITEBYTECODE is set, each process would compile them anew: two
    # thirds of a small `farm render`. Some packages carry files that are no Python of this version, and many their own tests.
    .venv/bin/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
    printf '%s\n' "$locked" > .venv/.locked
fi
.venv/bin/python -m compileall -q api blender_worker farm
