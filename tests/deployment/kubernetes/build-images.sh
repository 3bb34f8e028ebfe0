#!/bin/bash
# Builds both images for real and tries them, without Docker, a registry or privileges beyond root's:
#   tests/deployment/kubernetes/build-images.sh [DIR]     DIR keeps the images; default: a temporary folder that is removed
# Needs Debian's buildah, mmdebstrap and bubblewrap, the network, about 8 GB of disk and some minutes. What the images hold
# stands in build/sbom afterwards. STORAGE_DRIVER=overlay, where the file system can do it, saves half of disk and time.
set -euo pipefail
cd "$(dirname "$0")/../../.."

dir=${1:-}
if [ -z "$dir" ]; then
    dir=$(mktemp -d --tmpdir farm-images.XXXXXX)
    trap 'b umount --all >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
fi
mkdir -p "$dir"
driver=${STORAGE_DRIVER:-vfs}
b() { buildah --storage-driver "$driver" --root "$dir/store" --runroot "$dir/run" "$@"; }

# Stands in for python:3.13-slim-trixie. The base trusts the certificates that this machine trusts.
if ! b inspect --type image facefarm-base >/dev/null 2>&1; then
    mmdebstrap --quiet --variant=minbase --include=python3.13,python3.13-venv,python3-pip,ca-certificates \
        --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' trixie "$dir/base.tar"
    container=$(b from scratch)
    b add --quiet "$container" "$dir/base.tar" /
    b commit --quiet "$container" facefarm-base
    b rm "$container" >/dev/null
    rm "$dir/base.tar"
fi
for target in control worker; do
    b bud --quiet --isolation chroot --layers="$([ "$driver" = vfs ] && echo false || echo true)" --build-arg BASE_IMAGE=localhost/facefarm-base --target "$target" \
        -t "facefarm-$target" .
    # What a runtime would read out of the image.
    test "$(b inspect --type image --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}}' "facefarm-$target")" = '10001:10001 [farm]'
    b inspect --type image --format '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' "facefarm-$target" > "$dir/$target.env"
    container=$(b from "facefarm-$target")
    ln -sfn "$(b mount "$container")" "$dir/$target.root"
    echo "facefarm-$target: $(du -sm --apparent-size "$dir/$target.root/" | cut -f1) MB unpacked, of which Python packages" \
        "$(du -sm --apparent-size "$dir/$target.root/opt/farm" | cut -f1)"
done
tests/deployment/kubernetes/try-images.sh "$dir"
tests/deployment/kubernetes/list-contents.sh "$dir" build/sbom
b rm --all >/dev/null
echo "both images were built and run"
