#!/usr/bin/env python3
"""Tests of the house rules: each rule finds what it is for, and leaves what is fine alone."""

import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tidy  # noqa: E402
import tidy_cpp  # noqa: E402

ROOMS = """
[rooms]
base = []
net = ["base"]
kafka = ["base"]

[[walls]]
header = "boost/asio"
allowed = ["src/net/*"]
instead = "net/tcp.h"
"""
CMAKE = "room(base)\nroom(net USES base)\nroom(kafka USES base LIBS zstd::zstd)\n"


class TidyTest(unittest.TestCase):
    def tree(self, files):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        files = {"tools/rooms.toml": ROOMS, "CMakeLists.txt": CMAKE, **files}
        for path, text in files.items():
            target = Path(directory.name) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text))
        return tidy.Tree(directory.name, files)

    def messages(self, rule, files):
        return [f"{f.path}:{f.line}: {f.message}" for f in rule(self.tree(files))]

    def assert_finds(self, rule, files, *parts):
        found = self.messages(rule, files)
        self.assertEqual(len(found), len(parts), found)
        for part in parts:
            self.assertTrue(any(part in f for f in found), f"{part!r} is not in {found}")

    # rooms

    def test_equal_room_lists_are_fine(self):
        self.assert_finds(tidy.check_room_list, {})

    def test_a_room_list_that_differs_is_found(self):
        cmake = CMAKE.replace("room(net USES base)", "room(net USES base kafka)")
        self.assert_finds(tidy.check_room_list, {"CMakeLists.txt": cmake}, "net uses ['base'] here but")

    def test_options_of_room_are_not_rooms(self):
        cmake = CMAKE.replace("room(net USES base)", "room(net USES base EMBED ${X}/page.S)")
        self.assert_finds(tidy.check_room_list, {"CMakeLists.txt": cmake})

    def test_a_folder_that_is_no_room_is_found(self):
        self.assert_finds(tidy.check_room_list, {"src/drawer/x.cc": ""}, "src/drawer is no listed room")

    def test_cycles_are_found(self):
        self.assertEqual(tidy.cycles({"a": ["b"], "b": ["c"], "c": ["a"]}), [["a", "b", "c", "a"]])
        self.assertEqual(tidy.cycles({"a": ["b", "c"], "b": ["c"], "c": []}), [])

    def test_an_include_against_the_arrows_is_found(self):
        files = {"src/net/tcp.h": "", "src/base/x.cc": '#include "net/tcp.h"\n', "src/net/y.cc": '#include "base/x.h"\n'}
        self.assert_finds(tidy.check_includes, {**files, "src/base/x.h": ""}, "src/base/x.cc:1: base may not include net")

    def test_an_include_of_no_file_is_found(self):
        self.assert_finds(tidy.check_includes, {"src/net/y.cc": '\n#include "tcp.h"\n'}, ':2: "tcp.h" is no file of ours')

    def test_a_walled_header_is_found_outside_its_wall(self):
        files = {"src/net/a.cc": "#include <boost/asio/post.hpp>\n", "src/kafka/a.cc": "#include <boost/asio.hpp>\n"}
        self.assert_finds(tidy.check_includes, files, "src/kafka/a.cc:1: <boost/asio.hpp> is behind a wall")

    def test_a_header_that_only_begins_like_a_wall_is_fine(self):
        self.assert_finds(tidy.check_includes, {"src/kafka/a.cc": "#include <boost/asiolike>\n"})

    def test_a_room_readme_has_all_headings(self):
        text = "# net\n" + "".join(f"## {h}\n" for h in tidy.README_HEADINGS)
        self.assert_finds(tidy.check_room_readme, {"src/net/a.cc": "", "src/net/README.md": text})
        less = text.replace("## Must not\n", "")
        self.assert_finds(tidy.check_room_readme, {"src/net/a.cc": "", "src/net/README.md": less}, "'## Must not'")
        self.assert_finds(tidy.check_room_readme, {"src/net/a.cc": ""}, "has no README.md")

    # code

    def test_banned_calls_are_found_with_their_replacement(self):
        for call, instead in {
            "auto t = std::chrono::steady_clock::now();": "Clock",
            "std::random_device d;": "Random",
            "int x = rand();": "Random",
            "std::thread t(f);": "LoopThread",
            "std::this_thread::sleep_for(1s);": "sleep_for(clock",
            'auto v = std::getenv("X");': "configuration",
            "boost::asio::post(e, f);": "Task",
            "std::ifstream in(p);": "object store",
            "int f = ::open(p, 0);": "object store",
            'printf("x");': "LOG_INFO",
            "std::mutex m;": "messages",
            "int n = std::stoi(s);": "from_chars",
            "co_spawn(e, f(), detached);": "TaskScope",
        }.items():
            with self.subTest(call):
                self.assert_finds(tidy.check_banned, {"src/kafka/a.cc": call + "\n"}, instead)

    def test_calls_that_only_look_banned_are_fine(self):
        fine = """
        // std::thread is not used: rand() neither
        const char* text = "std::random_device";
        co_await sleep_for(clock, 1s);
        auto id = std::this_thread::get_id();
        auto x = operand(1);
        auto y = Thing::open(2);
        auto z = object.rand();
        std::thread::id owner;
        """
        self.assert_finds(tidy.check_banned, {"src/kafka/a.cc": fine})

    def test_seams_may_call_what_they_hide(self):
        self.assert_finds(tidy.check_banned, {"src/base/event_loop.cc": "auto t = std::chrono::steady_clock::now();"})

    def test_long_files_are_refused_and_longish_ones_named(self):
        files = {"src/net/a.cc": "\n" * 801, "src/net/b.cc": "\n" * 601, "src/net/c.h": "\n" * 251, "src/net/d.cc": "\n" * 600}
        found = list(tidy.check_sizes(self.tree(files)))
        self.assertEqual([(f.path, f.warning) for f in found],
                         [("src/net/a.cc", False), ("src/net/b.cc", True), ("src/net/c.h", True)])

    def test_long_functions_are_found_but_for_the_ratchet(self):
        body = "\n".join(f"  f({n});" for n in range(80))
        files = {"src/net/a.cc": f"namespace x {{\nint Foo::bar(int a) const {{\n{body}\n}}\n}}\n"}
        self.assert_finds(tidy.check_functions, files, "src/net/a.cc:2: Foo::bar has 82 lines, the limit is 70")
        entry = {"path": "src/net/a.cc", "name": "Foo::bar", "lines": 82}
        self.assertEqual(list(tidy.check_functions(self.tree(files), [entry])), [])
        grown = list(tidy.check_functions(self.tree(files), [{**entry, "lines": 81}]))
        self.assertIn("the limit is 81", grown[0].message)
        gone = list(tidy.check_functions(self.tree({}), [entry]))
        self.assertIn("drop its entry", gone[0].message)

    def test_long_python_functions_are_found(self):
        body = "def f():\n" + "    x = 1\n" * 71
        self.assert_finds(tidy.check_functions, {"test/a.py": body}, "f has 72 lines")

    def test_capturing_coroutine_lambdas_are_found(self):
        text = """
        void f() {
          scope.spawn([this, n]() -> Task<void> { co_await g(n); }());
          auto lost = [&](int x) -> Task<int> { co_return x; };
          scope.spawn(lost(1));
        }
        """
        self.assert_finds(tidy.check_lambdas, {"src/net/a.cc": text}, "a.cc:3: coroutine lambda captures [this, n]",
                          "a.cc:4: coroutine lambda captures [&]")

    def test_lambdas_that_live_long_enough_are_fine(self):
        text = """
        Task<void> f() {
          auto plain = [x](int y) { return x + y; };
          scope.spawn([](Foo* self) -> Task<void> { co_await self->g(); }(this));
          co_await run_on(other, [this, n]() -> Task<int> { co_return n; });
          auto job = [this]() -> Task<int> { co_return 1; };
          co_await run_on(executor, std::move(job));
          auto body = [&]() -> Task<void> { co_return; };
          loop.run_until_done(body());
          std::vector<int> numbers[3];
          items[i] = f(2);
          call([this] { start([](int n) -> Task<void> { co_return; }); });
        }
        """
        self.assert_finds(tidy.check_lambdas, {"src/net/a.cc": text})

    def test_headers_open_with_a_comment_and_a_guard(self):
        self.assert_finds(tidy.check_headers, {"src/net/a.h": "// What it is.\n#pragma once\n"})
        self.assert_finds(tidy.check_headers, {"src/net/a.h": "int x;\n"}, "begin with a comment", "#pragma once")

    def test_macros_live_in_base(self):
        files = {"src/base/a.h": "#define A 1\n", "src/net/a_test.cc": "#define C 1\n", "src/net/a.cc": "#define B 1\n#undef B\n"}
        self.assert_finds(tidy.check_macros, files, "src/net/a.cc:1: B")

    def test_a_codec_needs_a_fuzz_target(self):
        files = {"src/net/wire_codec.h": "", "src/net/wire_codec.cc": "", "src/net/wire_codec_test.cc": ""}
        self.assert_finds(tidy.check_codecs, files, "src/net/wire_codec.h:1: no *_fuzz.cc")
        self.assert_finds(tidy.check_codecs, {**files, "src/net/wire_fuzz.cc": '#include "net/wire_codec.h"\n'})

    def test_log_events_are_dotted(self):
        text = 'LOG_INFO("wal.slot_sealed", {"slot", 7});\nLOG_WARN("Something went wrong", {"a", 1});\n'
        self.assert_finds(tidy.check_log_events, {"src/net/a.cc": text}, 'a.cc:2: "Something went wrong"')

    def test_open_work_names_an_issue(self):
        mark, bad = "TO" + "DO", "FIX" + "ME"
        text = f"// {mark}(#12): fine\n// {mark}: not\n// {bad}\n"
        self.assert_finds(tidy.check_todo, {"src/net/a.cc": text}, "a.cc:2", "a.cc:3")

    # documents

    def test_markdown_has_a_title_and_links_that_lead_somewhere(self):
        text = "# Title\n[a](b.md#the-end) [c](#title) [d](https://example.org)\n`[x](none)`\n```\n[y](none)\n```\n"
        self.assert_finds(tidy.check_markdown, {"docs/a.md": text, "docs/b.md": "# B\n## The end\n"})
        self.assert_finds(tidy.check_markdown, {"docs/a.md": "no title [a](gone.md)\n"}, "# Title", "leads nowhere")
        self.assert_finds(tidy.check_markdown, {"docs/a.md": "# A\n[b](#nope)\n"}, "no heading #nope")

    def test_large_files_are_refused(self):
        self.assert_finds(tidy.check_blobs, {"docs/a.bin": "x" * (tidy.BLOB_BYTES_MAX + 1)}, "is refused")

    def test_lock_files_name_no_hosts(self):
        self.assert_finds(tidy.check_locks, {"test/node/package-lock.json": '{"resolved": "x"}'}, "keeps hosts out")

    # exceptions

    def test_exceptions_cover_what_they_name_and_are_found_when_idle(self):
        tree = self.tree({"src/net/a.cc": "std::mutex m;\n"})
        entry = {"rule": "banned-call", "path": "src/net/*", "text": "mutex", "reason": "two threads share it"}
        found = list(tidy.check_banned(tree))
        self.assertEqual(list(tidy.without_exceptions(tree, found, [entry])), [])
        idle = list(tidy.without_exceptions(tree, found, [entry, {**entry, "path": "src/kafka/*"}]))
        self.assertIn("matches nothing", idle[0].message)
        silent = list(tidy.without_exceptions(tree, found, [{**entry, "reason": ""}]))
        self.assertIn("gives no reason", silent[0].message)


class CppTest(unittest.TestCase):
    def test_blank_keeps_lines_and_code(self):
        text = 'int a = 1\'000; // "x"\nauto s = R"(\n{ // no\n)"; /* } */ char c = \'{\';\n'
        blanked = tidy_cpp.blank(text)
        self.assertEqual(blanked.count("\n"), text.count("\n"))
        self.assertNotIn("{", blanked)
        self.assertIn("1'000", blanked)

    def names(self, text):
        return [(f.name, f.lines) for f in tidy_cpp.functions(tidy_cpp.blank(textwrap.dedent(text)))]

    def test_functions_are_told_from_scopes_and_initialisers(self):
        text = """
        #define X(a) { a }
        namespace a::b {
        constexpr int kTable[] = {1, 2};
        struct Foo {
          Foo(int a) : a_{a}, b_(2) {
            init();
          }
          int get() const { return a_; }
          std::map<int, int> table_{{1, 2}};
        };
        Task<Result<int>> Foo::call(std::function<void()> f = {}) {
          if (x) { y(); }
          co_return 1;
        }
        TEST(Suite, a_sentence) {
          EXPECT_TRUE(true);
        }
        }
        """
        self.assertEqual(self.names(text), [("Foo", 3), ("get", 1), ("Foo::call", 4), ("TEST(Suite, a_sentence)", 3)])


if __name__ == "__main__":
    unittest.main()
