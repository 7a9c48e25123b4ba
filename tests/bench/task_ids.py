"""How long signing and verifying an id takes: python -m tests.bench.task_ids"""

import timeit

from gateway.task_ids.signed import TaskId, derived_key, sign, verify

EXAMPLE = TaskId(
    provider="dashscope",
    upstream_id="0385dc79-5ff8-4d82-bcb6-0123456789ab",
    account_tag="0123456789ab",
    owner_tag="ba9876543210",
    model="wan2.6-t2v",
    created=1757737934,
    seconds=5,
    size="1280x720",
)
ROUNDS = 20_000


def main() -> None:
    key = derived_key("secret")
    text = sign(EXAMPLE, key)
    for name, work in (("sign", lambda: sign(EXAMPLE, key)), ("verify", lambda: verify(text, [key]))):
        best = min(timeit.repeat(work, number=ROUNDS, repeat=5)) / ROUNDS
        print(f"{name}: {best * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
