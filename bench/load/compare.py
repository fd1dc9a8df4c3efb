"""Compares stratos-server's proxy with others: scenarios, repetitions, what is run in which order."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fnmatch
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import report
from connections import hold
from peers import (DOCUMENT_BYTES, FAN_OUT_ENDPOINTS, HERE, ROOT, Direct, Endpoint, GoProxy,
                   HaProxy, Nginx, PeerError, Route, Stage, Stratos, Target, document,
                   find_program, request_headers)

TARGETS = ("direct", "nginx", "haproxy", "go", "go-lookups", "stratos")
SKIPPED = 77
EPILOG = """\
targets:
  direct      the endpoint itself: an nginx with static JSON documents
  nginx       nginx as a plain reverse proxy to it
  haproxy     HAProxy in HTTP mode, one thread
  go          Go's httputil.ReverseProxy (reverse_proxy.go)
  go-lookups  the same with four SQLite look-ups per request and buffering (lookups.go)
  stratos     stratos-server's proxy: signed-in session, XSRF token, registered and connected
              endpoint, token from SQLite

Debian packages: nginx-light wrk openssl python3; for the other targets haproxy golang-go and, with
look-ups, gcc libsqlite3-dev; for system calls strace or linux-perf; jq to read the JSON file, e.g.
  jq -r '.[] | select(.scenario == "http-1KiB-64") | [.target, .rps] | @tsv' FILE

The proxy has one core for itself, client and endpoint share another. All traffic is on 127.0.0.1.
Programs are taken from PATH, or from STRATOS_SERVER, NGINX, WRK, HAPROXY, GO.
Exit status: 0 measured, 1 the figures are not valid, 2 it could not run, 77 --smoke lacks programs.
"""


START = time.monotonic()
LOAD_AVERAGE = os.getloadavg()[0]  # Without what we add.


def note(text: str) -> None:
    print(f"compare: {time.monotonic() - START:4.0f} s  {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Load:
    """Requests as fast as they are answered, over a number of connections."""

    name: str
    route: Route = Route()
    connections: int = 64
    document: str = "1KiB"
    keep_alive: bool = True
    ours_only: bool = False
    rows: int = 0  #: Sessions in the table; 0 is the one that has signed in.
    cookies: int = 0  #: Sessions that ask in turns.
    least_seconds: float = 0
    beside: Load | None = None  #: What else the same server answers meanwhile.


@dataclass(frozen=True)
class Held:
    """Connections that are held open: idle after an answer, or while one comes slowly."""

    name: str
    connections: int
    streaming: bool = False
    scheme: str = "http"
    ours_only: bool = False


@dataclass(frozen=True)
class Peak:
    """Memory of a fresh process under load."""

    name: str
    connections: int


def load(endpoint: str = "http", size: str = "1KiB", connections: int = 64, **more) -> Load:
    suffix = more.pop("suffix", "")
    browser = more.pop("browser", "http")
    return Load(f"{endpoint}-{size}-{connections}{suffix}",
                Route(endpoint, browser, f"/v3/{size}.json"), connections, size, **more)


def sessions(rows: int, cookies: int, connections: int = 64) -> Load:
    name = f"sessions-{rows}" + ("" if cookies <= 10 else "-all-in-use")
    return Load(name, connections=connections, ours_only=True, rows=rows, cookies=cookies)


def beside() -> list[Load]:
    """Each plane by itself on one connection, and while the other is saturated."""
    control = Route(control=True)
    return [Load("control-1", control, 1, "", ours_only=True),
            Load("control-1-beside-proxied-64", control, 1, "", ours_only=True, beside=load()),
            Load("proxied-1-beside-control-64", Route(), 1, ours_only=True,
                 beside=Load("control-64", control, 64, "", ours_only=True))]


def fan_out(count: int, connections: int = 16) -> Load:
    return Load(f"fan-out-{count}", Route(fan_out=count), connections, ours_only=True)


def quick_scenarios() -> list:
    """One or more for each row of the table of targets."""
    return [load(connections=1), load(), load(connections=256), load("https"),
            load("https", connections=256), load(size="1MiB"), sessions(10, 10),
            sessions(100_000, 10), *beside(), Held("idle-1000", 1000),
            Held("streams-1000", 1000, True), Held("tls-streams-1000", 1000, True, "https"),
            Held("open-streams", 5000, True, ours_only=True)]


def full_scenarios() -> list:
    found: list = []
    for scheme in ("http", "https"):
        found += [load(scheme, connections=n) for n in (1, 64, 256, 1024)]
        found += [load(scheme, size) for size in ("64KiB", "1MiB")]
        found += [load(scheme, "100MiB", 4, least_seconds=10)]
        found += [load(scheme, keep_alive=False, suffix="-close"),
                  load(scheme, browser="https", suffix="-tls-browser"),
                  load(scheme, browser="https", keep_alive=False, suffix="-tls-browser-close")]
    found += [fan_out(n) for n in (1, 3, FAN_OUT_ENDPOINTS)]
    found += [sessions(10, 10), sessions(100_000, 10), sessions(100_000, 100_000), *beside()]
    found += [Peak("memory-loaded-256", 256), Held("idle-10000", 10_000),
              Held("streams-1000", 1000, True), Held("tls-streams-1000", 1000, True, "https"),
              Held("open-streams", 10_000, True, ours_only=True)]
    return found


def smoke_scenarios() -> list:
    """One of each kind, small."""
    return [load(connections=8), load("https", connections=8),
            load(size="64KiB", connections=4, keep_alive=False, suffix="-close"),
            load(connections=4, browser="https", suffix="-tls-browser"), fan_out(3, 4),
            sessions(100, 10, 8), beside()[1], Peak("memory-loaded-8", 8), Held("idle-50", 50),
            Held("tls-streams-10", 10, True, "https")]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/load/compare.sh", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compares, on loopback in one interleaved run with wrk, stratos-server's proxy "
                    "with nginx, HAProxy and Go's ReverseProxy. Ends with a verdict on each target "
                    "that the project has set itself.")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true",
                      help="what the verdicts need, in about five minutes (full: about an hour)")
    kind.add_argument("--smoke", action="store_true",
                      help="everything for a moment: proves that it works, measures nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables, too")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a plot of requests/s")
    parser.add_argument("--seconds", type=float, help="length of one measurement (5, quick: 1.2)")
    parser.add_argument("--repetitions", type=int,
                        help="of each measurement, in shuffled order (5, quick: 3)")
    parser.add_argument("--scenarios", metavar="GLOBS", default="*",
                        help="comma separated patterns of names, e.g. 'http-*,idle-*'")
    parser.add_argument("--targets", metavar="LIST", help="comma separated (all that are there)")
    parser.add_argument("--server", metavar="FILE", help="stratos-server to measure "
                        "(build/release/stratos-server/stratos-server)")
    parser.add_argument("--no-pin", action="store_true", help="do not bind processes to cores")
    parser.add_argument("--log", action="store_true", help="access logs of nginx and stratos on")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    arguments = parser.parse_args()
    defaults = (0.3, 1) if arguments.smoke else (1.2, 3) if arguments.quick else (5.0, 5)
    arguments.seconds = defaults[0] if arguments.seconds is None else arguments.seconds
    arguments.repetitions = arguments.repetitions or defaults[1]
    if not 0.05 <= arguments.seconds <= 600 or not 1 <= arguments.repetitions <= 100:
        parser.error("--seconds takes 0.05 to 600, --repetitions 1 to 100")
    if arguments.targets:
        unknown = set(arguments.targets.split(",")) - set(TARGETS)
        if unknown:
            parser.error(f"unknown targets: {', '.join(sorted(unknown))}")
    return arguments


def find_server(arguments: argparse.Namespace) -> str | None:
    named = arguments.server or os.environ.get("STRATOS_SERVER")
    if not named:
        built = ROOT / "build/release/stratos-server/stratos-server"
        named = str(built) if built.exists() else "stratos-server"
    found = find_program(named)
    return str(Path(found).resolve()) if found else None


def choose_targets(arguments: argparse.Namespace) -> list[str]:
    """Those that were asked for, else all whose programs are there; says which are not."""
    needs = {"haproxy": [find_program("haproxy", "HAPROXY")], "go": [find_program("go", "GO")],
             "go-lookups": [find_program("go", "GO"), find_program("gcc"),
                            "/usr/include/sqlite3.h"
                            if Path("/usr/include/sqlite3.h").exists() else None]}
    wanted = arguments.targets.split(",") if arguments.targets else list(TARGETS)
    if arguments.smoke and not arguments.targets:
        # Compiling Go's library anew could take longer than all the rest.
        wanted = [name for name in wanted if not name.startswith("go")]
    chosen = []
    for name in wanted:
        if all(needs.get(name, [True])):
            chosen.append(name)
        elif arguments.targets:
            raise PeerError(f"what {name} needs is not installed, see --help")
        else:
            note(f"without {name}: what it needs is not installed, see --help")
    return [name for name in TARGETS if name in chosen]


class Comparison:
    """One run."""

    def __init__(self, arguments: argparse.Namespace, stage: Stage, scenarios: list,
                 targets: list[str]):
        self.arguments, self.stage, self.scenarios = arguments, stage, scenarios
        self.wrk = find_program("wrk", "WRK")
        self.results = report.Results([s.name for s in scenarios] + ["sql-statements"],
                                      list(TARGETS))
        self.expected: set[tuple[str, str]] = set()
        minutes = 9 if arguments.quick else 4 if arguments.smoke else 180
        self.deadline = time.monotonic() + 60 * minutes
        for scenario in scenarios:
            if isinstance(scenario, Load) and scenario.document:
                stage.write_document(scenario.document)
            elif isinstance(scenario, (Held, Peak)):
                stage.write_document("1MiB")
        stage.write_document("1KiB")
        self.endpoint = Endpoint(stage)
        self.targets = [self.make_target(name, arguments) for name in targets]
        self.ours = next((t for t in self.targets if isinstance(t, Stratos)), None)
        # One more server for each size of the session table.
        self.by_rows: dict[int, Stratos] = {}
        stage.pin_self()
        for target in self.targets:
            if target.process is None:
                target.start()
        if self.ours:
            for rows in {s.rows for s in scenarios if isinstance(s, Load) and s.rows}:
                self.by_rows[rows] = Stratos(stage, self.endpoint, self.ours.server, rows)

    def make_target(self, name: str, arguments: argparse.Namespace) -> Target:
        if name == "stratos":
            server = find_server(arguments)
            if not server:
                raise PeerError("stratos-server was not found; build the release preset or set "
                                "STRATOS_SERVER")
            return Stratos(self.stage, self.endpoint, server)
        if name.startswith("go"):
            return GoProxy(self.stage, self.endpoint, name == "go-lookups")
        return {"direct": Direct, "nginx": Nginx, "haproxy": HaProxy}[name](self.stage,
                                                                          self.endpoint)

    # What is measured with whom.

    def targets_of(self, scenario) -> list[Target]:
        if isinstance(scenario, Load):
            if scenario.rows:
                return [self.by_rows[scenario.rows]] if self.ours else []
            return [t for t in self.targets if t.supports(scenario.route) and
                    (t is self.ours or not scenario.ours_only)]
        proxies = [t for t in self.targets if not isinstance(t, Direct)]
        if self.arguments.smoke:
            proxies = [t for t in proxies if t.name in ("nginx", "stratos")]
        if isinstance(scenario, Held) and scenario.ours_only:
            return [t for t in proxies if t is self.ours]
        if isinstance(scenario, Held) and scenario.streaming:
            # That one waits for whole bodies.
            return [t for t in proxies if t.name != "go-lookups"]
        return proxies

    def headers(self, target: Target, route: Route) -> dict[str, str]:
        ours = target if isinstance(target, Stratos) else self.ours
        return request_headers(ours, route)

    def verify(self, target: Target, scenario: Load) -> None:
        """The answer is the document, not an error page that would be quicker to serve."""
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self.stage.trust))
        request = urllib.request.Request(target.url(scenario.route),
                                         headers=self.headers(target, scenario.route))
        expected = document(scenario.document) if scenario.document else b""
        try:
            with opener.open(request, timeout=60) as response:
                body = response.read()
        except OSError as error:
            raise PeerError(f"{target.name} in {scenario.name}: {error}\n"
                            f"{target.process.tail() if target.process else ''}") from None
        if scenario.route.control:
            good = any(known["guid"] in self.ours.ids["http"] for known in json.loads(body))
        elif scenario.route.fan_out:
            parts = json.loads(body)
            good = len(parts) == scenario.route.fan_out and all(
                part == json.loads(expected) for part in parts.values())
        else:
            good = body == expected
        if not good:
            raise PeerError(f"{target.name} in {scenario.name} answers something else than the "
                            f"document: {body[:200]!r}")

    # Load.

    def wrk_command(self, target: Target, scenario: Load, seconds: float) -> list[str]:
        command = [self.wrk, "-t1", f"-c{scenario.connections}", "-d", f"{math.ceil(seconds)}s",
                   "--timeout", "30s", "--latency", "-s", str(HERE / "report.lua")]
        headers = self.headers(target, scenario.route)
        if not scenario.keep_alive:
            headers["Connection"] = "close"
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        command.append(target.url(scenario.route))
        if scenario.cookies:
            command += ["--", str(self.by_rows[scenario.rows].cookie_files[scenario.cookies])]
        return command

    @contextlib.contextmanager
    def load_beside(self, target: Target, scenario: Load | None):
        if scenario is None:
            yield
            return
        wrk = subprocess.Popen(self.wrk_command(target, scenario, 600), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.2)  # Until it has connected.
            yield
            if wrk.poll() is not None:
                raise PeerError(f"wrk ended early beside {target.name}")
        finally:
            wrk.kill()
            wrk.wait()

    def run_wrk(self, target: Target, scenario: Load, seconds: float):
        """Requests, seconds, bytes, errors, p50 and p99 in ms, and the greatest RSS meanwhile."""
        # wrk counts whole seconds only; an interrupt ends it in between.
        interrupt = seconds != math.ceil(seconds)
        command = self.wrk_command(target, scenario, seconds + 30 if interrupt else seconds)
        wrk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
        rss, start = 0, time.monotonic()
        try:
            while wrk.poll() is None:
                passed = time.monotonic() - start
                if interrupt and passed >= seconds:
                    # Again and again: it could miss one between starting and sleeping.
                    wrk.send_signal(signal.SIGINT)
                if target.process:
                    rss = max(rss, target.process.rss_kib())
                try:
                    wrk.wait(min(0.25, max(0.05, seconds - passed)))
                except subprocess.TimeoutExpired:
                    pass
                if passed > seconds + 60:
                    raise PeerError(f"wrk does not end with {target.name} in {scenario.name}")
            output = wrk.communicate(timeout=60)[0]
        finally:
            if wrk.poll() is None:
                wrk.kill()
                wrk.wait()
        found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
        if not found and interrupt and wrk.returncode == -signal.SIGINT:
            return 0, seconds, 0, 0, 0, 0, rss  # It had not even begun.
        if not found:
            raise PeerError(f"wrk said with {target.name} in {scenario.name}:\n{output}")
        requests, duration, size, sockets, statuses, p50, p99 = map(float, found[1].split())
        return requests, duration, size, sockets + statuses, p50, p99, rss

    def measure(self, target: Target, scenario: Load, repetition: int) -> None:
        seconds = max(self.arguments.seconds,
                      0 if self.arguments.smoke else scenario.least_seconds)
        process = target.process
        while True:
            before = process.cpu_seconds() if process else 0.0
            with self.load_beside(target, scenario.beside):
                requests, duration, size, errors, p50, p99, rss = self.run_wrk(target, scenario,
                                                                               seconds)
            cpu = process.cpu_seconds() - before if process else 0.0
            # A moment may be too short on a busy machine, for the clock of CPU time, too.
            if errors or (requests and (cpu or not process)) or seconds >= 5:
                break
            seconds *= 3
        if process:
            process.check()
        least = (requests * DOCUMENT_BYTES[scenario.document] * max(1, scenario.route.fan_out)
                 if scenario.document else 0)
        # wrk takes 3xx for a success, but those would be shorter than the document.
        if requests == 0 or errors > 0 or size < least:
            self.fail(f"{target.name}, {scenario.name}, repetition {repetition}: "
                      f"{requests:.0f} requests, {size:.0f} bytes, {errors:.0f} errors")
        self.results.add(
            target.name, scenario.name, repetition, rps=requests / duration, p50_ms=p50,
            p99_ms=p99,
            cpu_us=cpu / requests * 1e6 if process and requests and not scenario.beside else None,
            rss_kib=rss or None, errors=errors or None)

    def fail(self, text: str) -> None:
        note(f"FAILURE: {text}")
        self.results.failures.append(text)

    def warm_up(self, target: Target, route: Route) -> None:
        self.run_wrk(target, Load("warm-up", route), 0.2 if self.arguments.smoke else 0.5)

    def settle(self, target: Target, route: Route) -> None:
        """Load until memory grows no more: what connections cost comes on top of that."""
        before = 0
        for _ in range(2 if self.arguments.smoke else 12):
            self.warm_up(target, route)
            now = target.process.rss_kib()
            if now <= before * 1.01:
                return
            before = now

    def run_loads(self, loads: list[Load]) -> None:
        for scenario in loads:
            for target in self.targets_of(scenario):
                self.verify(target, scenario)
                self.expected.add((target.name, scenario.name))
        for target in [*self.targets, *self.by_rows.values()]:
            self.warm_up(target, Route())
        total = len(self.expected) * self.arguments.repetitions
        note(f"{total} measurements under load of {self.arguments.seconds:g} s")
        count = 0
        for repetition in range(1, self.arguments.repetitions + 1):
            # Scenarios in random order; within one, the targets directly after each other in random
            # order, so that what else the machine does hits all of them alike. So are the sizes of
            # the session table.
            for group in random.sample(self.groups(loads), len(self.groups(loads))):
                pairs = [(t, s) for s in group for t in self.targets_of(s)]
                for target, scenario in random.sample(pairs, len(pairs)):
                    self.measure(target, scenario, repetition)
                    count += 1
                note(f"{count}/{total}: {', '.join(s.name for s in group)}")
                if time.monotonic() > self.deadline:
                    self.fail(f"out of time in repetition {repetition}")
                    return

    @staticmethod
    def groups(loads: list[Load]) -> list[list[Load]]:
        tables = [s for s in loads if s.rows]
        return [[s] for s in loads if not s.rows] + ([tables] if tables else [])

    # Memory, each time of a fresh process: what earlier load has left would hide what is added.

    def run_memory(self, scenarios: list) -> None:
        for repetition in range(1, (1 if self.arguments.quick else 3) + 1):
            for scenario in random.sample(scenarios, len(scenarios)):
                proxies = self.targets_of(scenario)
                for target in random.sample(proxies, len(proxies)):
                    if time.monotonic() > self.deadline:
                        self.fail("out of time while measuring memory")
                        return
                    self.expected.add((target.name, scenario.name))
                    self.measure_memory(target, scenario, repetition)
                note(f"memory: {scenario.name}")
            if self.arguments.smoke:
                break

    def measure_memory(self, target: Target, scenario, repetition: int) -> None:
        count = scenario.connections
        if isinstance(scenario, Held):
            # A stream takes the proxy two descriptors, the endpoint and us one each.
            available = (self.stage.descriptors - 300) // (2 if scenario.streaming else 1)
            if count > available:
                note(f"{scenario.name}: {available} connections only, by the limit of open files")
                count = available
        target.restart()
        if isinstance(scenario, Peak):
            *_, rss = self.run_wrk(target, Load(scenario.name, connections=count),
                                   self.arguments.seconds)
            self.results.add(target.name, scenario.name, repetition, rss_kib=rss)
        else:
            path = "/v3/slow/1MiB.json" if scenario.streaming else "/v3/1KiB.json"
            route = Route(scenario.scheme, path=path)
            self.settle(target, Route(scenario.scheme))
            held, each, rss = hold(target.process, target.url(route),
                                   self.headers(target, route), count, scenario.streaming,
                                   0.5 if self.arguments.smoke else 2, 45)
            if held < count:
                note(f"{target.name} holds {held} of {count} connections in {scenario.name}")
            self.results.add(target.name, scenario.name, repetition, connections=held,
                             connections_wanted=count, kib_per_connection=each,
                             rss_kib=rss)

    # Counted things.

    def count_syscalls(self, scenario: Load) -> None:
        for target in self.targets_of(scenario):
            if target.process is None or (self.arguments.smoke and target is not self.ours):
                continue
            calls = self.trace(target, scenario)
            if calls is None:
                note(f"system calls of {target.name}: not measured")
                continue
            self.results.add(target.name, scenario.name, 1, syscalls=calls)

    def trace(self, target: Target, scenario: Load) -> float | None:
        """System calls per request, by perf or else by strace; None when neither can."""
        pids = target.process.pids()
        out = self.stage.directory / "trace"
        tracers = []
        if find_program("perf"):
            tracers.append((["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o", out,
                             "-p", ",".join(map(str, pids))], r"^(\d+),[^,]*,raw_syscalls"))
        if find_program("strace"):
            attach = [word for pid in pids for word in ("-p", str(pid))]
            tracers.append((["strace", "-c", "-f", "-o", out, *attach],
                            r"^\s*100\.00\s+\S+\s+\S+\s+(\d+)\s.*total$"))
        for command, pattern in tracers:
            out.unlink(missing_ok=True)
            tracer = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(0.5)  # Neither says when it has attached; nothing is asked before.
                if tracer.poll() is not None:
                    continue
                requests, *_ = self.run_wrk(target, scenario, min(1.0, self.arguments.seconds))
            finally:
                if tracer.poll() is None:
                    tracer.send_signal(signal.SIGINT)
                try:
                    tracer.wait(20)
                except subprocess.TimeoutExpired:
                    tracer.kill()
                    tracer.wait()
            found = re.search(pattern, out.read_text() if out.exists() else "", re.MULTILINE)
            if found and int(found[1]) > 0 and requests > 0:
                return int(found[1]) / requests
        return None

    def count_statements(self) -> None:
        """By console_bench, which knows: what the iterations after the first ones add."""
        if not self.ours:
            return
        program = Path(self.ours.server).parent.parent / "bench/console_bench"
        if not program.exists():
            note(f"SQL statements: not measured, there is no {program.name} beside the server")
            return
        totals = []
        for seconds in ("0.05", "0.5"):
            done = subprocess.run(
                [program, "--benchmark_filter=^BM_HandleProxiedGet$", "--benchmark_format=json",
                 f"--benchmark_min_time={seconds}"],
                capture_output=True, text=True, timeout=120, check=False)
            if done.returncode != 0:
                self.fail(f"console_bench: {done.stderr}")
                return
            run = json.loads(done.stdout)["benchmarks"][0]
            totals.append((run["iterations"], run["sql_statements"] * run["iterations"]))
        (fewer, first), (more, second) = totals
        if more <= fewer:
            note("SQL statements: not measured, the machine is too busy")
            return
        per_request = max(0.0, second - first) / (more - fewer)
        self.expected.add(("stratos", "sql-statements"))
        self.results.add("stratos", "sql-statements", 1, sql_statements=round(per_request, 3))

    def run(self) -> None:
        loads = [s for s in self.scenarios if isinstance(s, Load)]
        memory = [s for s in self.scenarios if isinstance(s, (Held, Peak))]
        self.run_loads(loads)
        base = next((s for s in loads if s.name in ("http-1KiB-64", "http-1KiB-8")), None)
        if base:
            self.count_syscalls(base)
        if not self.arguments.smoke:
            self.count_statements()
        self.run_memory(memory)


def summary(comparison: Comparison) -> str:
    arguments, results = comparison.arguments, comparison.results
    parts = []
    if results.failures:
        parts.append("**THESE NUMBERS ARE NOT VALID:**\n" +
                     "\n".join(f"- {text}" for text in results.failures))
    if arguments.repetitions < 5:
        parts.append(f"Too few repetitions for a claim ({arguments.repetitions}).")
    parts.append(
        f"{arguments.repetitions} repetitions of {arguments.seconds:g} s, "
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}; load average before "
        f"it {LOAD_AVERAGE:.1f}; cores bound: {'yes' if comparison.stage.pinned else 'no'}; "
        f"access logs: {'yes' if arguments.log else 'no'}.\nMedians, in parentheses the least and "
        'the greatest; "vs nginx" is the median of the ratios within each repetition.')
    parts.append(report.markdown(results))
    parts.append(report.verdict_table(results))
    return "\n\n".join(parts) + "\n"


def check_smoke(comparison: Comparison, file: Path) -> list[str]:
    # CPU time beside other load cannot be told apart.
    names = {s.name for s in comparison.scenarios if isinstance(s, Load) and not s.beside}
    errors = report.schema_errors(json.loads(file.read_text()), comparison.expected, names)
    for target, scenario in comparison.expected:
        held = comparison.results.median(target, scenario, "connections")
        wanted = comparison.results.median(target, scenario, "connections_wanted")
        if held != wanted:
            errors.append(f"{target} in {scenario} holds {held} of {wanted} connections")
    return errors


def main() -> int:
    arguments = parse_arguments()
    scenarios = (quick_scenarios() if arguments.quick else smoke_scenarios() if arguments.smoke
                 else full_scenarios())
    patterns = arguments.scenarios.split(",")
    scenarios = [s for s in scenarios if any(fnmatch.fnmatch(s.name, p) for p in patterns)]
    if arguments.list:
        print("\n".join(s.name for s in scenarios))
        return 0
    if not scenarios:
        note(f"no scenario is like {arguments.scenarios}; --list names them")
        return 2
    missing = [package for program, variable, package in
               (("nginx", "NGINX", "nginx-light"), ("wrk", "WRK", "wrk"),
                ("openssl", "", "openssl")) if not find_program(program, variable)]
    if missing:
        note(f"{'SKIPPED, ' if arguments.smoke else ''}"
             f"these Debian packages are missing: {' '.join(missing)}")
        return SKIPPED if arguments.smoke else 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Stage(not arguments.no_pin, arguments.log) as stage:
        if not stage.pinned and not arguments.no_pin:
            note("nothing is bound to cores: that takes two of them, and taskset")
        comparison = Comparison(arguments, stage, scenarios, choose_targets(arguments))
        comparison.run()
        text = summary(comparison)
        results = comparison.results
        json_file = arguments.json or (stage.directory / "results.json")
        json_file.write_text(
            "[\n" + ",\n".join(json.dumps(row) for row in results.rows()) + "\n]\n")
        for path, content in ((arguments.markdown, text),
                              (arguments.svg, report.svg(results) if arguments.svg else "")):
            if path:
                path.write_text(content)
        print(text)
        if arguments.smoke:
            for error in check_smoke(comparison, json_file):
                comparison.fail(error)
    if results.failures:
        note(f"THE NUMBERS ARE NOT VALID: {len(results.failures)} failures, see above")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PeerError as error:
        note(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
