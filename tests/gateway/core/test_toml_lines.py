"""Lines of keys in a TOML file."""

import pytest

from gateway.core.toml_lines import Path, line_of

TEXT = '''\
port = 1
aliases.a = "x"
"quoted key" = 2
[timeouts] # seconds
read = 3
text = """
port = 9
"""
after = 1
[[accounts]]
name = "a"
[[accounts]]
name = "b"
[accounts.more]
x = 1
[ providers . jimeng ]
query_batch = 2
list = [
  1,
]
inline = { a = 1 }
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("port",), 1),
        (("aliases", "a"), 2),
        (("quoted key",), 3),
        (("timeouts",), 4),
        (("timeouts", "read"), 5),
        (("timeouts", "after"), 9),
        (("accounts", 0, "name"), 11),
        (("accounts", 1), 12),
        (("accounts", 1, "name"), 13),
        (("accounts", 1, "more", "x"), 15),
        (("accounts", 0, "missing"), 10),
        (("providers", "jimeng", "query_batch"), 17),
        (("providers", "jimeng", "list", 0), 18),
        (("providers", "jimeng", "inline", "a"), 21),
        (("nowhere",), None),
    ],
)
def test_line_of_a_key(path: Path, line: int | None) -> None:
    assert line_of(TEXT, path) == line
