#!/bin/bash
# What is in the images that `build-images.sh` built, as CycloneDX: Python's packages by the lock, with their hashes, and
# Debian's by the tree's own records.
#   tests/deployment/kubernetes/list-contents.sh DIR OUT      DIR as for `try-images.sh`
set -euo pipefail
cd "$(dirname "$0")/../../.."

dir=$1 out=$2
mkdir -p "$out"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: -r requirements/sbom.txt 2>/dev/null
for image in control:control worker:runtime; do
    name=${image%:*} lock=requirements/${image#*:}.txt
    "$tools/bin/cyclonedx-py" requirements --output-reproducible --mc-type application --pyproject pyproject.toml \
        --output-file "$out/$name.python.cdx.json" "$lock" 2>"$tools/said" || { cat "$tools/said" >&2; exit 1; }
    "$tools/bin/debsbom" generate --root "$dir/$name.root" --sbom-type cdx --out "$out/$name.debian" \
        2>"$tools/said" || { cat "$tools/said" >&2; exit 1; }
done
ls -l "$out"
