"""The values of the contract: accounts that never show their credential, kinds that know whose trouble they are."""

from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.tasks import Phase

SECRET = "s3cr3t-session"


def test_account_shows_no_secret() -> None:
    account = Account("jimeng", SECRET, proxy="http://u:pw@h:1", cookie="sessionid=abcd")
    shown = f"{account!r} {account}"
    assert SECRET not in shown
    assert "pw@h" not in shown
    assert "abcd" not in shown


def test_redact_removes_secrets() -> None:
    account = Account("jimeng", SECRET, proxy="http://u:pw@h:1")
    assert account.redact(f"session {SECRET} through http://u:pw@h:1 refused") == "session *** through *** refused"


def test_tags_are_stable_and_differ_by_provider_and_credential() -> None:
    assert Account("jimeng", SECRET).tag == Account("jimeng", SECRET, proxy="http://h").tag
    tags = {Account("jimeng", SECRET).tag, Account("dashscope", SECRET).tag, Account("jimeng", "other").tag}
    assert len(tags) == 3
    assert all(len(tag) == 12 and int(tag, 16) >= 0 for tag in tags)


def test_named_account_keeps_its_tag_when_its_credential_is_replaced() -> None:
    assert Account("jimeng", "old", name="one").tag == Account("jimeng", "new", name="one").tag
    assert Account("jimeng", "old", name="one").tag != Account("jimeng", "old", name="two").tag


def test_every_kind_has_a_blame() -> None:
    assert {kind.blame for kind in ErrorKind} == set(Blame)


def test_clients_see_four_states() -> None:
    assert {phase.status for phase in Phase} == {"pending", "processing", "completed", "failed"}


def test_error_reads_as_one_line() -> None:
    assert str(ProviderError(ErrorKind.NO_CREDITS, code="5000", detail="poor")) == "no_credits 5000 poor"


def test_card_knows_all_its_roles() -> None:
    assert ModelCard(name="m", provider="x").roles == frozenset()
