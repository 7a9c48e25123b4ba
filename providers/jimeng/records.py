"""Calls that read task records, queue positions and best-quality links. None of them is charged."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from providers.jimeng import history, results
from providers.jimeng.history import SiteCall

STATUS_PATH = "/mweb/v1/get_history_by_ids"
QUEUE_PATH = "/mweb/v1/get_history_queue_info"
BEST_QUALITY_PATH = "/mweb/v1/get_local_item_list"

CANCEL_READS = (0.0, 1.0, 1.5)
"""Delays in seconds before each read of a record after a cancel: the site's store lags behind its calls."""

States = dict[str, TaskState | ProviderError]
Records = Mapping[str, Mapping[str, Any]]


async def read_records(call: SiteCall, account: Account, kind: str, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The record of each id that exists. `kind` is `history_ids` or `submit_ids`. Raises ProviderError."""
    answer = await call(account, STATUS_PATH, {kind: list(ids)})
    found = history.records(answer.data, ids)
    if found is None or (answer.bare and not found):
        # This must not mean "no such task": a submit might be repeated because of it.
        raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the response has no records")
    return found


async def read_after_cancel(call: SiteCall, account: Account, id: str, *, accepted: bool) -> TaskState | ProviderError:
    """The state of the task, or why it cannot be read. Reads again while there is no record, and after an accepted
    cancel while the task has not ended."""
    after: TaskState | ProviderError = ProviderError(ErrorKind.TASK_NOT_FOUND)
    for delay in CANCEL_READS:
        await asyncio.sleep(delay)
        try:
            record = (await read_records(call, account, "history_ids", [id])).get(id)
        except ProviderError as error:
            if error.kind.blame is Blame.ACCOUNT or not isinstance(after, TaskState):
                after = error
            continue
        if record is not None:
            after = history.parse_record(id, record)
            if after.phase.ended or not accepted:
                break
    return after


async def with_queue_positions(call: SiteCall, account: Account, states: States, found: Records) -> States:
    """The states with queue positions from the queue call, for tasks whose record has no queue field.

    The records of the mainland site have it (raw, 2026-02-11), so this call is rare. If it fails, the states stay
    unchanged.
    """
    waiting = {
        id: state
        for id, state in states.items()
        if isinstance(state, TaskState)
        and state.phase in (Phase.QUEUED, Phase.PROCESSING)
        and history.lacks_queue(found[id])
    }
    if not waiting:
        return states
    try:
        answer = await call(account, QUEUE_PATH, {"history_ids": list(waiting)})
    except ProviderError:
        return states
    entries = history.queue_entries(answer.data, list(waiting))
    return states | {id: history.with_queue(waiting[id], entry) for id, entry in entries.items()}


async def with_best_links(call: SiteCall, account: Account, states: States, found: Records) -> States:
    """The states with the better of two links: the record's, or that of the best-quality call.

    One call for all states. If it fails, the links of the records stay.
    """
    finished = {id: state for id, state in states.items() if isinstance(state, TaskState) and state.result}
    items = {id: item for id in finished if (item := history.item_id(found[id]))}
    if not items:
        return states
    body = {
        "item_id_list": list(items.values()),
        "pack_item_opt": {"scene": 1, "need_data_integrity": True},
        "is_for_video_download": True,
    }
    try:
        best = results.best_choices((await call(account, BEST_QUALITY_PATH, body)).data)
    except ProviderError:
        return states
    better = {
        id: results.with_better(finished[id], results.choose(history.record_item(found[id])), best[item])
        for id, item in items.items()
        if item in best
    }
    return states | better
