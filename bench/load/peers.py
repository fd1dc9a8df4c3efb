"""The programs that are compared, and the endpoint behind them: set up, started, watched, ended.

Everything lives in one temporary directory, listens on 127.0.0.1 only and is ended with the Stage.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import resource
import secrets
import shutil
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
SCHEMES = ("http", "https")
#: Endpoints that differ by their port only, for the fan-out.
FAN_OUT_ENDPOINTS = 10
#: Bytes per second of one slow stream.
SLOW_RATE = 4096

DOCUMENT_BYTES = {"1KiB": 1 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20, "100MiB": 100 << 20}


class PeerError(Exception):
    """A program that cannot be started or does not do what it is there for."""


def find_program(name: str, variable: str = "") -> str | None:
    """The program that `variable` names in the environment, else `name` from PATH."""
    path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    return shutil.which(os.environ.get(variable) or name, path=path)


def raise_descriptor_limit() -> int:
    """As many open files as the hard limit allows, for us and all that we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 1 << 20 if hard == resource.RLIM_INFINITY else min(hard, 1 << 20)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def document(name: str) -> bytes:
    """JSON of exactly that many bytes, as a Cloud Controller might answer."""
    head = b'{"guid":"1cb006ee-fb05-47e1-b541-c34179ddc446","name":"my_app","note":"'
    return head + b"x" * (DOCUMENT_BYTES[name] - len(head) - 2) + b'"}'


class Process:
    """A program that we started, with all the processes that it has started."""

    def __init__(self, name: str, popen: subprocess.Popen, log: Path):
        self.name, self.popen, self.log = name, popen, log

    def pids(self) -> list[int]:
        found, left = [], [self.popen.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    left += [int(child) for child in children.read_text().split()]
                except OSError:
                    pass  # The thread has ended since.
        return found

    def _stat(self, pid: int) -> list[str]:
        try:
            # The name in parentheses may hold spaces.
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ["0"] * 50

    def cpu_seconds(self) -> float:
        """User and system time of the tree; of the main process' ended children, too."""
        ticks = sum(int(t) for pid in self.pids() for t in self._stat(pid)[11:13])
        ticks += sum(int(t) for t in self._stat(self.popen.pid)[13:15])
        return ticks / TICKS_PER_SECOND

    def rss_kib(self) -> int:
        return sum(int(self._stat(pid)[21]) for pid in self.pids()) * PAGE_KIB

    def check(self) -> None:
        if self.popen.poll() is not None:
            raise PeerError(f"{self.name} ended with status {self.popen.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(15)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()


class Stage:
    """Temporary directory, certificate, documents, ports, cores, and every process of a run."""

    def __init__(self, pin: bool = True, access_log: bool = False):
        self.access_log = access_log
        self.descriptors = raise_descriptor_limit()
        cores = sorted(os.sched_getaffinity(0))
        self.pinned = pin and len(cores) >= 2 and find_program("taskset") is not None
        self.rest_core, self.proxy_core = (cores[0], cores[1]) if self.pinned else (None, None)
        self.directory = Path(tempfile.mkdtemp(prefix="stratos-load."))
        self.processes: list[Process] = []
        self.ports: set[int] = set()
        self.documents = self.directory / "document" / "v3"
        self.documents.mkdir(parents=True)
        self.certificate = self.directory / "certificate.pem"
        self.key = self.directory / "key.pem"
        try:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-keyout", self.key, "-out", self.certificate],
                check=True, capture_output=True, timeout=60)
        except BaseException:
            self.close()
            raise
        self.trust = ssl.create_default_context(cafile=str(self.certificate))

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        self.processes.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def pin_self(self) -> None:
        """From now on this process and the clients that it starts use the client's core."""
        if self.pinned:
            os.sched_setaffinity(0, {self.rest_core})

    def port(self) -> int:
        """A free one, below the range from which the kernel takes ports for outgoing connections."""
        for _ in range(500):
            port = random.randrange(20000, 32000)
            if port in self.ports:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self.ports.add(port)
            return port
        raise PeerError("found no free port")

    def write_document(self, name: str) -> None:
        path = self.documents / f"{name}.json"
        if not path.exists():
            path.write_bytes(document(name))

    def start(self, name: str, command: list, port: int, core: int | None,
              env: dict[str, str] | None = None) -> Process:
        """Starts it and waits until it listens on `port`. It ends when this program does."""
        log = self.directory / f"{name}.log"
        prefix: list[str] = []
        if find_program("setpriv"):
            prefix += ["setpriv", "--pdeathsig", "TERM"]
        if core is not None:
            prefix += ["taskset", "-c", str(core)]
        with log.open("ab") as out:
            popen = subprocess.Popen(prefix + [str(word) for word in command], stdout=out,
                                     stderr=out, stdin=subprocess.DEVNULL, cwd=self.directory,
                                     env=env)
        process = Process(name, popen, log)
        self.processes.append(process)
        end = time.monotonic() + 60
        while True:
            process.check()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return process
            except OSError:
                if time.monotonic() > end:
                    raise PeerError(f"{name} does not listen:\n{process.tail()}") from None
                time.sleep(0.05)

    def stop(self, process: Process) -> None:
        process.stop()
        self.processes.remove(process)

    def nginx_conf(self, name: str, servers: str) -> Path:
        """What all our nginx instances have in common, around `servers`."""
        access = self.directory / "access.log" if self.access_log and name != "endpoint" else "off"
        temporary = "\n".join(f"  {kind}_temp_path {self.directory}/{name}.{kind};"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        path = self.directory / f"{name}.conf"
        path.write_text(f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
error_log {self.directory}/{name}.error.log warn;
pid {self.directory}/{name}.pid;
events {{ worker_connections {min(self.descriptors - 100, 30000)}; }}
http {{
  access_log {access};
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
{temporary}
{servers}
}}
""")
        return path

    def start_nginx(self, name: str, servers: str, port: int, core: int | None) -> Process:
        return self.start(name, [find_program("nginx", "NGINX"), "-p", self.directory,
                                 "-e", self.directory / f"{name}.error.log",
                                 "-c", self.nginx_conf(name, servers)], port, core)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def access_token() -> str:
    """In the shape of a UAA's token, of its usual size; nobody here checks the signature."""
    claims = {"user_id": "7f6ab2a6", "user_name": "bench", "client_id": "cf",
              "scope": ["openid", "cloud_controller.read", "cloud_controller.write",
                        "cloud_controller.admin"], "exp": int(time.time()) + 86400}
    head = {"alg": "RS256", "kid": "key-1", "typ": "JWT"}
    parts = [base64url(json.dumps(part).encode()) for part in (head, claims)]
    return ".".join([*parts, base64url(secrets.token_bytes(256))])


class Endpoint:
    """The simulated foundation: an nginx with static documents, a root document and a UAA's token."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.http_ports = [stage.port() for _ in range(FAN_OUT_ENDPOINTS)]
        self.https_port = stage.port()
        token = access_token()
        servers = ""
        for scheme, ports in (("http", self.http_ports), ("https", [self.https_port])):
            tls = "ssl" if scheme == "https" else ""
            listen = "\n".join(f"    listen 127.0.0.1:{port} {tls} backlog=4096;" for port in ports)
            myself = f"{scheme}://127.0.0.1:$server_port"
            links = json.dumps({"links": {
                **{name: {"href": myself} for name in ("self", "login", "uaa")},
                "logging": {"href": "wss://127.0.0.1:$server_port"},
                "cloud_controller_v3": {"href": myself + "/v3"}}})
            servers += f"""
  server {{
{listen}
    {f"ssl_certificate {stage.certificate}; ssl_certificate_key {stage.key};" if tls else ""}
    {"ssl_session_cache shared:tls:1m;" if tls else ""}
    root {stage.directory}/document;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=20;
    location = / {{ return 200 '{links}'; }}
    location /v3/slow/ {{ alias {stage.documents}/; limit_rate {SLOW_RATE}; }}
    location = /oauth/token {{
      return 200 '{{"access_token":"{token}","refresh_token":"refresh","expires_in":86399}}';
    }}
  }}"""
        self.process = stage.start_nginx("endpoint", servers, self.https_port, stage.rest_core)

    def url(self, scheme: str, number: int = 0) -> str:
        port = self.https_port if scheme == "https" else self.http_ports[number]
        return f"{scheme}://127.0.0.1:{port}"


@dataclass(frozen=True)
class Route:
    """Which way a request goes: endpoint's scheme, browser's scheme, document, endpoints."""

    endpoint: str = "http"
    browser: str = "http"
    path: str = "/v3/1KiB.json"
    fan_out: int = 0  #: 0 is passthrough of one endpoint.
    control: bool = False  #: The list of endpoints, which the console itself answers.


class Target:
    """One way to the endpoint. `process` is None where there is no proxy."""

    name = ""
    process: Process | None = None

    def start(self) -> None:
        """Starts the proxy, afresh when it ran before."""

    def stop(self) -> None:
        if self.process:
            self.stage.stop(self.process)
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def supports(self, route: Route) -> bool:
        return route.fan_out == 0

    def url(self, route: Route) -> str:
        raise NotImplementedError

    def __init__(self, stage: Stage, endpoint: Endpoint):
        self.stage, self.endpoint = stage, endpoint


class Direct(Target):
    name = "direct"

    def supports(self, route: Route) -> bool:
        return route.fan_out == 0 and route.browser == "http"

    def url(self, route: Route) -> str:
        return self.endpoint.url(route.endpoint) + route.path


class PlainProxy(Target):
    """A proxy with a port for each pair of the browser's and the endpoint's scheme."""

    def __init__(self, stage: Stage, endpoint: Endpoint):
        super().__init__(stage, endpoint)
        self.ports = {(b, e): stage.port() for b in SCHEMES for e in SCHEMES}

    def url(self, route: Route) -> str:
        port = self.ports[route.browser, route.endpoint]
        return f"{route.browser}://127.0.0.1:{port}{route.path}"

    @property
    def last_port(self) -> int:
        return list(self.ports.values())[-1]


class Nginx(PlainProxy):
    name = "nginx"

    def start(self) -> None:
        stage, servers = self.stage, ""
        for scheme in SCHEMES:
            address = self.endpoint.url(scheme).partition("//")[2]
            servers += f"""
  upstream endpoint_{scheme} {{
    server {address};
    keepalive 2048;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{self.ports["http", scheme]} backlog=4096;
    listen 127.0.0.1:{self.ports["https", scheme]} ssl backlog=4096;
    ssl_certificate {stage.certificate};
    ssl_certificate_key {stage.key};
    location / {{
      proxy_pass {scheme}://endpoint_{scheme};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host {address};
      proxy_max_temp_file_size 0;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {stage.certificate};
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
    }}
  }}"""
        self.process = stage.start_nginx("nginx", servers, self.last_port, stage.proxy_core)


class HaProxy(PlainProxy):
    name = "haproxy"

    def start(self) -> None:
        stage = self.stage
        both = stage.directory / "haproxy.pem"
        both.write_bytes(stage.certificate.read_bytes() + stage.key.read_bytes())
        text = f"""
global
  nbthread 1
  maxconn {min((stage.descriptors - 200) // 2, 15000)}
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
"""
        for scheme in SCHEMES:
            address = self.endpoint.url(scheme).partition("//")[2]
            tls = (f"ssl ca-file {stage.certificate} verify required verifyhost localhost "
                   "sni str(localhost)") if scheme == "https" else ""
            text += f"""
frontend browser_{scheme}
  bind 127.0.0.1:{self.ports["http", scheme]}
  bind 127.0.0.1:{self.ports["https", scheme]} ssl crt {both}
  default_backend endpoint_{scheme}
backend endpoint_{scheme}
  http-request set-header Host {address}
  server endpoint {address} {tls}
"""
        path = stage.directory / "haproxy.cfg"
        path.write_text(text)
        self.process = stage.start("haproxy", [find_program("haproxy", "HAPROXY"), "-db", "-f",
                                               path], self.last_port, stage.proxy_core)


class GoProxy(PlainProxy):
    """httputil.ReverseProxy; with look-ups it asks SQLite four times per request and buffers."""

    def __init__(self, stage: Stage, endpoint: Endpoint, lookups: bool = False):
        super().__init__(stage, endpoint)
        self.name = "go-lookups" if lookups else "go"
        self.program = stage.directory / self.name
        self.database = stage.directory / "lookups.db"
        sources = [HERE / "reverse_proxy.go"] + ([HERE / "lookups.go"] if lookups else [])
        env = {**os.environ, "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOPROXY": "off",
               "CGO_ENABLED": "1" if lookups else "0"}
        built = subprocess.run([find_program("go", "GO"), "build", "-o", self.program, *sources],
                               env=env, capture_output=True, text=True, timeout=600, check=False)
        if built.returncode != 0:
            raise PeerError(f"{self.name} cannot be built:\n{built.stderr}")
        if lookups:
            with sqlite3.connect(self.database) as db:
                db.execute("PRAGMA journal_mode=WAL")
                for table in ("sessions", "users", "endpoints", "tokens"):
                    db.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, value TEXT NOT NULL)")
                    db.executemany(f"INSERT INTO {table} VALUES (?, ?)",
                                   ((f"key-{n}", secrets.token_hex(200)) for n in range(1000)))
            db.close()

    def start(self) -> None:
        listeners: list[str] = []
        for (browser, scheme), port in self.ports.items():
            listeners += [browser, f"127.0.0.1:{port}", self.endpoint.url(scheme)]
        self.process = self.stage.start(
            self.name, [self.program, self.stage.certificate, self.stage.key, *listeners],
            self.last_port, self.stage.proxy_core,
            {**os.environ, "LOOKUPS_DATABASE": str(self.database)})


class Stratos(Target):
    """stratos-server: signed-in session, registered and connected endpoints, tokens in SQLite."""

    name = "stratos"

    def __init__(self, stage: Stage, endpoint: Endpoint, server: str, sessions: int = 0):
        super().__init__(stage, endpoint)
        self.server = server
        self.port, self.tls_port = stage.port(), stage.port()
        self.directory = Path(tempfile.mkdtemp(prefix="stratos.", dir=stage.directory))
        self.secret, self.password = secrets.token_hex(32), secrets.token_hex(12)
        self.encryption_key = secrets.token_hex(32)
        self.cookie = self.xsrf = ""
        self.ids: dict[str, list[str]] = {scheme: [] for scheme in SCHEMES}
        self.cookie_files: dict[int, Path] = {}
        self.start()
        self._sign_in()
        for scheme in SCHEMES:
            self._connect(scheme, 0)
        if sessions:
            self._insert_sessions(sessions)

    def start(self) -> None:
        stage = self.stage
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "STRATOS_HTTP_ADDRESS": f"127.0.0.1:{self.port}",
            "CONSOLE_PROXY_TLS_ADDRESS": f"127.0.0.1:{self.tls_port}",
            "CONSOLE_PROXY_CERT_PATH": str(stage.certificate),
            "CONSOLE_PROXY_CERT_KEY_PATH": str(stage.key),
            "DATABASE_PROVIDER": "sqlite", "SQLITE_DB_DIR": str(self.directory),
            "SQLITE_KEEP_DB": "true", "AUTH_ENDPOINT_TYPE": "local", "LOCAL_USER": "bench",
            "LOCAL_USER_PASSWORD": self.password, "ENCRYPTION_KEY": self.encryption_key,
            "SESSION_STORE_SECRET": self.secret, "SESSION_STORE_EXPIRY": "1440",
            "STRATOS_MAX_CONNECTIONS": str(max(4096, stage.descriptors // 2)),
            "STRATOS_ENDPOINT_MAX_CALLS": "0",  # As with the others.
            "STRATOS_SHUTDOWN_TIMEOUT_IN_SECS": "1",
            "LOG_API_REQUESTS": "true" if stage.access_log else "false",
        }
        self.process = stage.start("stratos", [self.server], self.port, stage.proxy_core, env)

    def _call(self, method: str, path: str, form: dict[str, str]):
        headers = {"Cookie": self.cookie, "X-XSRF-Token": self.xsrf} if self.cookie else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=urllib.parse.urlencode(form).encode(),
                                         headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                return response.headers, response.read()
        except urllib.error.HTTPError as error:
            raise PeerError(f"stratos-server answered {error.code} to {method} {path}: "
                            f"{error.read().decode(errors='replace')}\n{self.process.tail()}"
                            ) from None

    def _sign_in(self) -> None:
        headers, _ = self._call("POST", "/pp/v1/auth/login/uaa",
                                {"username": "bench", "password": self.password})
        cookies = [c.partition(";")[0] for c in headers.get_all("Set-Cookie", [])]
        self.cookie = next((c for c in cookies if c.startswith("console-session=")), "")
        self.xsrf = headers.get("X-XSRF-Token", "")
        if not self.cookie or not self.xsrf:
            raise PeerError("signing in gave no session")

    def _connect(self, scheme: str, number: int) -> None:
        form = {"endpoint_type": "cf", "cnsi_name": f"bench-{scheme}-{number}",
                "api_endpoint": self.endpoint.url(scheme, number)}
        if scheme == "https":
            form["ca_cert"] = self.stage.certificate.read_text()
        _, body = self._call("POST", "/api/v1/endpoints", form)
        guid = json.loads(body)["guid"]
        self._call("POST", "/api/v1/tokens", {"cnsi_guid": guid, "connect_type": "creds",
                                              "username": "bench", "password": "bench"})
        self.ids[scheme].append(guid)

    def _insert_sessions(self, count: int) -> None:
        """Fills the session table up to `count` rows of the same user, signed as the server does."""
        cookies = [self.cookie]
        with sqlite3.connect(self.directory / "console-database.db", timeout=60) as db:
            columns = [row[1] for row in db.execute("PRAGMA table_info(stratos_sessions)")]
            first = dict(zip(columns, db.execute("SELECT * FROM stratos_sessions").fetchone()))
            rows = []
            for _ in range(count - 1):
                raw = os.urandom(32)
                text = base64url(raw)
                signature = hmac.digest(self.secret.encode(), b"console-session|" + raw, "sha256")
                cookies.append(f"console-session={text}.{base64url(signature)}")
                rows.append({**first, "id_hash": hashlib.sha256(raw).hexdigest(),
                             "public_id": str(uuid.uuid4())})
            db.executemany(
                f"INSERT INTO stratos_sessions ({', '.join(columns)}) "
                f"VALUES ({', '.join(':' + column for column in columns)})", rows)
        db.close()
        for number in {min(10, count), count}:
            path = self.directory / f"cookies-{number}"
            path.write_text("\n".join(cookies[:number]) + "\n")
            self.cookie_files[number] = path

    def supports(self, route: Route) -> bool:
        while len(self.ids["http"]) < route.fan_out:
            self._connect("http", len(self.ids["http"]))
        return True

    def url(self, route: Route) -> str:
        port = self.tls_port if route.browser == "https" else self.port
        path = "/api/v1/endpoints" if route.control else f"/pp/v1/proxy{route.path}"
        return f"{route.browser}://127.0.0.1:{port}{path}"


def request_headers(stratos: Stratos | None, route: Route) -> dict[str, str]:
    """All targets get the same fields, so that all parse the same head."""
    if stratos:
        cookie, xsrf = stratos.cookie, stratos.xsrf
        ids = stratos.ids[route.endpoint][:max(1, route.fan_out)]
    else:
        cookie, xsrf = "console-session=" + "x" * 87, "x" * 44
        ids = [str(uuid.uuid4())]
    headers = {
        "Accept": "application/json, text/plain, */*",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Cookie": cookie, "X-XSRF-Token": xsrf, "x-cap-cnsi-list": ",".join(ids)}
    if route.fan_out == 0:
        headers["x-cap-passthrough"] = "true"
    return headers
