"""Patterns of models and providers."""

import pytest

from gateway.limits.allowed_models import AllowedModels


@pytest.mark.parametrize(
    ("models", "providers", "provider", "names", "allowed"),
    [
        ((), (), "one", ("m",), True),
        (("m-*",), (), "one", ("M-1",), True),
        (("M-*",), (), "one", ("m-1",), True),
        (("m-*",), (), "one", ("xm-1",), False),
        (("m-1",), (), "one", ("m-10",), False),
        (("m-?", "n"), (), "one", ("N",), True),
        (("m-[12]",), (), "one", ("m-3",), False),
        (("alias",), (), "one", ("alias", "m-1"), True),
        (("m 1",), (), "one", ("M  1",), True),
        (("*",), ("two",), "one", ("m",), False),
        ((), ("t*",), "two", ("m",), True),
        (("m",), ("two",), "two", ("n",), False),
        (("",), (), "one", ("",), False),
    ],
)
def test_allows(
    models: tuple[str, ...], providers: tuple[str, ...], provider: str, names: tuple[str, ...], allowed: bool
) -> None:
    assert AllowedModels(models, providers).allows(provider, *names) is allowed
