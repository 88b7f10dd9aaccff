#!/usr/bin/env python3
"""Tests of tools/test: that what goes wrong in a test program is counted, and never taken for a pass."""

import importlib.machinery
import importlib.util
import json
import sys
import tempfile
import unittest
from pathlib import Path

LOADER = importlib.machinery.SourceFileLoader("runner", str(Path(__file__).resolve().parent / "test"))
runner = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", LOADER))
sys.modules["runner"] = runner
sys.dont_write_bytecode = True
LOADER.exec_module(runner)


class RunnerTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def program(self, body, name="thing_test"):
        path = self.directory / name
        path.write_text(f"#!/usr/bin/env python3\nimport sys\n{body}\n")
        path.chmod(0o755)
        return path

    def gtest(self, cases, code=0, says=""):
        """A program that prints `says` and reports `cases` as googletest does."""
        report = json.dumps({"testsuites": [{"name": "Suite", "testsuite": cases}]})
        out = "next(a for a in sys.argv if a.startswith('--gtest_output')).split(':', 1)[1]"
        return self.program(f"print({says!r})\nopen({out}, 'w').write({report!r})\nsys.exit({code})")

    def test_passes_failures_and_skips_are_told_apart(self):
        cases = [
            {"name": "good", "result": "COMPLETED"},
            {"name": "bad", "result": "COMPLETED", "failures": [{"failure": "x"}]},
            {"name": "later", "result": "SKIPPED"},
        ]
        says = "thing_test.cc:20: Skipped\nneeds a server\n"
        outcome = runner.run_gtest(self.gtest(cases, code=1, says=says))
        self.assertEqual(outcome.passed, 1)
        self.assertEqual(outcome.failed, ["thing_test: Suite.bad"])
        self.assertEqual(outcome.skipped, [("thing_test: Suite.later", "needs a server")])

    def test_a_crash_without_a_report_is_a_failure(self):
        outcome = runner.run_gtest(self.program("import os; os.kill(os.getpid(), 11)"))
        self.assertEqual(outcome.failed, ["thing_test: killed by SIGSEGV"])

    def test_a_failing_exit_after_passing_tests_is_a_failure(self):
        outcome = runner.run_gtest(self.gtest([{"name": "good", "result": "COMPLETED"}], code=23))
        self.assertEqual(outcome.failed, ["thing_test: exit code 23"])

    def test_a_program_without_tests_is_a_failure(self):
        self.assertEqual(runner.run_gtest(self.gtest([])).failed, ["thing_test: ran no test"])

    def test_a_program_that_hangs_is_killed(self):
        runner.TIMEOUT_S["unit"], before = 1, runner.TIMEOUT_S["unit"]
        self.addCleanup(runner.TIMEOUT_S.__setitem__, "unit", before)
        outcome = runner.run_gtest(self.program("import time; time.sleep(60)"))
        self.assertEqual(outcome.failed, ["thing_test: killed after 1 s"])
        self.assertLess(outcome.seconds, 20)

    def test_a_program_that_was_not_built_is_a_failure(self):
        self.assertEqual(runner.missing(self.directory / "gone_test").failed, ["gone_test: was not built"])

    def test_a_fuzz_program_counts_by_its_exit(self):
        self.assertEqual(runner.run_fuzzer(self.program("", "a_fuzz"), None).passed, 1)
        self.assertEqual(runner.run_fuzzer(self.program("sys.exit(77)", "b_fuzz"), None).failed, ["b_fuzz: exit code 77"])

    def test_python_test_files_are_counted(self):
        body = "import unittest\nclass T(unittest.TestCase):\n  def test_a(self): pass\n  def test_b(self): self.fail()\nunittest.main()"
        outcome = runner.run_python_test(self.program(body, "x_test.py"))
        self.assertEqual(outcome.passed, 1)
        self.assertEqual(len(outcome.failed), 1)
        self.assertIn("test_b", outcome.failed[0])

    def test_pytest_reports_are_counted(self):
        report = self.directory / "report.xml"
        report.write_text(
            '<testsuites><testsuite><testcase classname="a" name="good"/>'
            '<testcase classname="a" name="bad"><failure/></testcase><testcase classname="a" name="broken"><error/></testcase>'
            '<testcase classname="a" name="later"><skipped message="no browser"/></testcase></testsuite></testsuites>'
        )
        outcome = runner.Outcome("pytest")
        runner.read_junit(report, outcome)
        self.assertEqual((outcome.passed, outcome.failed), (1, ["a.bad", "a.broken"]))
        self.assertEqual(outcome.skipped, [("a.later", "no browser")])


if __name__ == "__main__":
    unittest.main()
