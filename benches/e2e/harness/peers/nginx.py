"""nginx: one worker, upstream keep-alive, a server for each host, a location for each route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.peers import Command, Peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.environment import Tool
    from harness.plan import Plan

#: Idle upstream connections to keep, for which nginx reserves memory: as many as requests at once,
#: for it opens one stream on an upstream connection.
KEPT = 64
KEPT_HTTP2 = 100
HEAD = """daemon off;
worker_processes {workers};
worker_rlimit_nofile 40000;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 25000; }}
"""
HTTP = """http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{body}}}
"""


def nginx(tool: Tool, stream: Path | None) -> Peer:
    """Return nginx as a peer; Debian keeps its TCP part in a module of its own."""
    return Peer("nginx", _command(tool, stream), tool.version("-v"), tool.variables)


def _command(tool: Tool, stream: Path | None) -> Callable[[Plan, Path], Command]:
    def command(plan: Plan, folder: Path) -> Command:
        path = folder / "nginx.conf"
        head = HEAD.format(workers=plan.workers, folder=folder)
        body = _http(plan, folder) if plan.protocol == "http" else _stream(plan)
        module = f"load_module {stream};\n" if plan.protocol == "tcp" and stream else ""
        path.write_text(module + head + body)
        return [tool.path, "-e", folder / "start.log", "-p", folder, "-c", path]

    return command


def _stream(plan: Plan) -> str:
    return (
        f"stream {{ server {{ listen 127.0.0.1:{plan.listen}; tcp_nodelay on;"
        f" proxy_pass 127.0.0.1:{plan.target}; }} }}\n"
    )


def _http(plan: Plan, folder: Path) -> str:
    kept = KEPT_HTTP2 if plan.http2 else KEPT
    body = "".join(_upstream(name, address, kept) for name, address in _upstreams(plan))
    listen = _listen(plan)
    passed = f"proxy_pass {'https' if plan.tls_out else 'http'}://all;"
    if plan.grpc:
        passed = "grpc_pass grpc://all;"
    for n in range(plan.hosts):
        body += (
            f"  server {{ {listen} server_name h{n}.test;"
            f" location / {{ proxy_pass http://b{n}; }} }}\n"
        )
    if not plan.hosts:
        places = [f"/p{n}/" for n in range(plan.routes)] or ["/"]
        inner = "".join(f"    location {at} {{ {passed} }}\n" for at in places)
        body += f"  server {{ {listen}\n{_origination(plan)}{inner}  }}\n"
    return HTTP.format(folder=folder, body=body)


def _upstreams(plan: Plan) -> list[tuple[str, str]]:
    if plan.hosts:
        return [(f"b{n}", plan.host_address(n)) for n in range(plan.hosts)]
    return [("all", f"127.0.0.1:{plan.target}")]


def _upstream(name: str, address: str, kept: int) -> str:
    return (
        f"  upstream {name} {{ server {address}; keepalive {kept};"
        " keepalive_requests 1000000000; keepalive_timeout 300s; }\n"
    )


def _listen(plan: Plan) -> str:
    if plan.tls_in == "none":
        return f"listen 127.0.0.1:{plan.listen}{' http2' if plan.http2 else ''};"
    pem = plan.pem()
    mutual = f" ssl_client_certificate {pem.ca}; ssl_verify_client on;"
    return (
        f"listen 127.0.0.1:{plan.listen} ssl; ssl_certificate {pem.certificate};"
        f" ssl_certificate_key {pem.key}; ssl_protocols TLSv1.3;"
        " ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;"
        f"{mutual if plan.tls_in == 'mutual' else ''}"
    )


def _origination(plan: Plan) -> str:
    if not plan.tls_out:
        return ""
    pem = plan.pem()
    return (
        f"    proxy_ssl_certificate {pem.certificate}; proxy_ssl_certificate_key {pem.key};\n"
        f"    proxy_ssl_trusted_certificate {pem.ca}; proxy_ssl_verify on;\n"
        "    proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;\n"
    )
