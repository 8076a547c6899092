"""meshcore: a service mesh data plane, embedded.

What is named here is imported when it is first used, so that a proxy, which needs few of them,
stays small.
"""

from __future__ import annotations

import importlib
import os.path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshcore.answers import Socket, Stats
    from meshcore.config.model import (
        Abort,
        AccessLog,
        Admin,
        BackOff,
        CertificateFiles,
        Cluster,
        ClusterTimeouts,
        ClusterTls,
        Config,
        Cors,
        Delay,
        DirectResponse,
        Dns,
        Drain,
        Endpoint,
        Fault,
        HeaderEdits,
        Hedge,
        Hook,
        HookCache,
        HookUse,
        Http,
        Http2,
        Listener,
        ListenerLimits,
        ListenerTimeouts,
        ListenerTls,
        Match,
        Mirror,
        PathMatch,
        Pool,
        Rate,
        RateLimit,
        RateLimitService,
        Redirect,
        RegexRewrite,
        Retries,
        RetryBudget,
        Rewrite,
        Route,
        StringMatch,
        Target,
        TcpKeepalive,
    )
    from meshcore.config.sources import load, loads
    from meshcore.engine import Engine
    from meshcore.errors import (
        ConfigError,
        EngineError,
        EngineStopped,
        HookError,
        HookReloadError,
        MeshcoreError,
        Problem,
    )
    from meshcore.hooks.api import hook, lifespan
    from meshcore.hooks.subjects import Connection, Headers, Request, Response
    from meshcore.hooks.verdicts import Answer, Continue, RouteTo
    from meshcore.serving import Served, serve

    __version__: str

__all__ = [
    "Abort",
    "AccessLog",
    "Admin",
    "Answer",
    "BackOff",
    "CertificateFiles",
    "Cluster",
    "ClusterTimeouts",
    "ClusterTls",
    "Config",
    "ConfigError",
    "Connection",
    "Continue",
    "Cors",
    "Delay",
    "DirectResponse",
    "Dns",
    "Drain",
    "Endpoint",
    "Engine",
    "EngineError",
    "EngineStopped",
    "Fault",
    "HeaderEdits",
    "Headers",
    "Hedge",
    "Hook",
    "HookCache",
    "HookError",
    "HookReloadError",
    "HookUse",
    "Http",
    "Http2",
    "Listener",
    "ListenerLimits",
    "ListenerTimeouts",
    "ListenerTls",
    "Match",
    "MeshcoreError",
    "Mirror",
    "PathMatch",
    "Pool",
    "Problem",
    "Rate",
    "RateLimit",
    "RateLimitService",
    "Redirect",
    "RegexRewrite",
    "Request",
    "Response",
    "Retries",
    "RetryBudget",
    "Rewrite",
    "Route",
    "RouteTo",
    "Served",
    "Socket",
    "Stats",
    "StringMatch",
    "Target",
    "TcpKeepalive",
    "__version__",
    "get_include",
    "hook",
    "lifespan",
    "load",
    "loads",
    "serve",
]

_ELSEWHERE = {
    "meshcore.config.sources": ("load", "loads"),
    "meshcore.answers": ("Socket", "Stats"),
    "meshcore.engine": ("Engine",),
    "meshcore.errors": (
        "ConfigError",
        "EngineError",
        "EngineStopped",
        "HookError",
        "HookReloadError",
        "MeshcoreError",
        "Problem",
    ),
    "meshcore.hooks.api": ("hook", "lifespan"),
    "meshcore.hooks.subjects": ("Connection", "Headers", "Request", "Response"),
    "meshcore.hooks.verdicts": ("Answer", "Continue", "RouteTo"),
    "meshcore.serving": ("Served", "serve"),
}
_HOMES = {name: home for home, names in _ELSEWHERE.items() for name in names}


def get_include() -> str:
    """The folder of `meshcore_abi.h`, for the compiler of a native hook's extension.

    `cimport meshcore.abi` finds its own way; C, C++ and what Cython makes need this folder.
    """
    return os.path.join(os.path.dirname(__file__), "include")


def __getattr__(name: str) -> object:
    if name == "__version__":
        return importlib.import_module("meshcore.extension").VERSION
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    home = importlib.import_module(_HOMES.get(name, "meshcore.config.model"))
    found = globals()[name] = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
