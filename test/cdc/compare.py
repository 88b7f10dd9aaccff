"""Compares two lists of change events, field by field, and says where they differ.

Left out, each with its reason:
- ts_ms, ts_us, ts_ns of the envelope and of snapshot sources: when a program read the change, not what it was.
- runId: new at every start.
- lsn, sequence and txId of snapshot rows: each program has its own slot and snapshot. In the stream they must agree.
- sequence's first number is compared as "there or not": it names a WAL position of the transaction's begin.
"""

import json

TIMES = {"ts_ms", "ts_us", "ts_ns"}
OF_SNAPSHOT = TIMES | {"lsn", "sequence", "txId"}


def events(lines, prefix):
    """kcat -J lines as (key, headers, value); the topic prefix is made neutral."""
    out = []
    for line in lines:
        record = json.loads(line.replace(prefix, "PREFIX"))
        parse = lambda text: None if text is None else json.loads(text)
        headers = record.get("headers", [])
        pairs = [(headers[i], headers[i + 1]) for i in range(0, len(headers), 2)]
        pairs = [(name, "*" if name.endswith("runId") else text) for name, text in pairs]
        out.append({"key": parse(record["key"]), "headers": pairs, "value": parse(record["payload"])})
    return out


def without_times(event):
    """A copy with what may differ taken out."""
    value = event["value"]
    if value is None:
        return event
    envelope = dict(value["payload"] if "payload" in value else value)
    source = dict(envelope["source"])
    for name in TIMES:
        envelope[name] = type(envelope[name]).__name__
    for name in OF_SNAPSHOT if source["snapshot"] != "false" else ():
        source[name] = type(source[name]).__name__
    envelope["source"] = source
    value = {"schema": value["schema"], "payload": envelope} if "payload" in value else envelope
    return {**event, "value": value}


def differences(theirs, ours, path=""):
    """Every place at which the two differ, key order of objects included."""
    number = lambda x: isinstance(x, (int, float)) and not isinstance(x, bool)
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if list(theirs) != list(ours):
            yield f"{path}: fields {list(theirs)} against {list(ours)}"
        for name in theirs.keys() & ours.keys():
            yield from differences(theirs[name], ours[name], f"{path}/{name}")
    elif isinstance(theirs, (list, tuple)) and isinstance(ours, (list, tuple)):
        if len(theirs) != len(ours):
            yield f"{path}: {len(theirs)} elements against {len(ours)}"
        for i, (a, b) in enumerate(zip(theirs, ours)):
            yield from differences(a, b, f"{path}/{i}")
    elif theirs != ours or (type(theirs) is not type(ours) and not (number(theirs) and number(ours))):
        yield f"{path}: {theirs!r} against {ours!r}"


def compare_topics(theirs, ours):
    """{topic: events} of both; a list of differences."""
    found = []
    if theirs.keys() != ours.keys():
        found.append(f"topics: only theirs {theirs.keys() - ours.keys()}, only ours {ours.keys() - theirs.keys()}")
    for topic in sorted(theirs.keys() & ours.keys()):
        a, b = theirs[topic], ours[topic]
        if len(a) != len(b):
            found.append(f"{topic}: {len(a)} events against {len(b)}")
        for i, (x, y) in enumerate(zip(a, b)):
            found += [f"{topic}[{i}]{text}" for text in differences(without_times(x), without_times(y))]
    return found
