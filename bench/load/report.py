"""What was measured, as medians, ratios, JSON rows, a Markdown table, an SVG plot, and verdicts."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from html import escape

OURS = "stratos"
#: Keys of every row in the JSON file; the numbers are null where they make no sense.
TEXT_KEYS = ("target", "scenario")
NUMBER_KEYS = ("rps", "p50_ms", "p99_ms", "cpu_us", "rss_kib")
#: Rows of some scenarios have these, too.
OPTIONAL_KEYS = ("syscalls", "connections", "connections_wanted", "kib_per_connection",
                 "sql_statements", "errors")
FIELDS = NUMBER_KEYS + OPTIONAL_KEYS


@dataclass
class Results:
    """Samples of (target, scenario) by repetition; a sample is a dict of FIELDS."""

    #: All names there may be, in the order in which they are shown.
    scenario_order: list[str]
    target_order: list[str]
    samples: dict[tuple[str, str], dict[int, dict[str, float]]] = field(default_factory=dict)
    #: What makes the figures invalid.
    failures: list[str] = field(default_factory=list)

    def add(self, target: str, scenario: str, repetition: int, **sample: float | None) -> None:
        known = {key: value for key, value in sample.items() if value is not None}
        own = self.samples.setdefault((target, scenario), {})
        own.setdefault(repetition, {}).update(known)

    def values(self, target: str, scenario: str, key: str) -> list[float]:
        own = self.samples.get((target, scenario), {})
        return [sample[key] for sample in own.values() if key in sample]

    def median(self, target: str, scenario: str, key: str) -> float | None:
        values = self.values(target, scenario, key)
        return statistics.median(values) if values else None

    def ratio(self, target: str, other: str, scenario: str, key: str,
              other_scenario: str = "") -> float | None:
        """Median of the ratios within each repetition, so that a slow minute counts for neither."""
        mine = self.samples.get((target, scenario), {})
        theirs = self.samples.get((other, other_scenario or scenario), {})
        ratios = [mine[n][key] / theirs[n][key] for n in mine.keys() & theirs.keys()
                  if key in mine[n] and theirs[n].get(key)]
        return statistics.median(ratios) if ratios else None

    def pairs(self) -> list[tuple[str, str]]:
        return [(target, scenario) for scenario in self.scenario_order
                for target in self.target_order if (target, scenario) in self.samples]

    def rows(self) -> list[dict]:
        rows = []
        for target, scenario in self.pairs():
            row: dict = {"target": target, "scenario": scenario}
            for key in FIELDS:
                value = self.median(target, scenario, key)
                if value is not None or key in NUMBER_KEYS:
                    row[key] = None if value is None else round(value, 4)
            rows.append(row)
        return rows


def schema_errors(rows: object, expected: set[tuple[str, str]], loads: set[str]) -> list[str]:
    """What is wrong with the content of a JSON file. `expected` are the (target, scenario) pairs
    that it must have, exactly; `loads` the scenarios in which requests are counted."""
    if not isinstance(rows, list):
        return ["the file is no array"]
    errors, seen = [], set()
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str)
                                                for key in TEXT_KEYS):
            errors.append(f"row {number} does not name its target and scenario")
            continue
        name = (row["target"], row["scenario"])
        if name in seen:
            errors.append(f"{name} is there twice")
        seen.add(name)
        for key in NUMBER_KEYS:
            if key not in row:
                errors.append(f"{name} has no {key}")
        for key, value in row.items():
            if key in TEXT_KEYS:
                continue
            if key not in FIELDS:
                errors.append(f"{name} has an unknown key {key}")
            elif value is not None and (isinstance(value, bool) or
                                        not isinstance(value, (int, float)) or value < 0):
                errors.append(f"{name}: {key} is {value!r}")
        if row["scenario"] in loads:
            wanted = ["rps", "p50_ms", "p99_ms"]
            if row["target"] != "direct":
                wanted += ["cpu_us", "rss_kib"]
            errors += [f"{name}: {key} is not above 0" for key in wanted if not row.get(key)]
            if (row.get("p50_ms") or 0) > (row.get("p99_ms") or 0):
                errors.append(f"{name}: p50 is above p99")
    errors += [f"{name} is missing" for name in sorted(expected - seen)]
    errors += [f"{name} was not asked for" for name in sorted(seen - expected)]
    return errors


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _table(head: list[str], lines: list[list[str]], left: int) -> str:
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def markdown(results: Results) -> str:
    """Medians, in parentheses the least and the greatest."""
    loads, held = [], []
    for target, scenario in results.pairs():
        def cell(key: str, pair: tuple[str, str] = (target, scenario)) -> str:
            values = results.values(*pair, key)
            text = _number(statistics.median(values)) if values else "-"
            if len(values) > 1:
                text += f" ({_number(min(values))}-{_number(max(values))})"
            return text

        def versus(key: str, pair: tuple[str, str] = (target, scenario)) -> str:
            return "1" if pair[0] == "nginx" else _number(
                results.ratio(pair[0], "nginx", pair[1], key))
        if results.values(target, scenario, "rps"):
            loads.append([scenario, target, cell("rps"), versus("rps"), cell("p50_ms"),
                          cell("p99_ms"), cell("cpu_us"), versus("cpu_us"), cell("rss_kib"),
                          cell("syscalls")])
        elif results.values(target, scenario, "rss_kib"):
            held.append([scenario, target, cell("connections"), cell("kib_per_connection"),
                         cell("rss_kib")])
    parts = []
    if loads:
        parts.append(_table(["scenario", "target", "requests/s", "vs nginx", "p50 ms", "p99 ms",
                             "CPU µs/request", "vs nginx", "RSS KiB", "system calls/request"],
                            loads, 2))
    if held:
        parts.append(_table(["memory", "target", "connections held", "KiB each", "RSS KiB"],
                            held, 2))
    return "\n\n".join(parts)


@dataclass
class Verdict:
    """One "must" of the targets: every one of `values` has to keep to it."""

    text: str
    must: float
    goal: float
    at_least: bool
    values: dict[str, float | None]
    unit: str = ""

    def keeps(self, bound: float) -> bool:
        known = [value for value in self.values.values() if value is not None]
        return all(v >= bound if self.at_least else v <= bound for v in known)

    def verdict(self) -> str:
        known = {name: value for name, value in self.values.items() if value is not None}
        if known and not self.keeps(self.must):
            return "**MISSED**"
        if len(known) < len(self.values) or not known:
            return "not measured"
        return "goal reached" if self.keeps(self.goal) else "holds"

    def line(self) -> list[str]:
        sign = "≥" if self.at_least else "≤"
        measured = ", ".join(f"{name} {_number(value)}" if name else _number(value)
                             for name, value in self.values.items())
        return [self.text, f"{sign} {self.must:g}{self.unit}", f"{sign} {self.goal:g}{self.unit}",
                measured, self.verdict()]


def verdicts(results: Results) -> list[Verdict]:
    four = ("http-1KiB-64", "http-1KiB-256", "https-1KiB-64", "https-1KiB-256")
    two = ("http-1KiB-64", "https-1KiB-64")

    def against(other: str, key: str, scenarios: tuple[str, ...]) -> dict[str, float | None]:
        return {name: results.ratio(OURS, other, name, key) for name in scenarios}

    def held(prefix: str, key: str) -> dict[str, float | None]:
        names = [name for target, name in results.pairs()
                 if target == OURS and name.startswith(prefix)]
        return {name: results.median(OURS, name, key) for name in names} or {"": None}

    def streams() -> float | None:
        open_ones = results.median(OURS, "open-streams", "connections")
        wanted = results.median(OURS, "open-streams", "connections_wanted")
        # All that there could be here, and too few to tell.
        return None if open_ones is None or open_ones == wanted < 5000 else open_ones

    return [
        Verdict("requests/s vs nginx", 0.75, 1.0, True, against("nginx", "rps", four)),
        Verdict("CPU per request vs nginx", 1.15, 0.9, False, against("nginx", "cpu_us", four)),
        Verdict("requests/s vs Go ReverseProxy", 1.5, 2.5, True, against("go", "rps", two)),
        Verdict("requests/s vs the same with 4 SQLite look-ups", 3, 5, True,
                against("go-lookups", "rps", two)),
        Verdict("p50 at 1 connection vs nginx", 1.2, 1.0, False,
                against("nginx", "p50_ms", ("http-1KiB-1",))),
        Verdict("p99 at 64 connections vs nginx", 1.5, 1.2, False,
                against("nginx", "p99_ms", two)),
        Verdict("requests/s vs nginx, 1 MiB bodies", 1.0, 1.5, True,
                against("nginx", "rps", ("http-1MiB-64",))),
        Verdict("memory per idle plain connection", 4, 1, False,
                held("idle-", "kib_per_connection"), " KiB"),
        Verdict("memory per slow stream", 16, 4, False,
                held("streams-", "kib_per_connection"), " KiB"),
        Verdict("memory per slow TLS stream", 64, 40, False,
                held("tls-streams-", "kib_per_connection"), " KiB"),
        Verdict("SQL statements per request in steady state", 0, 0, False,
                {"": results.median(OURS, "sql-statements", "sql_statements")}),
        Verdict("CPU per request with 100,000 sessions vs 10", 1.1, 1.0, False,
                {"": results.ratio(OURS, OURS, "sessions-100000", "cpu_us", "sessions-10")}),
        Verdict("open streams in one process", 5000, 10000, True,
                {"": streams()}),
    ]


def verdict_table(results: Results) -> str:
    return _table(["target", "must", "goal", "measured", "verdict"],
                  [verdict.line() for verdict in verdicts(results)], 1)


COLOURS = {"direct": "#b0b0b0", "nginx": "#009e73", "haproxy": "#0072b2", "go": "#56b4e9",
           "go-lookups": "#cc79a7", OURS: "#d55e00"}


def svg(results: Results) -> str:
    """Requests per second as multiples of nginx', one group of bars per scenario."""
    groups = []
    for scenario in results.scenario_order:
        bars = [(target, results.ratio(target, "nginx", scenario, "rps"))
                for target in results.target_order if target != "direct"]
        known = [(target, ratio) for target, ratio in bars if ratio is not None]
        if len(known) > 1:
            groups.append((scenario, known))
    longest = max((ratio for _, bars in groups for _, ratio in bars), default=1.0)
    scale, label, bar, x0 = 480 / max(longest, 1.0), 20, 13, 150
    y, parts = 46, []
    for scenario, bars in groups:
        parts.append(f'<text x="{x0 - 8}" y="{y + bar * len(bars) / 2 + 4:.0f}" '
                     f'text-anchor="end">{escape(scenario)}</text>')
        for target, ratio in bars:
            parts.append(f'<rect x="{x0}" y="{y}" width="{ratio * scale:.1f}" height="{bar - 2}" '
                         f'fill="{COLOURS.get(target, "#000")}"><title>{escape(target)} '
                         f'{ratio:.2f}</title></rect>')
            parts.append(f'<text x="{x0 + ratio * scale + 4:.1f}" y="{y + bar - 4}" '
                         f'font-size="9">{ratio:.2f}</text>')
            y += bar
        y += 10
    x = x0
    for target in dict.fromkeys(target for _, bars in groups for target, _ in bars):
        parts.append(f'<rect x="{x}" y="26" width="10" height="10" '
                     f'fill="{COLOURS.get(target, "#000")}"/>'
                     f'<text x="{x + 14}" y="35">{escape(target)}</text>')
        x += 90
    one = x0 + scale
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="700" height="{y + label}" '
            f'font-family="sans-serif" font-size="11">\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n'
            f'<text x="{x0}" y="16" font-size="13">requests/s, nginx = 1</text>\n'
            f'<line x1="{one:.1f}" y1="42" x2="{one:.1f}" y2="{y}" stroke="#888" '
            f'stroke-dasharray="3 3"/>\n' + "\n".join(parts) + "\n</svg>\n")
