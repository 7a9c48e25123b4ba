"""The whole table: every fault on every route of every upstream that has it."""

from tests.faults import native_routes
from tests.faults.rows import Route, Row
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
)
ROWS: tuple[Row, ...] = tuple(row for route in ROUTES for row in route.rows())
