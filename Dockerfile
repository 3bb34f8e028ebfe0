# Two images from one file, with the roles as subcommands of `farm`:
#   docker build -t facefarm-worker .                      `worker`, and every other command; with Blender and OpenGL
#   docker build -t facefarm-control --target control .    `api` and `flower`, without Blender
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS base
# Caches and HOME lie under /tmp, the only place written to: the root file system may be read-only.
ENV HOME=/tmp \
    XDG_CACHE_HOME=/tmp/.cache \
    XDG_CONFIG_HOME=/tmp/.config \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 farm \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin farm
WORKDIR /opt/farm

# The packages of each image, every one held by its hash and none built from source. The venv needs no pip of its own.
FROM base AS control-packages
COPY requirements/control.txt /tmp/requirements.txt
RUN python3.13 -m venv --without-pip /opt/farm \
 && python3.13 -m pip --python /opt/farm/bin/python install --no-cache-dir --no-deps --require-hashes \
    --only-binary=:all: -r /tmp/requirements.txt

FROM base AS worker-packages
COPY requirements/runtime.txt /tmp/requirements.txt
RUN python3.13 -m venv --without-pip /opt/farm \
 && python3.13 -m pip --python /opt/farm/bin/python install --no-cache-dir --no-deps --require-hashes \
    --only-binary=:all: -r /tmp/requirements.txt

# Our own code is copied, not built: a build backend would be the one part that no hash holds.
FROM base AS code
WORKDIR /code/bin
# Guarded: a process pool runs the program's file once more in each of its processes.
RUN printf '%s\n' '#!/opt/farm/bin/python -P' 'import sys' 'from farm.cli import main' 'if __name__ == "__main__":' \
    '    sys.exit(main())' > farm \
 && chmod 755 farm
WORKDIR /code/lib/python3.13/site-packages
COPY api api
COPY blender_worker blender_worker
COPY farm farm
RUN python3.13 -m compileall -q --invalidation-mode unchecked-hash .

FROM base AS control
ENV PATH=/opt/farm/bin:$PATH
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="facefarm-control" \
      org.opencontainers.image.description="Facefarm: API and Flower" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=control-packages /opt/farm /opt/farm
COPY --from=code /code /opt/farm
USER 10001:10001
EXPOSE 8000 5555
STOPSIGNAL SIGTERM
ENTRYPOINT ["farm"]
CMD ["api", "--host", "0.0.0.0", "--port", "8000"]

FROM base AS worker
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="facefarm-worker" \
      org.opencontainers.image.description="Facefarm: GPU worker with Blender" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Without `graphics` the NVIDIA runtime mounts no OpenGL, and Blender would silently draw on the CPU.
ENV PATH=/opt/farm/bin:$PATH \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=graphics,utility
# What bpy links to, and Mesa for nodes without a GPU. Not pinned: a rebuild shall bring Debian's security updates.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
    libegl1 libgl1 libgl1-mesa-dri libice6 libsm6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxxf86vm1 \
 && rm -rf /var/lib/apt/lists/*
# GLVND's pointer to NVIDIA's EGL, which the NVIDIA runtime does not always mount; without the driver it is passed over.
RUN mkdir -p /usr/share/glvnd/egl_vendor.d \
 && printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"}}\n' \
    > /usr/share/glvnd/egl_vendor.d/10_nvidia.json
COPY --from=worker-packages /opt/farm /opt/farm
COPY --from=code /code /opt/farm
USER 10001:10001
EXPOSE 9100
STOPSIGNAL SIGTERM
ENTRYPOINT ["farm"]
CMD ["worker", "--concurrency", "1", "--metrics-port", "9100"]
