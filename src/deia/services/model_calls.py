"""Record what an agent's model was asked and said, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from deia.line import encode_mapping, encode_value
from deia.queue.producer import OTHER
from deia.queue.tasks import entered_last
from deia.services import arguments
from deia.services.failures import failure, origin, told
from deia.services.recording import Recording, replaced

_LARGEST = arguments.LARGEST


class ModelCalls(Recording):
    """The log calls about models, messages and errors."""

    def log_llm_call(
        self,
        provider: str,
        model: str,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        *,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        duration_ms: float | None = None,
        time_to_first_token_ms: float | None = None,
        cost_usd: float | None = None,
        response_id: str | None = None,
        attempt: int | None = None,
        error: BaseException | str | None = None,
        error_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that a model was called.

        Args:
            provider: Who answered: `"anthropic"`, `"openai"`, …
            model: Which model.
            input_tokens: The whole input, what came from the provider's cache or went into it included. (Anthropic's
                API tells the three apart: add them up.)
            output_tokens: The whole output, reasoning included.
            cache_read_tokens: Of the input, what was read from the cache.
            cache_write_tokens: Of the input, what was written to the cache.
            reasoning_tokens: Of the output, what was reasoning.
            duration_ms: Milliseconds from the request to the end of the response.
            time_to_first_token_ms: Milliseconds to the first of a streamed response.
            cost_usd: US dollars.
            response_id: The provider's name for the response. Tokens and cost count once for each: of several events
                with the same, the last.
            attempt: Which try of the same request this was, from 1.
            error: Where it failed: the exception, or what the provider said.
            error_type: What kind of error, where `error` is no exception, or another name than its type's is meant.
            metadata: Anything worth keeping with it.
        """
        producer = self._producer
        if producer is None:
            return
        if type(provider) is not str or not provider:
            provider = arguments.text("provider", provider)
        if type(model) is not str or not model:
            model = arguments.text("model", model)
        fields: dict[str, Any] = {
            "type": "LLMEvent",
            "provider": provider,
            "model": model,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cache_read_tokens": cache_read_tokens,
            "cache_write_tokens": cache_write_tokens,
            "reasoning_tokens": reasoning_tokens,
            "duration_ms": duration_ms,
            "time_to_first_token_ms": time_to_first_token_ms,
            "cost_usd": cost_usd,
            "response_id": response_id,
            "attempt": attempt,
            "error_type": error_type,
            "error": error,
            "metadata": {} if metadata is None else orjson.Fragment(encode_mapping(metadata)),
        }
        odd: dict[str, dict[str, Any]] = {}
        for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"):
            value = fields[name]
            if value is not None and (type(value) is not int or not 0 <= value <= _LARGEST):
                fields[name] = arguments.whole(name, value, odd)
        if attempt is not None and (type(attempt) is not int or not 0 < attempt <= _LARGEST):
            fields["attempt"] = arguments.positive("attempt", attempt, odd)
        for name in ("duration_ms", "time_to_first_token_ms"):
            value = fields[name]
            if value is not None and (type(value) is not int or value < 0):
                fields[name] = self._duration(name, value, odd)
        if cost_usd is not None and (type(cost_usd) is not float or not 0 <= cost_usd <= _LARGEST):
            fields["cost_usd"] = arguments.cost(cost_usd, odd)
        if error is not None or error_type is not None:
            fields.update(failure(error, error_type))
        if response_id is not None and (type(response_id) is not str or not response_id):
            fields["response_id"] = arguments.readable_text(response_id)
        self._log(producer, replaced(fields, odd) if odd else fields, OTHER, entered_last())

    def log_message(
        self, role: str, content: Any, *, message_id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Record that somebody said something.

        Args:
            role: Who: `"user"`, `"assistant"`, `"system"`, `"tool"`, …
            content: What: text, or the parts of the message as the provider has them.
            message_id: A name for it; of a model's answer, the `response_id` of its call.
            metadata: Anything worth keeping with it.
        """
        producer = self._producer
        if producer is None:
            return
        if type(role) is not str or not role:
            role = arguments.text("role", role)
        if message_id is not None and (type(message_id) is not str or not message_id):
            message_id = arguments.readable_text(message_id)
        fields = {
            "type": "MessageEvent",
            "role": role,
            "content": content if type(content) is str else orjson.Fragment(encode_value(content)),
            "message_id": message_id,
            "metadata": {} if metadata is None else orjson.Fragment(encode_mapping(metadata)),
        }
        self._log(producer, fields, OTHER, entered_last())

    def log_error(
        self,
        error: BaseException | str,
        *,
        error_type: str | None = None,
        where: str | None = None,
        traceback: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that something went wrong.

        Of an exception that was raised, its type, place and traceback are recorded. Python shows the source in a
        traceback, and reads it for that where it was not shown before. Under `sync_policy="interval"` a sync starts at
        once, and is not waited for.

        Args:
            error: The exception, or what there is to say.
            error_type: What kind of error, where `error` is no exception, or another name than its type's is meant.
            where: Where it happened, likewise.
            traceback: How it came about, likewise; `""` records none.
            metadata: Anything worth keeping with it.
        """
        producer = self._producer
        if producer is None:
            return
        if isinstance(error, BaseException):
            kind, message = told(error)
            place, trace = origin(error, where=where is None, traceback=traceback is None)
        else:
            kind, message, place, trace = None, arguments.text("error", error), None, None
        fields = {
            "type": "ErrorEvent",
            "error_type": kind if error_type is None else arguments.readable_text(error_type),
            "message": message,
            "where": place if where is None else arguments.readable_text(where),
            "traceback": trace if traceback is None else arguments.readable_text(traceback),
            "metadata": {} if metadata is None else orjson.Fragment(encode_mapping(metadata)),
        }
        self._log(producer, fields, OTHER, entered_last())
        self._session.sync_soon()
