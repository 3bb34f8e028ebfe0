#!/bin/bash
# Builds both images for real and tries them, without Docker, a registry or privileges beyond root's:
#   tests/deployment/kubernetes/build-images.sh [DIR]     DIR keeps the images; default: a temporary folder that is removed
# Needs Debian's buildah and mmdebstrap, the network, about 8 GB of disk and some minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=${1:-}
if [ -z "$dir" ]; then
    dir=$(mktemp -d)
    trap 'buildah --storage-driver vfs --root "$dir/store" --runroot "$dir/run" rm --all >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
fi
mkdir -p "$dir"
b() { buildah --storage-driver vfs --root "$dir/store" --runroot "$dir/run" "$@"; }

# Stands in for python:3.13-slim-trixie. The base trusts the certificates that this machine trusts.
if ! b inspect --type image facefarm-base >/dev/null 2>&1; then
    mmdebstrap --quiet --variant=minbase --include=python3.13,python3.13-venv,python3-pip,ca-certificates \
        --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' trixie "$dir/base.tar"
    container=$(b from scratch)
    b add --quiet "$container" "$dir/base.tar" /
    b commit --quiet "$container" facefarm-base
    b rm "$container" >/dev/null
fi
for target in control worker; do
    b bud --quiet --isolation chroot --build-arg BASE_IMAGE=localhost/facefarm-base --target "$target" \
        -t "facefarm-$target" .
done

# A command as the image's user in a container of the image. LC_ALL: the chroot has no locales.
control=$(b from facefarm-control)
worker=$(b from facefarm-worker)
try() { b run --isolation chroot --env LC_ALL=C.UTF-8 "$@"; }
for container in "$control" "$worker"; do
    test "$(try "$container" -- id -u)" = 10001
    try "$container" -- farm --help >/dev/null
done
if try "$control" -- python -c 'import bpy' 2>/dev/null; then
    echo "the control image carries Blender" >&2
    exit 1
fi
# The API finds its pages and scripts, and refuses to let everybody in.
try "$control" -- sh -c "FARM_API_HOST=0.0.0.0 FARM_API_KEYS=a:read:$(printf '%064d' 0) python -c 'import api.app; api.app.make()'"
if try "$control" -- timeout 60 farm api --host 0.0.0.0; then
    echo "the API starts without keys on every interface" >&2
    exit 1
fi
# Mesa draws, so the libraries are complete; that the GPU draws is for a node with one to show.
renderer=$(try "$worker" -- python -c 'import bpy, gpu; gpu.init(); print("renderer", gpu.platform.renderer_get())')
grep '^renderer .*llvmpipe' <<<"$renderer"
b rm "$control" "$worker" >/dev/null
echo "both images were built and run"
