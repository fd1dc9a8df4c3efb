"""Tests of what report.py makes of samples."""

import unittest
import xml.etree.ElementTree

import report

TARGETS = ["direct", "nginx", "go", "stratos"]


def results(*samples) -> report.Results:
    made = report.Results(list(dict.fromkeys(scenario for _, scenario, *_ in samples)), TARGETS)
    for target, scenario, repetition, values in samples:
        made.add(target, scenario, repetition, **values)
    return made


def verdict(made: report.Results, start: str) -> str:
    return next(v for v in report.verdicts(made) if v.text.startswith(start)).verdict()


def against_nginx(key: str, *ratios: float) -> report.Results:
    scenarios = ("http-1KiB-64", "http-1KiB-256", "https-1KiB-64", "https-1KiB-256")
    return results(*(sample for name, ratio in zip(scenarios, ratios)
                     for sample in (("nginx", name, 1, {key: 100.0}),
                                    ("stratos", name, 1, {key: 100.0 * ratio}))))


class ResultsTest(unittest.TestCase):
    def test_ratio_is_taken_within_each_repetition(self):
        made = results(*(sample for n, (ours, nginx) in enumerate([(50, 100), (5, 10), (60, 100)])
                         for sample in (("stratos", "a", n, {"rps": ours}),
                                        ("nginx", "a", n, {"rps": nginx}))))
        self.assertEqual(made.median("stratos", "a", "rps"), 50)
        self.assertAlmostEqual(made.ratio("stratos", "nginx", "a", "rps"), 0.5)

    def test_ratio_needs_both(self):
        made = results(("stratos", "a", 1, {"rps": 1.0}), ("nginx", "a", 2, {"rps": 1.0}))
        self.assertIsNone(made.ratio("stratos", "nginx", "a", "rps"))

    def test_rows_have_every_key(self):
        row = results(("direct", "a", 1, {"rps": 2.0, "cpu_us": None})).rows()[0]
        self.assertEqual(row, {"target": "direct", "scenario": "a", "rps": 2.0, "p50_ms": None,
                               "p99_ms": None, "cpu_us": None, "rss_kib": None})


class VerdictTest(unittest.TestCase):
    def test_the_worst_value_counts(self):
        self.assertEqual(verdict(against_nginx("rps", 1.2, 1.1, 1.0, 0.74), "requests/s vs nginx"),
                         "**MISSED**")
        self.assertEqual(verdict(against_nginx("rps", 1.2, 1.1, 1.0, 0.75), "requests/s vs nginx"),
                         "holds")
        self.assertEqual(verdict(against_nginx("rps", 1.2, 1.1, 1.0, 1.0), "requests/s vs nginx"),
                         "goal reached")

    def test_less_is_better_for_costs(self):
        self.assertEqual(verdict(against_nginx("cpu_us", 0.8, 0.8, 0.8, 1.16), "CPU per request vs"),
                         "**MISSED**")
        self.assertEqual(verdict(against_nginx("cpu_us", 0.8, 0.8, 0.8, 1.15), "CPU per request vs"),
                         "holds")

    def test_what_is_incomplete_does_not_hold_but_can_miss(self):
        self.assertEqual(verdict(against_nginx("rps", 1.2, 1.1), "requests/s vs nginx"),
                         "not measured")
        self.assertEqual(verdict(against_nginx("rps", 1.2, 0.1), "requests/s vs nginx"),
                         "**MISSED**")
        self.assertEqual(verdict(results(), "memory per idle"), "not measured")

    def test_sessions_are_compared_with_each_other(self):
        made = results(("stratos", "sessions-10", 1, {"cpu_us": 100.0}),
                       ("stratos", "sessions-100000", 1, {"cpu_us": 111.0}))
        self.assertEqual(verdict(made, "CPU per request with"), "**MISSED**")

    def test_no_statement_at_all(self):
        for count, expected in ((0.0, "goal reached"), (0.001, "**MISSED**")):
            made = results(("stratos", "sql-statements", 1, {"sql_statements": count}))
            self.assertEqual(verdict(made, "SQL"), expected)

    def test_too_few_descriptors_prove_nothing(self):
        for held, wanted, expected in ((900, 900, "not measured"), (900, 5000, "**MISSED**"),
                                       (5000, 5000, "holds")):
            made = results(("stratos", "open-streams", 1,
                            {"connections": held, "connections_wanted": wanted}))
            self.assertEqual(verdict(made, "open streams"), expected)


class SchemaTest(unittest.TestCase):
    GOOD = {"target": "nginx", "scenario": "a", "rps": 1.0, "p50_ms": 1.0, "p99_ms": 2.0,
            "cpu_us": 3.0, "rss_kib": 4}

    def errors(self, **changes) -> list[str]:
        row = {key: value for key, value in {**self.GOOD, **changes}.items() if value != "gone"}
        return report.schema_errors([row], {("nginx", "a")}, {"a"})

    def test_accepts_what_is_right(self):
        self.assertEqual(self.errors(), [])
        self.assertEqual(self.errors(syscalls=7.5), [])

    def test_refuses_what_is_wrong(self):
        for changes in ({"rps": "gone"}, {"rps": 0}, {"rps": "many"}, {"rps": None},
                        {"cpu_us": None}, {"rss_kib": -1}, {"p50_ms": 3.0}, {"rps": True},
                        {"unheard_of": 1}, {"target": 5}, {"scenario": "b"}):
            self.assertTrue(self.errors(**changes), changes)
        self.assertTrue(report.schema_errors({}, set(), set()))
        self.assertTrue(report.schema_errors([self.GOOD, self.GOOD], {("nginx", "a")}, {"a"}))
        self.assertTrue(report.schema_errors([], {("nginx", "a")}, {"a"}))


class PresentationTest(unittest.TestCase):
    def test_plot_is_well_formed_and_names_all(self):
        made = against_nginx("rps", 0.5, 2.0, 1.0, 1.0)
        plot = report.svg(made)
        xml.etree.ElementTree.fromstring(plot)
        for text in ("nginx", "stratos", "https-1KiB-256", "2.00"):
            self.assertIn(text, plot)
        xml.etree.ElementTree.fromstring(report.svg(results()))

    def test_table_shows_median_and_extremes(self):
        made = results(*(("stratos", "a", n, {"rps": value}) for n, value in enumerate((3, 1, 2))))
        self.assertIn("| a | stratos | 2.00 (1.00-3.00) | - |", report.markdown(made))


if __name__ == "__main__":
    unittest.main()
