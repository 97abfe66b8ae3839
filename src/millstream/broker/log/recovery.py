"""A log as a start finds it: taken over from its notes, or read batch by batch, and repaired.

A torn or damaged end is cut off, as Kafka does it. What is cut away although it may hold whole batches, and segments
that follow damage, are set aside as `.damaged` files, not deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from millstream.broker.log.blob import Folder
from millstream.broker.log.notes import SegmentNote, WritersNote, read, written
from millstream.broker.log.segment import Segment
from millstream.broker.log.writers import Writers

_log = logging.getLogger(__name__)


def recovered(name: str, folder: Folder, start_offset: int, *, trusted: bool) -> tuple[list[Segment], Writers]:
    """The segments of a log and who wrote to it. Raises OSError.

    With `trusted` what was noted is believed, and only segments after the last note are read.
    """
    taken = _noted(folder) if trusted else None
    segments, writers = taken or ([], Writers())
    expected = segments[-1].next_offset if segments else None
    known = {segment.base_offset for segment in segments}
    for base in folder.bases():
        if base in known:
            continue
        if expected is not None and base < expected:
            _log.warning("%s: segment %d overlaps the one before it and is removed", name, base)
            folder.remove(base)
            continue
        segment = Segment(base, folder.open(base))
        cut = segment.recover(writers.recall)
        segments.append(segment)
        expected = segment.next_offset
        if cut:
            _log.warning("%s: cut %d damaged bytes off at offset %d", name, cut, segment.next_offset)
            _set_aside_after(name, folder, base)
            break
    if not segments:
        segments.append(Segment(start_offset, folder.open(start_offset)))
    return segments, writers


def note_end(name: str, folder: Folder, last: Segment, writers: Writers) -> None:
    """Note the last segment and who has written, for a start that begins behind them.

    The note of writers before that segment stays: it serves when more is written into the segment after all.
    """
    note_segment(name, folder, last)
    here = _writers_name(last.next_offset)
    with _not_fatal(name):
        folder.put_note(here, written(writers.note(last.next_offset)))
        folder.drop_notes("*.writers", but={here, _writers_name(last.base_offset)})


def note_segment(name: str, folder: Folder, segment: Segment) -> None:
    """Note a segment that is written to no more."""
    with _not_fatal(name):
        folder.put_note(_index_name(segment.base_offset), written(segment.note()))


def forget_notes(folder: Folder, segments: Iterable[Segment]) -> None:
    """Segments are about to be replaced: what was noted about them holds no longer. Raises OSError."""
    for segment in segments:
        folder.drop_notes(_index_name(segment.base_offset))


def note_forgotten(name: str, folder: Folder, last: Segment, before: int) -> None:
    """Transactions that ended before an offset are not told any more: nor must the note of writers tell them."""
    here = _writers_name(last.base_offset)
    note = read(folder.note(here), WritersNote)
    folder.drop_notes("*.writers")
    if note is not None:
        aborted = [each for each in note.aborted if each.last_offset >= before]
        with _not_fatal(name):
            folder.put_note(here, written(msgspec.structs.replace(note, aborted=aborted)))


@contextmanager
def _not_fatal(name: str) -> Iterator[None]:
    """Without a note the next start reads more: no reason to stop anything."""
    try:
        yield
    except OSError as error:
        _log.warning("%s: nothing can be noted for the next start: %s", name, error)


def _noted(folder: Folder) -> tuple[list[Segment], Writers] | None:
    """The segments up to the last note of writers, all of them noted; None where anything is missing."""
    segments: list[Segment] = []
    bases = folder.bases()
    for base in bases:
        if segments and base < segments[-1].next_offset:
            continue  # left over from a compaction that a crash cut short
        note = read(folder.note(_index_name(base)), SegmentNote)
        if note is None:
            break
        blob = folder.open(base)
        if blob.size != note.size or (segments and base != segments[-1].next_offset):
            blob.close()
            break
        segments.append(Segment.noted(base, blob, note))
    while bases:
        end = segments[-1].next_offset if segments else bases[0]
        writers = read(folder.note(_writers_name(end)), WritersNote)
        if writers is not None:
            return segments, Writers.noted(writers)
        if not segments:
            break
        segments.pop().blob.close()
    return None


def _set_aside_after(name: str, folder: Folder, base_offset: int) -> None:
    """Segments after a damaged one leave the log: it has no holes that nobody accounts for."""
    for base in folder.bases():
        if base > base_offset:
            _log.warning("%s: segment %d follows damaged data; it is set aside as a .damaged file", name, base)
            folder.drop_notes(_index_name(base))
            folder.set_aside(base)


def _index_name(base_offset: int) -> str:
    return f"{base_offset:020d}.index"


def _writers_name(offset: int) -> str:
    return f"{offset:020d}.writers"
