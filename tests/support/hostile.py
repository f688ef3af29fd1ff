"""A session log in which everything that can be named tries to break out of the page that shows it."""

from __future__ import annotations

from support.journals import Lines, encode

RAN = "__deia_hostile_code_ran"
"""A global that every script in the list sets, should it run."""

HOSTILE = [
    f"</script><script>window.{RAN}=1</script>",
    f'<img src=x onerror="window.{RAN}=1">',
    f"<svg onload=window.{RAN}=1>",
    f"\"><b onmouseover='window.{RAN}=1'>",
    f"' autofocus onfocus='window.{RAN}=1",
    f"javascript:window.{RAN}=1",
    f"`${{window.{RAN}=1}}`",
    f"\\u003cscript\\u003ewindow.{RAN}=1\\u003c/script\\u003e",
    "<!--<script>",
    "]]></style><style>body{display:none}</style>",
    "x;background:url(http://127.0.0.1:9/leak)",
    "*/ } body { display: none } /*",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "\u2028window\u2029",
    "\u202egnp.exe\u202c",
    "\x00\x1b[31m\x07\r\n\ttabs",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
    "&lt;script&gt; &amp; &#x3c;",
    "a" * 5000,
]


def hostile_lines() -> bytes:
    """Return the lines of a session that has each of these for a name, a path, a parameter, a message and an error."""
    lines = Lines()
    made = []
    for number, text in enumerate(HOSTILE):
        at = 10.0 * number
        task = lines.seq + 1
        odd = {text: text, "__proto__": {"polluted": text}, "constructor": [text]}
        made += [
            lines.begin(text, at=at, metadata=odd),
            lines.tool(text, 4000, params=odd, at=at + 5, task_id=task),
            lines.tool(text, 3000, params=odd, at=at + 5, task_id=task, error=text, error_type=text),
            lines.file("read", text, at=at + 5, task_id=task),
            lines.llm(text, 1000, at=at + 7, provider=text, task_id=task),
            lines.message(text, text, at=at + 7),
            lines.message("user", [{"type": "text", "text": text}], at=at + 7),
            lines.error(text, at=at + 8, error_type=text, where=text, traceback=text),
            lines.decision(text, at=at + 8, reason=text),
            lines.action_item(text, at=at + 8, assignee=text),
            lines.line({"type": text, "field": text}, at=at + 8),
            lines.complete(task, text, began=at, at=at + 9, error=text, error_type=text),
        ]
    made.append(lines.begin(HOSTILE[0], at=300))
    return b"".join(made)


def unnamed_lines() -> bytes:
    """Return lines with numbers and times that no session has."""
    lines = Lines()
    return (
        lines.tool("long", 10**15, at=1)
        + lines.tool("negative", -5, at=2)
        + encode(
            {"type": "ToolEvent", "name": "early", "params": {}, "duration_ms": 1, "seq": 3, "timestamp": -1e12, "v": 1}
        )
        + encode(
            {"type": "ToolEvent", "name": "late", "params": {}, "duration_ms": 1, "seq": 4, "timestamp": 1e17, "v": 1}
        )
        + encode(
            {
                "type": "TaskEvent",
                "name": "never",
                "start_time": 1e308,
                "end_time": None,
                "metadata": {},
                "seq": 5,
                "v": 1,
            }
        )
    )
