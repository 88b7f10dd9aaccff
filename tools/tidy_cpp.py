"""Just enough C++ reading for tools/tidy.py: comments and strings blanked out, functions, lambda coroutines.

Heuristics on text, not a parser; tools/tidy_test.py says what they are trusted with. They fail towards silence on
code that does not look like ours.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/
      | R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9A-Za-z_])'(?:\\.[^'\n]*|[^'\\\n])'""",
    re.VERBOSE | re.DOTALL,
)


def blank(text, strings=True):
    """`text` with comments (and the insides of strings) turned into spaces; lines stay where they are."""

    def spaces(match):
        token = match.group(0)
        if not token.startswith("/"):
            if not strings:
                return token
            return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]
        return re.sub(r"[^\n]", " ", token)

    return TOKEN.sub(spaces, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def matching(text, at):
    """The position of the bracket that closes the one at `at`, or the end of the text."""
    closes = {"(": ")", "{": "}", "[": "]"}
    opening, closing, depth = text[at], closes[text[at]], 0
    for match in re.compile(rf"[{re.escape(opening + closing)}]").finditer(text, at):
        depth += 1 if match.group(0) == opening else -1
        if depth == 0:
            return match.start()
    return len(text) - 1


@dataclass
class Function:
    name: str
    line: int
    lines: int


SCOPE = re.compile(r"^\s*(?:\[\[[^\]]*\]\]\s*)*(?:export\s+|inline\s+|typedef\s+|template\s*<[^{;]*>\s*)*"
                   r"(?:namespace|class|struct|union|enum|extern)\b")
NAME = re.compile(r"(~?[A-Za-z_][\w]*(?:::~?[A-Za-z_]\w*)*|operator\s*[^\s(]+)\s*$")


def functions(text):
    """The function definitions of `text`, which must be blanked, with the number of lines from name to brace."""
    found = []
    _scan(text, 0, len(text), found)
    return found


def _scan(text, start, end, found):
    head = start
    position = start
    while position < end:
        char = text[position]
        if char in ";}":
            head = position + 1
        elif char == "#" and text[head:position].strip() == "":
            while True:  # a preprocessor line, with its continuations
                stop = text.find("\n", position)
                stop = end if stop < 0 else stop
                if text[stop - 1] != "\\" or stop >= end:
                    break
                position = stop + 1
            position = head = stop
        elif char in "([":
            position = matching(text, position)
        elif char == "{":
            close = matching(text, position)
            before = text[head:position]
            if SCOPE.match(before) and not _has_call(before):
                _scan(text, position + 1, close, found)
                head = close + 1
            elif "(" in before and not re.search(r"=\s*$", before):
                if _is_member_initialiser(text, position, close, end):
                    position = close + 1
                    continue
                name = _name_of(before)
                first = head + len(before) - len(before.lstrip())
                if name:
                    start_line = line_of(text, first)
                    found.append(Function(name, start_line, line_of(text, close) - start_line + 1))
                head = close + 1
            position = close
        position += 1


def _has_call(before):
    """Whether a text that begins like a scope is a function after all: `struct Foo make(int) `."""
    return "(" in re.sub(r"(alignas|__attribute__|requires)\s*\(", "", before)


def _is_member_initialiser(text, position, close, end):
    """`: a_{1}, b_(2) {`: a brace in a constructor's initialiser list is followed by a comma or the body."""
    before = text[:position].rstrip()
    if not re.search(r"[\w>]$", before) or re.search(r"\b(const|noexcept|override|final|try)$", before):
        return False
    after = text[close + 1 : min(end, close + 200)].lstrip()
    return after.startswith((",", "{"))


def _name_of(before):
    """The name before the first parameter list; `TEST(A, b)` gives TEST(A, b)."""
    at = before.find("(")
    head = before[:at]
    match = NAME.search(head)
    if not match:
        return None
    name = match.group(1)
    if name in ("if", "for", "while", "switch", "catch", "return", "requires", "decltype"):
        return None
    if name in ("TEST", "TEST_F", "TEST_P"):
        return name + re.sub(r"\s+", " ", before[at : matching(before, at) + 1])
    return name


@dataclass
class Lambda:
    line: int
    captures: str
    kept_alive: bool  # handed to a callee that keeps the lambda object itself


LAMBDA = re.compile(r"(?<![\w\])])\[(?P<captures>[^\[\]\n]*)\]\s*(?=[({<]|mutable|->)")
# Callees that own the function object until its Task has ended.
KEEPERS = re.compile(r"\b(run_on|co_spawn)\s*(<[^<>]*>)?\s*\($")


def coroutine_lambdas(text):
    """Lambdas with captures whose own body suspends, in blanked text."""
    found = []
    for match in LAMBDA.finditer(text):
        captures = match.group("captures").strip()
        if not captures:
            continue
        body_at = _body_of(text, match.end())
        if body_at is None:
            continue
        body = _without_inner_lambdas(text[body_at : matching(text, body_at) + 1])
        if re.search(r"\bco_(await|return|yield)\b", body):
            kept = bool(KEEPERS.search(_open_call(text, match.start()))) or _named_and_kept(text, match.start())
            found.append(Lambda(line_of(text, match.start()), captures, kept))
    return found


def _named_and_kept(text, position):
    """`auto job = [..]..;` whose name is then given to a keeper, or awaited or run while it is in scope."""
    named = re.search(r"\b(\w+)\s*=\s*$", text[max(0, position - 80) : position])
    if not named:
        return False
    name, after = named.group(1), text[position : position + 6000]
    given = rf"\b(run_on|co_spawn)\s*\([^;]*\b{name}\b"
    called = rf"(\bco_await|\brun_until_done\s*\(|\brun_task\s*\()\s*{name}\s*\("
    return bool(re.search(given, after) or re.search(called, after))


def _body_of(text, position):
    """The brace that opens the lambda's body: after parameters, specifiers and return type."""
    while position < len(text):
        char = text[position]
        if char == "{":
            return position
        if char == "(":
            position = matching(text, position)
        elif char in ";)}":
            return None
        position += 1
    return None


def _without_inner_lambdas(body):
    result = body
    for match in LAMBDA.finditer(body, 1):
        inner = _body_of(body, match.end())
        if inner is not None:
            close = matching(body, inner)
            result = result[:inner] + " " * (close + 1 - inner) + result[close + 1 :]
    return result


def _open_call(text, position):
    """The text up to and with the parenthesis of the call that `position` is an argument of."""
    depth = 0
    for at in range(position - 1, max(0, position - 2000), -1):
        char = text[at]
        if char in ")}]":
            depth += 1
        elif char in "({[":
            if depth == 0:
                return text[max(0, at - 60) : at + 1] if char == "(" else ""
            depth -= 1
        elif char == ";" and depth == 0:
            return ""
    return ""
