"""What a process of the farm gets of the environment: built, not inherited.

The shell that starts a farm is set up for other programs too, and the libraries that the farm stands on read dozens of
variables of their own: a CELERY_BROKER_URL of another project would send every ticket there, a WEB_CONCURRENCY would start
servers that nobody ends, an OCIO would turn every model's colours. So what is passed on is listed here, by what it is for,
and everything else stays behind. Who sets a listed variable means every program on the machine, or the farm.
"""

import os
import re
import site
import sys
from collections.abc import Iterable
from pathlib import Path

import farm

_USER = ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "TMPDIR", "TZ", "XDG_*")
"""Who runs the farm, and where their files are."""
_LOADER = ("LD_LIBRARY_PATH", "LD_PRELOAD")
"""Which libraries the machine's owner has every program use."""
_GRAPHICS = (
    "CUDA_VISIBLE_DEVICES", "DRI_PRIME", "LP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "__EGL*", "__GL*",
    "AMD_*", "EGL_*", "GALLIUM_*", "GALLIVM_*", "INTEL_*", "LIBGL_*", "MESA_*", "NVIDIA_*", "RADV_*", "VK_*", "ZINK_*",
)  # fmt: skip
"""By these the machine's owner says which driver draws, and how."""
_NETWORK = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_*",
)  # fmt: skip
"""The way out of the machine, whom to trust there, and what a cloud says of who the machine is."""
_SCREEN = ("LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_*")
"""What the command that a person started prints on. Servers print to files, in UTF-8."""
_SAFE = {"PYTHONSAFEPATH": "1", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""As Python's option -P: no code from the current folder. And none that other packages would put into pydantic's models; to
look for it takes every process a while."""
_MATRICES = {"OPENBLAS_NUM_THREADS": "1"}
"""Unless the machine's owner says otherwise. The farm's matrices are small, and a thread that waits for its part of one keeps
a core busy with waiting; nor does a sum depend on how many cores there are."""
_FARM = ("FARM_*",)
"""The settings (`farm.settings`), secrets among them."""


_is_settled = False


def settled() -> bool:
    """Whether `settle` was called here: this process is one role's or command's of the farm, and nobody else's."""
    return _is_settled


def settle() -> None:
    """Leave in the environment of this process, a role or a command of the farm's, what belongs there.

    Called first of all, before what reads the environment when it is imported. (What Python itself was told, it was told
    before.) What it starts by the means of Python finds no code in the current folder.

    Where the locale is not of UTF-8, the program begins anew in UTF-8: names of files are the same on every machine, and a
    character's name is none that cannot be written.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    global _is_settled
    _is_settled = True
    kept = _kept((*_USER, *_LOADER, *_GRAPHICS, *_NETWORK, *_SCREEN, *_FARM))
    for name in os.environ.keys() - kept.keys():
        del os.environ[name]
    os.environ |= _MATRICES | kept | _SAFE


def share_cores(blenders: int) -> None:
    """Say in this process' environment that so many Blenders draw side by side: Mesa's software OpenGL takes every core for
    each of them unless it is told. What the machine's owner says counts."""
    os.environ.setdefault("LP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // blenders)))


def for_server() -> dict[str, str]:
    """The environment of a server or a command that the farm starts: that of the farm, in UTF-8."""
    return _MATRICES | _kept((*_USER, *_LOADER, *_GRAPHICS, *_NETWORK, *_FARM)) | _python()


def for_stranger() -> dict[str, str]:
    """That of a process which opens strangers' files: it has no setting of the farm in it, and so no secret."""
    return _MATRICES | _kept(("LD_LIBRARY_PATH", *_GRAPHICS)) | {"PATH": os.defpath} | _python()


def _python() -> dict[str, str]:
    """The same code as ours, wherever that was imported from, and text that is the same on every machine."""
    told = _SAFE | {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONUSERBASE": site.getuserbase()}
    home = Path(farm.__file__).parent.parent
    # An installed farm is found by itself; where packages lie, they would go before Python's own modules.
    installed = any(Path(folder) == home for folder in (*site.getsitepackages(), site.getusersitepackages()))
    return told if installed else {**told, "PYTHONPATH": str(home)}


def _kept(names: Iterable[str]) -> dict[str, str]:
    """The variables of ours that have these names; a star stands for any end."""
    wanted = re.compile("|".join(re.escape(name).replace(r"\*", ".*") for name in names), re.DOTALL)
    return {name: value for name, value in os.environ.items() if wanted.fullmatch(name)}
