"""HAProxy: one thread, upstream connections always reused, host and path by map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.peers import Command, Peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.environment import Tool
    from harness.plan import Plan

HEAD = """global
  nbthread {threads}
  maxconn 9500
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-bind-options ssl-min-ver TLSv1.3
  tune.ssl.default-dh-param 2048
defaults
  mode {mode}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  maxconn 9500
{reuse}
"""


def haproxy(tool: Tool) -> Peer:
    """Return HAProxy as a peer."""
    return Peer("haproxy", _command(tool), tool.version("-v"), tool.variables)


def _command(tool: Tool) -> Callable[[Plan, Path], Command]:
    def command(plan: Plan, folder: Path) -> Command:
        path = folder / "haproxy.cfg"
        path.write_text(_render(plan, folder))
        return [tool.path, "-db", "-f", path]

    return command


def _render(plan: Plan, folder: Path) -> str:
    http = plan.protocol == "http"
    reuse = "  option http-keep-alive\n  http-reuse always" if http else ""
    lines = [HEAD.format(threads=plan.workers, mode=plan.protocol, reuse=reuse)]
    lines += ["frontend web", f"  bind 127.0.0.1:{plan.listen}{_bind(plan)}"]
    if plan.hosts:
        names = folder / "hosts.map"
        names.write_text("".join(f"h{n}.test b{n}\n" for n in range(plan.hosts)))
        lines.append(f"  use_backend %[req.hdr(host),lower,map({names})]")
    elif plan.routes:
        paths = folder / "paths.map"
        paths.write_text("".join(f"/p{n}/ all\n" for n in range(plan.routes)))
        lines.append(f"  use_backend %[path,map_beg({paths})]")
    else:
        lines.append("  default_backend all")
    for n in range(plan.hosts):
        lines += [f"backend b{n}", f"  server s {plan.host_address(n)}"]
    lines += ["backend all", f"  server s 127.0.0.1:{plan.target}{_server(plan)}", ""]
    return "\n".join(lines)


def _bind(plan: Plan) -> str:
    if plan.tls_in == "none":
        return " proto h2" if plan.http2 else ""
    pem = plan.pem()
    mutual = f" verify required ca-file {pem.ca}" if plan.tls_in == "mutual" else ""
    return f" ssl crt {pem.joined}{mutual}"


def _server(plan: Plan) -> str:
    if not plan.tls_out:
        return " proto h2" if plan.http2 else ""
    pem = plan.pem()
    name = "sni str(localhost) verifyhost localhost"
    return f" ssl verify required ca-file {pem.ca} crt {pem.joined} {name}"
