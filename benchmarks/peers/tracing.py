"""OpenTelemetry: each tool call a span, in batches to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, Params
from benchmarks.peers.face import Peer
from benchmarks.peers.line import Fields

_ROOMY_SPANS = 1_000_000
"""More than any run makes."""


class BatchSpans(Peer):
    """`BatchSpanProcessor` with its defaults, and the SDK's only exporter to a file, one span a line."""

    label = "OpenTelemetry, BatchSpanProcessor"
    durability = "nothing: up to 2,048 spans wait up to 5 s in memory; more of them are dropped"
    needs = ("opentelemetry-sdk",)
    has_seq = False
    queue_size: int | None = None

    def __init__(self, directory: Path) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
        from opentelemetry.trace import set_span_in_context

        self.path = directory / "spans.jsonl"
        self.file = self.path.open("w", encoding="utf-8")
        exporter = ConsoleSpanExporter(out=self.file, formatter=lambda span: span.to_json(indent=None) + "\n")
        self.provider = TracerProvider(resource=Resource({"agent_id": AGENT_ID, "session_id": SESSION_ID}))
        self.provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=self.queue_size))
        self.tracer = self.provider.get_tracer("benchmarks")
        self._in_context = set_span_in_context

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Start a span and end it; what a span says of parameters are flat attributes."""
        attributes = {"type": "ToolEvent", "duration_ms": duration_ms}
        for name, value in params.items():
            attributes[f"params.{name}"] = value
        self.tracer.start_span(tool_name, self.context, attributes=attributes).end()

    def start(self) -> None:
        """Start the span that the others belong to."""
        self.task = self.tracer.start_span(TASK)
        self.context = self._in_context(self.task)

    def flush(self) -> None:
        """Export what waits."""
        self.provider.force_flush()

    def close(self) -> int:
        """Export the rest, and close the file."""
        self.task.end()
        self.provider.shutdown()
        self.file.close()
        return 0

    @classmethod
    def fields(cls, record: dict[str, Any]) -> Fields:
        """Return a span's name and attributes."""
        return {**record["attributes"], "name": record["name"]}


class RoomyBatchSpans(BatchSpans):
    """The same with a queue that holds a whole run, so that nothing is dropped."""

    label = "OpenTelemetry, queue for a whole run"
    durability = "nothing: what was not exported yet is gone with a killed process"
    queue_size = _ROOMY_SPANS
