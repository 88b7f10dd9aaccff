#!/usr/bin/env python3
"""The house rules that a script can check (STYLE.md says why). Runs on all files git knows or would add.

  tools/tidy.py             findings, one per line: PATH:LINE: RULE: what is wrong and what to do
  tools/tidy.py --summary   one line per rule as well, `ok RULE` or `FAILED RULE: n findings`
  tools/tidy.py --health    the counts to judge by: sizes, tests beside code, rooms

Exceptions are in tools/tidy_exceptions.toml, each with its reason; the room graph is in tools/rooms.toml.
"""

import argparse
import ast
import fnmatch
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tidy_cpp  # noqa: E402

FILE_LINES_MAX, FILE_LINES_WARN, HEADER_LINES_WARN = 800, 600, 250
FUNCTION_LINES_MAX = 70
BLOB_BYTES_MAX = 300_000
SUBJECT_MAX = 72
README_HEADINGS = ["Purpose", "Owns", "Must not", "Entry points", "Invariants", "Where to look", "How to test"]
README_LINES_MAX = 80

# (what is banned, where it is allowed, what to use instead)
BANNED = [
    (r"\b(?:steady|system|high_resolution)_clock::now\b", ["src/base/event_loop.cc"], "Clock (base/clock.h)"),
    (r"\b(?:gettimeofday|clock_gettime|time)\s*\(\s*(?:NULL|nullptr|0|&|CLOCK)", ["src/base/*"], "Clock (base/clock.h)"),
    (r"\brandom_device\b", ["src/base/random.cc"], "Random (base/random.h)"),
    (r"(?<![\w.:>])s?rand\s*\(", [], "Random (base/random.h)"),
    (r"\bstd::(?:mt19937|minstd_rand|default_random_engine)", ["*_test.cc"], "Random (base/random.h)"),
    (r"\bstd::j?thread\b(?!::)|\bpthread_create\b|\bstd::async\b", ["src/base/*", "*_test.cc"],
     "LoopThread (base/event_loop.h) or BlockingPool (base/task.h)"),
    (r"\bthis_thread::sleep|(?<![\w.])u?sleep\s*\(|\bnanosleep\s*\(", [], "sleep_for(clock, ..) (base/task.h)"),
    (r"(?<![\w.])(?:std::)?(?:secure_)?getenv\s*\(", ["src/app/*", "sim/*", "*_test.cc"], "the configuration (src/app/config.h)"),
    (r"\basio::", ["src/base/*", "src/net/*", "*_test.cc"], "Task (base/task.h) and net/tcp.h"),
    (r"\bstd::[io]?fstream\b|(?<![\w.:])f?open(?:at)?\s*\(\s*[\"\w].*O_|(?<![\w.])fopen\s*\(|(?<![\w>:])::open\s*\(",
     ["src/object/file_*", "src/disk/posix_disk.cc", "src/app/*", "*_test.cc", "tools/*"],
     "an object store (object/store.h) or, for a WAL, a disk (disk/wal_disk.h)"),
    (r"\bstd::c(?:out|err)\b|(?<![\w.])f?printf\s*\(", ["src/app/*", "src/base/*", "*_test.cc", "*main.cc", "tools/*", "bench/*"],
     "LOG_INFO (base/log.h)"),
    (r"\busing namespace std\s*;", [], "the names themselves"),
    (r"\bstd::format\b|#include <format>", [], "fmt::format: g++ 12 has no std::format"),
    (r"\bdetached\b", ["src/base/*"], "TaskScope::spawn (base/task.h)"),
    (r"\bstd::(?:mutex|shared_mutex|recursive_mutex) \w", ["src/base/*", "*_test.cc"],
     "one thread per state and messages between them; an exception needs its reason"),
    (r"\b(?:strcpy|strcat|sprintf|gets|strtok|atoi|atol|stoi|stol)\s*\(", ["*_test.cc", "tools/*", "bench/*"],
     "std::from_chars or fmt"),
]


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    message: str
    warning: bool = False

    def __str__(self):
        word = "warning: " if self.warning else ""
        return f"{self.path}:{self.line}: {self.rule}: {word}{self.message}"


class Tree:
    """The files under test: `root` and the paths in it. Contents and blanked C++ are read once."""

    def __init__(self, root, paths=None):
        self.root = Path(root)
        self.paths = sorted(p for p in (paths or self._git_files()) if (self.root / p).is_file())
        self._text, self._blank = {}, {}

    def _git_files(self):
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=self.root, capture_output=True, check=True
        )
        return [p for p in listed.stdout.decode().split("\0") if p]

    def text(self, path):
        if path not in self._text:
            self._text[path] = (self.root / path).read_text(errors="replace")
        return self._text[path]

    def code(self, path):
        """C++ without comments and string contents."""
        if path not in self._blank:
            self._blank[path] = tidy_cpp.blank(self.text(path))
        return self._blank[path]

    def match(self, *globs):
        return [p for p in self.paths if any(fnmatch.fnmatch(p, g) for g in globs)]

    @property
    def cpp(self):
        return self.match("src/*.cc", "src/*.h", "sim/*.cc", "sim/*.h", "bench/*.cc", "bench/*.h", "tools/*.cc")

    @cached_property
    def rooms_file(self):
        return tomllib.loads(self.text("tools/rooms.toml"))

    @property
    def rooms(self):
        return self.rooms_file["rooms"]

    @staticmethod
    def room_of(path):
        parts = Path(path).parts
        if parts[0] == "src" and len(parts) > 2:
            return parts[1]
        return "sim" if parts[0] == "sim" else None


# ---------------------------------------------------------------------------------------------- rooms


def check_room_list(tree):
    """CMakeLists.txt and rooms.toml say the same, each folder is a room, and arrows make no cycle."""
    cmake = {}
    for line in tree.text("CMakeLists.txt").splitlines():
        if match := re.match(r"room\((\w+)(.*)\)", line):
            uses = re.search(r"\bUSES ([\w ]+?)(?= LIBS| DIR| EMBED|$)", match.group(2))
            cmake[match.group(1)] = uses.group(1).split() if uses else []
    for room in sorted({*cmake, *tree.rooms}):
        if set(cmake.get(room, ["?"])) != set(tree.rooms.get(room, ["?"])):
            ours, theirs = tree.rooms.get(room, "nothing"), cmake.get(room, "nothing")
            yield Finding("room-list", "tools/rooms.toml", 1, f"{room} uses {ours} here but {theirs} in CMakeLists.txt")
    for room in sorted({r for p in tree.cpp if (r := tree.room_of(p))} - set(tree.rooms)):
        yield Finding("room-list", "tools/rooms.toml", 1, f"the folder src/{room} is no listed room")
    for cycle in cycles(tree.rooms):
        yield Finding("room-list", "tools/rooms.toml", 1, "the rooms form a cycle: " + " -> ".join(cycle))


def cycles(graph):
    done, found = set(), []

    def visit(node, path):
        if node in path:
            found.append([*path[path.index(node) :], node])
        elif node not in done:
            for target in graph.get(node, []):
                visit(target, [*path, node])
            done.add(node)

    for node in graph:
        visit(node, [])
    return found


def check_includes(tree):
    """Quoted includes go along the arrows and name a file; walled headers stay behind their wall."""
    known = set(tree.paths)
    for path in tree.cpp:
        room = tree.room_of(path)
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if not (match := re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)):
                continue
            quoted, header = match.group(1) == '"', match.group(2)
            yield from check_wall(tree, path, number, header)
            if not quoted:
                continue
            target = header if header in known else f"src/{header}"
            if target not in known:
                message = f'"{header}" is no file of ours: write "room/file.h", and <> for libraries'
                yield Finding("includes", path, number, message)
                continue
            other = tree.room_of(target)
            if room and other and other != room and other not in tree.rooms.get(room, []):
                message = f"{room} may not include {other} (allowed: {', '.join(tree.rooms.get(room, [])) or 'nothing'})"
                yield Finding("includes", path, number, message)


def check_wall(tree, path, number, header):
    for wall in tree.rooms_file.get("walls", []):
        if header == wall["header"] or header.startswith((wall["header"] + "/", wall["header"] + ".")):
            if not any(fnmatch.fnmatch(path, g) for g in wall["allowed"]):
                yield Finding("includes", path, number, f"<{header}> is behind a wall: use {wall['instead']}")


def check_room_readme(tree):
    """Each room explains itself under the same headings."""
    for room in sorted({r for p in tree.cpp if (r := tree.room_of(p))}):
        path = "sim/README.md" if room == "sim" else f"src/{room}/README.md"
        if path not in tree.paths:
            yield Finding("room-readme", path, 1, f"room {room} has no README.md")
            continue
        text = tree.text(path)
        for heading in README_HEADINGS:
            if not re.search(rf"^## {heading}\s*$", text, re.MULTILINE):
                yield Finding("room-readme", path, 1, f"the heading '## {heading}' is missing")
        if text.count("\n") > README_LINES_MAX:
            yield Finding("room-readme", path, 1, f"{text.count(chr(10))} lines; at most {README_LINES_MAX}")


# ----------------------------------------------------------------------------------------------- code


def check_banned(tree):
    """Calls that go around a seam, each with what to use instead."""
    for path in tree.match("src/*.cc", "src/*.h", "sim/*.cc", "sim/*.h"):
        code = tree.code(path)
        for pattern, allowed, instead in BANNED:
            if any(fnmatch.fnmatch(path, g) for g in allowed):
                continue
            for match in re.finditer(pattern, code):
                what = re.sub(r"\s+", " ", match.group(0).strip().rstrip("("))
                yield Finding("banned-call", path, tidy_cpp.line_of(code, match.start()), f"{what}: use {instead}")


def check_sizes(tree):
    """Files that one sitting can read."""
    for path in tree.match("*.cc", "*.h", "*.py", "*.js", "*.css", "*.html", "tools/*", "bench/*", "check"):
        if path.endswith((".json", ".toml")) or is_binary(tree, path):
            continue
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES_MAX:
            yield Finding("file-size", path, 1, f"{lines} lines; more than {FILE_LINES_MAX} is refused: split it")
        elif lines > FILE_LINES_WARN:
            yield Finding("file-size", path, 1, f"{lines} lines; aim at {FILE_LINES_WARN}", warning=True)
        elif path.endswith(".h") and lines > HEADER_LINES_WARN:
            yield Finding("file-size", path, 1, f"{lines} lines; a header aims at {HEADER_LINES_WARN}", warning=True)


def long_functions(tree):
    """(path, Function) of all functions beyond the limit."""
    for path in tree.cpp:
        for function in tidy_cpp.functions(tree.code(path)):
            if function.lines > FUNCTION_LINES_MAX:
                yield path, function
    for path in tree.match("*.py", "tools/*", "bench/*"):
        if path.endswith(".py") or tree.text(path).startswith("#!/usr/bin/env python3"):
            for node in ast.walk(ast.parse(tree.text(path))):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    lines = node.end_lineno - node.lineno + 1
                    if lines > FUNCTION_LINES_MAX:
                        yield path, tidy_cpp.Function(node.name, node.lineno, lines)


def check_functions(tree, ratchet=()):
    """Functions up to the limit; those in the ratchet list may only shrink."""
    known = {(entry["path"], entry["name"]): entry for entry in ratchet}
    seen = set()
    for path, function in long_functions(tree):
        entry = known.get((path, function.name))
        seen.add((path, function.name))
        limit = entry["lines"] if entry else FUNCTION_LINES_MAX
        if function.lines > limit:
            message = f"{function.name} has {function.lines} lines, the limit is {limit}: take a step out of it"
            yield Finding("function-size", path, function.line, message)
    for path, name in sorted(set(known) - seen):
        yield Finding("function-size", "tools/tidy_exceptions.toml", 1, f"{path}: {name} is no longer long: drop its entry")


def check_lambdas(tree):
    """A capturing lambda that suspends reads its captures from a lambda object that may be gone."""
    for path in tree.cpp:
        for found in tidy_cpp.coroutine_lambdas(tree.code(path)):
            if not found.kept_alive:
                message = f"coroutine lambda captures [{found.captures}]: pass state as parameters, or use run_on"
                yield Finding("lambda-coroutine", path, found.line, message)


def check_headers(tree):
    """A header opens with what it is, and guards itself."""
    for path in tree.match("src/*.h", "sim/*.h", "bench/*.h"):
        text = tree.text(path)
        if not text.startswith("//"):
            yield Finding("header-opening", path, 1, "begin with a comment: what it is, how it fails, its threads")
        if "#pragma once" not in text:
            yield Finding("header-opening", path, 1, "#pragma once is missing")


def check_macros(tree):
    """Macros live in base, or in one test."""
    for path in tree.match("src/*.cc", "src/*.h", "sim/*.cc", "sim/*.h"):
        if tree.room_of(path) == "base" or path.endswith("_test.cc"):
            continue
        for match in re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", tree.code(path), re.MULTILINE):
            line = tidy_cpp.line_of(tree.code(path), match.start())
            yield Finding("macro", path, line, f"{match.group(1)}: a constexpr function or a template, or move it to base")


def check_codecs(tree):
    """Each codec file's header is included by a fuzz target of its room."""
    fuzzers = "\n".join(tree.text(p) for p in tree.match("src/*_fuzz.cc"))
    stems = {p.rsplit(".", 1)[0] for p in tree.match("src/*codec*.h", "src/*/*codec*.cc")}
    for stem in sorted(s for s in stems if not re.search(r"_(test|fuzz|bench|impl)$", s)):
        header = f"{stem}.h"
        if header in tree.paths and f'"{header.removeprefix("src/")}"' not in fuzzers:
            yield Finding("codec-fuzzed", header, 1, "no *_fuzz.cc includes this codec: add a target (up to 40 lines)")
    for path in tree.match("src/*_fuzz.cc"):
        if tree.text(path).count("\n") > 60:
            yield Finding("codec-fuzzed", path, 1, "a fuzz target stays short: move the work into the codec's tests")


def check_log_events(tree):
    """Log events are stable dotted names."""
    for path in tree.match("src/*.cc", "src/*.h", "sim/*.cc"):
        text = tidy_cpp.blank(tree.text(path), strings=False)
        for match in re.finditer(r'\bLOG_(?:DEBUG|INFO|WARN|ERROR)\(\s*"([^"]*)"', text):
            if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", match.group(1)):
                message = f'"{match.group(1)}": an event is named like "wal.slot_sealed"'
                yield Finding("log-event", path, tidy_cpp.line_of(text, match.start()), message)


def check_todo(tree):
    """TODO names an issue; FIXME is not merged."""
    marks = "TO" + "DO", "FIX" + "ME", "X" * 3
    for path in tree.match("src/*", "sim/*", "test/*", "tools/*", "bench/*", "docs/*", "*.md", "Makefile", "CMakeLists.txt"):
        if path in ("STYLE.md", "CONTRIBUTING.md") or Path(path).name.startswith("tidy") or is_binary(tree, path):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if re.search(rf"\b{marks[0]}\b(?!\(#\d+\))", line):
                yield Finding("todo", path, number, f"{marks[0]}(#12): name the issue")
            if re.search(rf"\b({marks[1]}|{marks[2]})\b", line):
                yield Finding("todo", path, number, "mend it, or open an issue")


# --------------------------------------------------------------------------------- documents and history


def check_markdown(tree):
    """One title first; links lead somewhere."""
    for path in tree.match("*.md"):
        text = tree.text(path)
        if not text.startswith("# "):
            yield Finding("markdown", path, 1, "begin with '# Title'")
        fenced = re.sub(r"^```.*?^```|`[^`\n]*`", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S | re.M)
        for match in re.finditer(r"\]\(([^)\s]+)\)", fenced):
            target = match.group(1)
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (tree.root / path).parent / name if name else tree.root / path
            line = tidy_cpp.line_of(fenced, match.start())
            if not file.exists():
                yield Finding("markdown", path, line, f"the link {target} leads nowhere")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(errors="replace")):
                yield Finding("markdown", path, line, f"there is no heading #{anchor} in {name or path}")


def anchors(markdown):
    titles = re.findall(r"^#+ +(.*?)\s*$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_blobs(tree):
    """No large files: history keeps them for ever."""
    for path in tree.paths:
        size = (tree.root / path).stat().st_size
        if size > BLOB_BYTES_MAX:
            yield Finding("large-file", path, 1, f"{size} bytes; more than {BLOB_BYTES_MAX} is refused")


def is_binary(tree, path):
    return "\0" in tree.text(path)[:4000]


def check_locks(tree):
    """Lock files name versions and hashes, not where one machine got them."""
    for path in tree.match("*package-lock.json"):
        if '"resolved"' in tree.text(path):
            yield Finding("lock-file", path, 1, "npm install --omit-lockfile-registry-resolved keeps hosts out of it")


def check_commits(tree):
    """`room: imperative subject`, and a body for most."""
    log = subprocess.run(["git", "log", "--no-merges", "--format=%h%x09%s"], cwd=tree.root, capture_output=True, text=True)
    for line in log.stdout.splitlines():
        commit, _, subject = line.partition("\t")
        if len(subject) > SUBJECT_MAX:
            yield Finding("commit", commit, 1, f"the subject has {len(subject)} characters, at most {SUBJECT_MAX}")
        if not re.match(r"[a-z][\w/,. -]*: \S", subject):
            yield Finding("commit", commit, 1, f"'{subject}' is not 'room: imperative subject'")


# ------------------------------------------------------------------------------------------------ main

RULES = {
    "room-list": check_room_list,
    "includes": check_includes,
    "room-readme": check_room_readme,
    "banned-call": check_banned,
    "file-size": check_sizes,
    "function-size": check_functions,
    "lambda-coroutine": check_lambdas,
    "header-opening": check_headers,
    "macro": check_macros,
    "codec-fuzzed": check_codecs,
    "log-event": check_log_events,
    "todo": check_todo,
    "markdown": check_markdown,
    "large-file": check_blobs,
    "lock-file": check_locks,
    "commit": check_commits,
}


def without_exceptions(tree, findings, allowed):
    """The findings that no exception covers, and one for each exception that covers nothing."""
    used = set()
    for finding in findings:
        lines = tree.text(finding.path).splitlines() if finding.path in tree.paths else []
        source = lines[finding.line - 1] if finding.line <= len(lines) else ""
        for number, entry in enumerate(allowed):
            text = entry.get("text", "")
            if entry["rule"] == finding.rule and fnmatch.fnmatch(finding.path, entry["path"]):
                if text in source or text in finding.message:
                    used.add(number)
                    break
        else:
            yield finding
    for number, entry in enumerate(allowed):
        if not entry.get("reason", "").strip():
            yield Finding(entry["rule"], "tools/tidy_exceptions.toml", 1, f"the entry for {entry['path']} gives no reason")
        elif number not in used:
            message = f"the entry for {entry['path']} ({entry.get('text', 'any')}) matches nothing: drop it"
            yield Finding(entry["rule"], "tools/tidy_exceptions.toml", 1, message)


def findings_of(tree, exceptions=None):
    exceptions = exceptions or {}
    found = []
    for name, rule in RULES.items():
        if name == "function-size":
            found += rule(tree, exceptions.get("long_function", []))
        else:
            found += rule(tree)
    return list(without_exceptions(tree, found, exceptions.get("allow", [])))


def health(tree):
    sources = tree.match("src/*.cc", "src/*.h", "sim/*.cc", "sim/*.h")
    tests = [p for p in sources if re.search(r"_(test|fuzz)\.cc$", p)]
    production = [p for p in sources if p not in tests]
    lines = {p: tree.text(p).count("\n") for p in sources}
    count = sum(lines[p] for p in production)
    comments = sum(bool(re.match(r"\s*//", line)) for p in production for line in tree.text(p).splitlines())
    print(f"rooms {len(tree.rooms)}, files {len(sources)}, lines {count} + {sum(lines[p] for p in tests)} of tests")
    print(f"largest files: {', '.join(f'{p} {lines[p]}' for p in sorted(production, key=lines.get)[-5:])}")
    print(f"functions over {FUNCTION_LINES_MAX} lines: {sum(1 for _ in long_functions(tree))}")
    print(f"comment lines: {100 * comments / max(count, 1):.0f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summary", action="store_true", help="one line per rule as well")
    parser.add_argument("--health", action="store_true", help="counts instead of findings")
    arguments = parser.parse_args()
    tree = Tree(Path(__file__).resolve().parents[1])
    if arguments.health:
        health(tree)
        return 0
    exceptions = tomllib.loads(tree.text("tools/tidy_exceptions.toml"))
    findings = findings_of(tree, exceptions)
    for finding in findings:
        print(finding)
    failed = [f for f in findings if not f.warning]
    if arguments.summary:
        for rule in RULES:
            count = sum(f.rule == rule for f in failed)
            print(f"FAILED {rule}: {count} findings" if count else f"ok {rule}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
