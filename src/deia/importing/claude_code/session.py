"""Import one session of Claude Code."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from deia.errors import NotASessionLogError
from deia.importing.claude_code.agents import SessionFiles
from deia.importing.claude_code.bill import Bill
from deia.importing.claude_code.mapping import Mapping
from deia.importing.claude_code.transcript import Transcript
from deia.importing.ids import LONGEST_AGENT_BYTES, LONGEST_SESSION_BYTES, file_part
from deia.importing.journal import first_fields, write
from deia.importing.origin import NAME, Origin
from deia.importing.prices import Prices, parse
from deia.importing.progress import ReadTwice
from deia.importing.recording import Recording
from deia.importing.report import ImportReport, journal_of, report
from deia.importing.source import Source
from deia.journal.damage import DamageLog
from deia.journal.progress import OnProgress

AGENT = "claude-code"
"""Whose the sessions are, unless told."""

_PRICES = "prices"
"""Where the metadata of a log's first line says what its costs were made with."""


def import_session(
    files: SessionFiles,
    directory: Path,
    *,
    agent_id: str = AGENT,
    redact: bool = True,
    prices: Prices | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Turn a transcript into a journal of ours. Done again, it changes nothing unless the transcript has grown.

    Another transcript of the same session has a log of its own, whose name ends in a hash of where the transcript lies.

    Args:
        files: The session's files.
        directory: Where the journal goes; made if missing.
        agent_id: Whose session it is.
        redact: Whether secrets are kept out, by the rules that are a logger's default.
        prices: What models cost; left out, it is what an earlier import of it was told, and with an empty list nothing.
        on_progress: Told every now and then how far it has come, in bytes of the files.

    Raises:
        NotASessionLogError: The file is no transcript.
        SessionLockedError: A logger has a session of that name open; nothing was touched.
        JournalError: A logger has recorded one, or it is the import of other records; nothing was touched.
        OSError: A file cannot be read or written.
    """
    log = DamageLog()
    progress = ReadTwice(on_progress)
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(Source(path, log.add, progress)) for path in (files.path, *files.agents)]
        transcript = Transcript(sources)
        if not transcript.is_one:
            raise NotASessionLogError(f"{files.path} is no transcript of Claude Code", path=files.path)
        agent_id = file_part(agent_id, LONGEST_AGENT_BYTES)
        origin = Origin(files.path, transcript.trails)
        session_id = origin.session_id(directory, agent_id, _session_id(files.path, transcript))
        transcript.about[NAME] = origin.object
        journal = journal_of(directory, agent_id, session_id)
        known = _known_prices(first_fields(journal))
        prices = known if prices is None else prices
        bill = Bill(prices)
        mine = prices.only(transcript.models)
        if mine:
            transcript.about[_PRICES] = mine.object
        first, last = transcript.steps[0].time, transcript.steps[-1].time
        recording = Recording(agent_id, session_id, first, redact=redact)
        state = write(journal, Mapping(transcript, recording, bill).lines(), origin.goes_on_from)
    read = [(source.path, source.records) for source in sources]
    result = report(journal, state, (agent_id, session_id), read, recording.events, (first, last), log)
    result.left_out = dict(transcript.left_out)
    result.unpriced = list(bill.unpriced)
    result.repriced = state == "updated" and known.object != mine.only(known.object).object
    return result


def _known_prices(first: dict[str, Any] | None) -> Prices:
    """Return the prices that a log was made with, by the fields of its first line."""
    metadata = (first or {}).get("metadata")
    try:
        return parse(metadata.get(_PRICES, {}) if type(metadata) is dict else {})
    except ValueError:
        return Prices({})  # an editor was there: what is told now counts alone


def _session_id(path: str, transcript: Transcript) -> str:
    """Return the session's id: the file's name where a record says the same, else what the first record says."""
    stem = os.path.basename(path).removesuffix(".jsonl")
    known = transcript.session_ids
    found = stem if stem in known else next(iter(known), stem)
    return file_part(found or "transcript", LONGEST_SESSION_BYTES)
