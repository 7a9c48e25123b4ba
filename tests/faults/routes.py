"""The whole table: every fault on every route of every upstream that has it."""

from tests.faults.rows import Route, Row
from tests.faults.submit_routes import SUBMITS, UPLOADS
from tests.faults.task_routes import ARCHIVE, CONTENT, OTHERS, POLLS

ROUTES: tuple[Route, ...] = (*SUBMITS, *UPLOADS, POLLS, *CONTENT, *ARCHIVE, *OTHERS)
ROWS: tuple[Row, ...] = tuple(row for route in ROUTES for row in route.rows())
