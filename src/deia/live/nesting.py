"""How deep in tasks an event stands."""

from __future__ import annotations

from deia.events import AnyEvent, TaskEvent


class Depths:
    """Follows the tasks of one session that are open; takes its events in their order."""

    def __init__(self) -> None:
        self._depths: dict[int, int] = {}

    def of(self, event: AnyEvent) -> int:
        """Return in how many open tasks an event stands; a task's start and completion stand where the task does.

        A task whose start was not seen counts as one that is in no other.
        """
        if not isinstance(event, TaskEvent):
            task_id = getattr(event, "task_id", None)
            return 0 if task_id is None else self._depths.get(task_id, 0) + 1
        if event.task_id is None:
            return 0
        depth = self._depths.get(event.task_id)
        if depth is None:
            depth = 0 if event.parent_id is None else self._depths.get(event.parent_id, 0) + 1
        if event.end_time is None:
            self._depths[event.task_id] = depth
        else:
            self._depths.pop(event.task_id, None)
        return depth
