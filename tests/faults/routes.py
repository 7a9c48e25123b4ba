"""The whole table: every fault on every route of every upstream that has it."""

from tests.faults import native_routes
from tests.faults.front_routes import FRONT
from tests.faults.rows import Route, Row, Through
from tests.faults.submit_routes import SUBMITS, UPLOADS
from tests.faults.task_routes import ARCHIVE, CONTENT, OTHERS, POLLS

ROUTES: tuple[Route, ...] = (
    *SUBMITS,
    *UPLOADS,
    POLLS,
    *CONTENT,
    *ARCHIVE,
    *OTHERS,
    *native_routes.SUBMITS,
    *native_routes.CALLS,
    *FRONT,
)
ROWS: tuple[Row, ...] = tuple(row for route in ROUTES for row in route.rows())


def is_run(row: Row, through: Through) -> bool:
    """Whether a row is one of a run: those of a proxy in front are run through it only."""
    return bool(through) or not row.route.in_front
