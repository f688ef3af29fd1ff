"""What `deia query` offers beside the table of events: a view for each kind of thing that one asks for."""

from __future__ import annotations

from typing import NamedTuple


class View(NamedTuple):
    """A view.

    Attributes:
        rows: What a row of it is.
        sql: Its statement.
        columns: The columns that are not those of `events`, and their meaning.
    """

    rows: str
    sql: str
    columns: dict[str, str]


_PLACE = "file, line, run, seq, time, agent_id, session_id, task_id"

_FAILED = """(coalesce(error, '') <> '' OR coalesce(
    CAST(params -> '$.error' AS VARCHAR) NOT IN ('null', 'false', '0', '0.0', '-0.0', '""', '[]', '{}'), false))"""
"""As the analysis has it: a parameter `error` is how the original format tells of a failure."""


def _figures(*names: str) -> str:
    """Return columns of `models`: each what the last line of the response has that has any, as in the analysis."""
    return ", ".join(
        f"coalesce(last_value(CASE WHEN {name} >= 0 THEN {name} END IGNORE NULLS) OVER response, {name}) AS {name}"
        for name in names
    )


_TIMED = "fields IS NULL OR (fields ->> '$.v') IS NOT NULL"
"""What a line of a type of nobody's, in no format of ours, calls a `timestamp` may be anything: milliseconds, say."""

VIEWS = {
    "tasks": View(
        "one task: its completion, or its start where nothing completed it",
        """
        SELECT file, line, run, seq, agent_id, session_id, coalesce(task_id, CASE WHEN end_time IS NULL THEN seq END)
            AS task_id, parent_id, name,
            CASE WHEN end_time IS NULL THEN 'open' WHEN orphan THEN 'orphan' WHEN cancelled THEN 'cancelled'
                WHEN coalesce(error, '') <> '' THEN 'failed' ELSE 'completed' END AS state,
            start_time, end_time,
            CASE WHEN end_time IS NOT NULL THEN greatest(0, coalesce(duration_ms,
                CAST(round((end_time - start_time) * 1000) AS BIGINT))) END AS duration_ms,
            error_type, error, metadata
        FROM events AS task
        WHERE type = 'TaskEvent' AND (end_time IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM events AS completion
            WHERE completion.type = 'TaskEvent' AND completion.end_time IS NOT NULL AND NOT completion.orphan
                AND completion.file = task.file AND completion.session_id IS NOT DISTINCT FROM task.session_id
                AND completion.task_id = coalesce(task.task_id, task.seq)))
        """,
        {
            "state": "`completed`, `failed`, `cancelled`, `open`, or `orphan` (a completion without a start)",
            "duration_ms": "the given or measured one, else from start to end; null while open",
        },
    ),
    "tools": View(
        "one tool call",
        f"""
        SELECT {_PLACE}, name, timestamp - duration_ms / 1000 AS start_time, timestamp AS end_time, duration_ms,
            {_FAILED} AS failed, error_type, error, cancelled, params
        FROM events WHERE type = 'ToolEvent'
        """,
        {
            "start_time": "when it began: when it was logged, less its duration, Unix seconds",
            "end_time": "when it was logged, Unix seconds",
            "failed": "whether it failed: it has an `error`, or a parameter of that name",
        },
    ),
    "files": View(
        "one file read or written",
        f"SELECT {_PLACE}, path, operation, size_bytes, lines FROM events WHERE type = 'FileEvent'",
        {},
    ),
    "models": View(
        "one line about a model call",
        f"""
        SELECT {_PLACE}, provider, model,
            {_figures("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")},
            duration_ms, time_to_first_token_ms, {_figures("cost_usd")}, response_id, attempt, error_type, error,
            lead(line) OVER response IS NULL AS counted, metadata
        FROM events WHERE type = 'LLMEvent'
        WINDOW response AS (
            PARTITION BY file, session_id, response_id, CASE WHEN response_id IS NULL THEN line END
            ORDER BY line ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
        """,
        {
            "counted": "whether it counts: of several lines of one response, the last one does. Its tokens and its "
            "cost are each those of the last line up to it that has them"
        },
    ),
    "messages": View(
        "one message",
        f"""
        SELECT {_PLACE}, role, CASE json_type(content) WHEN 'VARCHAR' THEN content ->> '$' END AS text, content,
            message_id, metadata
        FROM events WHERE type = 'MessageEvent'
        """,
        {"text": "the content, where that is text"},
    ),
    "errors": View(
        "something that went wrong: a recorded error, or a task, a tool call or a model call that failed",
        f"""
        SELECT {_PLACE}, CASE type WHEN 'ErrorEvent' THEN 'error' WHEN 'TaskEvent' THEN 'task'
            WHEN 'ToolEvent' THEN 'tool' ELSE 'model' END AS source,
            CASE type WHEN 'LLMEvent' THEN provider || '/' || model ELSE name END AS name, error_type,
            coalesce(message, error, params ->> '$.error') AS message, raised_at, traceback
        FROM events
        WHERE type = 'ErrorEvent' OR (type = 'TaskEvent' AND coalesce(error, '') <> '')
            OR (type = 'LLMEvent' AND (error IS NOT NULL OR error_type IS NOT NULL))
            OR (type = 'ToolEvent' AND {_FAILED})
        """,
        {
            "source": "`error`, `task`, `tool` or `model`",
            "name": "of the task, the tool or the model (`provider/model`)",
            "message": "what it said",
        },
    ),
    "sessions": View(
        "one session of one file",
        f"""
        WITH lines AS (
            SELECT file, session_id, min(agent_id) AS agent_id, count(*) AS events, max(run) AS runs,
                least(min(session_start), min(timestamp) FILTER (WHERE {_TIMED}),
                    min(start_time) FILTER (WHERE NOT orphan)) AS first_time,
                greatest(max(session_start), max(timestamp) FILTER (WHERE {_TIMED}),
                    max(end_time) FILTER (WHERE NOT orphan)) AS last_time,
                count(*) FILTER (WHERE type = 'FileEvent' AND operation = 'read') AS files_read,
                count(*) FILTER (WHERE type = 'FileEvent' AND operation = 'write') AS files_written,
                count(*) FILTER (WHERE type = 'MessageEvent') AS messages,
                coalesce(sum(dropped), 0) AS dropped
            FROM events GROUP BY file, session_id
        ), task AS (
            SELECT file, session_id, count(*) FILTER (WHERE state NOT IN ('open', 'orphan')) AS tasks,
                count(*) FILTER (WHERE state = 'open') AS open_tasks
            FROM tasks GROUP BY file, session_id
        ), tool AS (
            SELECT file, session_id, count(*) AS tool_calls, sum(greatest(duration_ms, 0)) AS tool_ms
            FROM tools GROUP BY file, session_id
        ), model AS (
            SELECT file, session_id, count(*) FILTER (WHERE counted) AS model_calls,
                sum(input_tokens) FILTER (WHERE counted AND input_tokens >= 0) AS input_tokens,
                sum(output_tokens) FILTER (WHERE counted AND output_tokens >= 0) AS output_tokens,
                sum(cost_usd) FILTER (WHERE counted AND cost_usd >= 0) AS cost_usd
            FROM models GROUP BY file, session_id
        ), error AS (
            SELECT file, session_id, count(*) AS errors FROM errors GROUP BY file, session_id
        )
        SELECT lines.file, lines.agent_id, lines.session_id, lines.runs, lines.events,
            make_timestamp(CAST(round(lines.first_time * 1000000) AS BIGINT)) AS began,
            make_timestamp(CAST(round(lines.last_time * 1000000) AS BIGINT)) AS ended,
            CAST(round((lines.last_time - lines.first_time) * 1000) AS BIGINT) AS span_ms,
            coalesce(task.tasks, 0) AS tasks, coalesce(task.open_tasks, 0) AS open_tasks,
            coalesce(tool.tool_calls, 0) AS tool_calls, CAST(coalesce(tool.tool_ms, 0) AS BIGINT) AS tool_ms,
            lines.files_read, lines.files_written, coalesce(model.model_calls, 0) AS model_calls,
            CAST(model.input_tokens AS BIGINT) AS input_tokens, CAST(model.output_tokens AS BIGINT) AS output_tokens,
            model.cost_usd, lines.messages, coalesce(error.errors, 0) AS errors,
            CAST(lines.dropped AS BIGINT) AS dropped
        FROM lines
        LEFT JOIN task ON task.file = lines.file AND task.session_id IS NOT DISTINCT FROM lines.session_id
        LEFT JOIN tool ON tool.file = lines.file AND tool.session_id IS NOT DISTINCT FROM lines.session_id
        LEFT JOIN model ON model.file = lines.file AND model.session_id IS NOT DISTINCT FROM lines.session_id
        LEFT JOIN error ON error.file = lines.file AND error.session_id IS NOT DISTINCT FROM lines.session_id
        """,
        {
            "runs": "how many times it was opened",
            "events": "its events",
            "began": "its first moment, UTC: when it was opened, as far as its lines say",
            "ended": "its last, UTC",
            "span_ms": "from the one to the other, milliseconds: the span of `deia profile`, and the session time of "
            "`deia analyze` and `deia ls` unless durations that callers gave come to more",
            "tasks": "completed runs of tasks",
            "open_tasks": "tasks that nothing completed",
            "tool_calls": "tool calls",
            "tool_ms": "their durations, milliseconds",
            "files_read": "file reads",
            "files_written": "file writes",
            "model_calls": "model calls, each response once",
            "input_tokens": "tokens of their inputs, by the last line of a response that has them; null where none has",
            "output_tokens": "likewise of their outputs",
            "cost_usd": "what they cost, likewise, US dollars",
            "messages": "messages",
            "errors": "rows of `errors`",
            "dropped": "events dropped on purpose because the queue was full",
        },
    ),
}
"""By name, each after those that it is made from."""
