"""A task's record, in the forms of the submit's answer and of the status calls. Pure functions of now."""

from typing import Any

from providers.sandbox.clips import shipped_clip
from providers.sandbox.files import Files
from providers.sandbox.jimeng.accounts import user_id_of
from providers.sandbox.jimeng.failures import BROKEN, CANCELLED
from providers.sandbox.jimeng.results import item
from providers.sandbox.jimeng.sites import AIDS
from providers.sandbox.jimeng.tasks import LEFT, QUEUE_LENGTH, QUEUED, WAITING, WORKING, Task

Json = dict[str, Any]

_GENERATE_TYPE = 10
_COST_FORECAST = 6
"""`forecast_generate_cost` is several times the credits that are charged."""


def queue_info(task: Task, now: float) -> Json:
    """`queue_idx` counts down to 0 = no longer waiting."""
    queue_position = task.queue_position(now)
    made: Json = {
        "queue_idx": queue_position,
        "priority": 5,
        "queue_status": WAITING if queue_position else LEFT if task.ended(now) else WORKING,
        "queue_length": QUEUE_LENGTH if queue_position else 0,
        "polling_config": {"interval_seconds": 30, "timeout_seconds": 86_400},
        "priority_queue_display_threshold": {"vip_queuing_time_threshold": 300, "waiting_time_threshold": 60},
    }
    return {**made, "debug_info": "{}"} if task.ended(now) else made


def queue_entry(task: Task, now: float) -> Json:
    """What the queue call says of one id. `status` 0 was seen with a finished run."""
    forecast = {"forecast_generate_cost": _forecast(task), "forecast_queue_cost": _queue_seconds(task)}
    status = 0 if task.ended(now) else task.status(now)
    return {
        "status": status,
        "queue_info": {"debug_info": "{}", **queue_info(task, now)},
        "forecast_cost_time": forecast,
    }


def _forecast(task: Task) -> int:
    return task.cost * _COST_FORECAST


def _queue_seconds(task: Task) -> int:
    return int(task.seconds * QUEUED)


def _task_status(task: Task, now: float) -> int:
    """`task.status`: as the record's, but a failure tells its stage."""
    if task.ended(now) and task.refunded:
        return task.failure.stage if task.failure and task.cancelled_at is None else BROKEN
    return task.status(now)


def _task_part(task: Task, now: float) -> Json:
    return {
        "task_id": task.history_id,
        "submit_id": task.submit_id,
        "aid": int(AIDS[task.site]),
        "status": _task_status(task, now),
        "finish_time": int(task.ends_at) if task.ended(now) else 0,
        "history_id": task.history_id,
        "task_payload": None,
        "original_input": None,
        "resp_ret": {"ret": "0"},
    }


def submit_data(task: Task, now: float) -> Json:
    """`aigc_data` of a generate answer; a record begins with it."""
    model, draft, clip = task.draft.model, task.draft, shipped_clip(task.draft.shape)
    return {
        "generate_type": _GENERATE_TYPE,
        "history_record_id": task.history_id,
        "origin_history_record_id": None,
        "created_time": task.created,
        "item_list": [],
        "task": _task_part(task, now),
        "mode": "workbench",
        "uid": user_id_of(task.owner),
        "aigc_flow": {"version": draft.version},
        "status": task.status(now),
        "draft_content": draft.content,
        "resources": [],
        "submit_id": task.submit_id,
        "capflow_id": task.submit_id,
        "metrics_extra": draft.metrics,
        "generate_id": task.generate_id,
        "finish_time": int(task.ends_at) if task.ended(now) else 0,
        "model_info": {
            "model_req_key": model.key,
            "model_name": model.name,
            "commercial_config": {},
            "video_model_options": [],
        },
        "forecast_generate_cost": _forecast(task),
        "forecast_queue_cost": _queue_seconds(task),
        "fail_code": "",
        "fail_starling_key": "",
        "fail_starling_message": "",
        "min_feats": list(draft.features),
        "queue_info": queue_info(task, now),
        "total_image_count": 0,
        "finished_image_count": 0,
        "pre_gen_item_ids": [task.item_id],
        "forecast_resolution": {"width": clip.width, "height": clip.height},
    }


def record(task: Task, now: float, base: str, files: Files) -> Json:
    """The record as the status calls and the history give it."""
    made = submit_data(task, now)
    made |= {"total_image_count": 1}
    if not task.ended(now):
        return made
    if task.cancelled_at is not None:
        # Told in words by one who cancelled on 2026-03-11; the number and the key are not captured.
        return made | {"fail_starling_message": CANCELLED}
    failure = task.failure
    if failure is None:
        return made | {"finished_image_count": 1, "item_list": [item(task, base, files)]}
    made["task"]["resp_ret"] = {"ret": str(failure.code or ""), "errmsg": failure.message}
    failed_item = {"gen_result_data": {"result_code": failure.code or -1, "result_msg": failure.message}}
    return made | {
        "fail_code": failure.code,
        "fail_msg": failure.message,
        "fail_starling_key": failure.key,
        "fail_starling_message": failure.sentence,
        "failed_item_list": [failed_item],
    }
