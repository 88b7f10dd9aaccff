#!/usr/bin/env python3
"""Tests of tools/spec: what it makes of TLC's output, and that the configurations say what they must do."""

import importlib.machinery
import importlib.util
import re
import sys
import unittest
from pathlib import Path

LOADER = importlib.machinery.SourceFileLoader("spec", str(Path(__file__).resolve().parent / "spec"))
spec = importlib.util.module_from_spec(importlib.util.spec_from_loader("spec", LOADER))
sys.modules["spec"] = spec
sys.dont_write_bytecode = True
LOADER.exec_module(spec)

COUNTS = "284701 states generated, 65716 distinct states found, 0 states left on queue.\n"
HOLDS = "Model checking completed. No error has been found.\n" + COUNTS
INVARIANT = "Error: Invariant NoLostForGood is violated.\nError: The behavior up to this point is:\n" + COUNTS
ACTION = "Error: Action property MonotoneFloor is violated.\n" + COUNTS
TEMPORAL = "Error: Temporal properties were violated.\n\nError: The following behavior ...\n" + COUNTS
PARSE = "Parsing file Wal.tla\nError: Parsing or semantic analysis failed.\n"
PROGRESS = "Progress(12) at 2026-01-01 00:00:00: 900 states generated (900 s/min), 400 distinct states found\n"


def config(expects, violated=""):
    return spec.Config("X", "Wal", expects, violated, "quick", "about")


class JudgeTest(unittest.TestCase):
    def test_a_base_configuration_must_end_without_an_error(self):
        verdict = spec.judge(config("holds"), HOLDS)
        self.assertTrue(verdict.ok)
        self.assertEqual((verdict.generated, verdict.distinct), (284701, 65716))
        self.assertFalse(spec.judge(config("holds"), INVARIANT).ok)
        self.assertFalse(spec.judge(config("holds"), COUNTS).ok)
        self.assertFalse(spec.judge(config("holds"), "").ok)

    def test_a_mutant_must_violate_the_property_it_names(self):
        self.assertTrue(spec.judge(config("violates", "NoLostForGood"), INVARIANT).ok)
        self.assertTrue(spec.judge(config("violates", "MonotoneFloor"), ACTION).ok)
        self.assertTrue(spec.judge(config("violates", "temporal"), TEMPORAL).ok)
        self.assertFalse(spec.judge(config("violates", "NoDuplicate"), INVARIANT).ok)
        self.assertFalse(spec.judge(config("violates", "temporal"), INVARIANT).ok)

    def test_a_mutant_that_holds_is_a_surprise(self):
        verdict = spec.judge(config("violates", "NoLostForGood"), HOLDS)
        self.assertFalse(verdict.ok)
        self.assertEqual(verdict.got, "holds")

    def test_a_model_that_does_not_parse_is_no_violation(self):
        for expects in ("holds", "violates", "walks"):
            verdict = spec.judge(config(expects, "NoLostForGood"), PARSE)
            self.assertFalse(verdict.ok)
            self.assertIn("Parsing or semantic analysis failed", verdict.got)

    def test_no_end_within_the_limit_is_a_surprise_and_shows_how_far_it_came(self):
        verdict = spec.judge(config("holds"), PROGRESS, ended=False)
        self.assertFalse(verdict.ok)
        self.assertEqual(verdict.distinct, 400)

    def test_a_model_of_one_state_checks_nothing(self):
        one = "Model checking completed. No error has been found.\n1 states generated, 1 distinct states found\n"
        self.assertFalse(spec.judge(config("holds"), one).ok)

    def test_random_walks_end_by_the_limit_and_must_have_walked(self):
        walked = "Progress: 892,024 states checked.\n"
        self.assertTrue(spec.judge(config("walks"), walked, ended=False).ok)
        self.assertFalse(spec.judge(config("walks"), "", ended=False).ok)
        self.assertFalse(spec.judge(config("walks"), INVARIANT).ok)

    def test_new_results_take_their_place_in_the_tables(self):
        known = {n: spec.Config(n, "Wal", "violates" if "M_" in n else "holds", "", "quick", "") for n in ("A", "B", "M_x")}
        head = "| Configuration |\n|---|\n"
        readme = f"top\n<!-- base -->\n{head}| `B` | old |\n| `Gone` | |\n<!-- end -->\nmiddle\n"
        readme += f"<!-- mutants -->\n{head}<!-- end -->\nbottom\n"
        new = spec.with_results(readme, {"A": "| `A` | 1 |", "M_x": "| `M_x` | 2 |"}, known)
        want = f"top\n<!-- base -->\n{head}| `A` | 1 |\n| `B` | old |\n<!-- end -->\nmiddle\n"
        self.assertEqual(new, want + f"<!-- mutants -->\n{head}| `M_x` | 2 |\n<!-- end -->\nbottom\n")
        self.assertEqual(spec.with_results(new, {}, known), new)


class ConfigTest(unittest.TestCase):
    def test_a_header_without_an_expectation_is_refused(self):
        with self.assertRaises(ValueError):
            spec.read_config("X", "SPECIFICATION Spec\n")
        with self.assertRaises(ValueError):
            spec.read_config("X", "\\* Wal | violates | quick | nothing named\n")

    def test_every_configuration_names_a_model_and_checks_what_it_expects(self):
        configs = spec.load_configs()
        self.assertGreater(len(configs), 40)
        for c in configs.values():
            text = (spec.SPEC / "cfg" / f"{c.name}.cfg").read_text()
            self.assertTrue((spec.SPEC / f"{c.module}.tla").exists(), c.name)
            checked = re.findall(r"^(?:INVARIANTS?|PROPERTY|PROPERTIES) (.+)$", text, re.MULTILINE)
            self.assertTrue(checked, f"{c.name} checks nothing")
            if c.expects == "violates" and c.violated != "temporal":
                self.assertIn(c.violated, " ".join(checked).split(), c.name)

    def test_a_mutant_removes_a_safeguard_and_a_base_configuration_none(self):
        for c in spec.load_configs().values():
            text = (spec.SPEC / "cfg" / f"{c.name}.cfg").read_text()
            if c.expects == "violates":
                self.assertRegex(text, r"Mut = \{\"", c.name)
            elif "Alt_" not in c.name:
                self.assertRegex(text, r"Mut = \{\}", c.name)

    def test_the_tables_of_results_have_the_whole_quick_set(self):
        readme = (spec.SPEC / "README.md").read_text()
        for name in (c.name for c in spec.load_configs().values() if c.set == "quick"):
            self.assertIn(f"`{name}`", readme, "a row is missing: tools/spec --readme NAME writes it")


if __name__ == "__main__":
    unittest.main()
