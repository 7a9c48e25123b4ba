"""The values of the contract: accounts that never show their credential, kinds that know whose trouble they are."""

from providers.contract.accounts import Account, public_tag
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.tasks import Phase

SECRET = "s3cr3t-session"


def test_an_account_never_shows_what_is_secret() -> None:
    account = Account("jimeng", SECRET, proxy="http://u:pw@h:1", cookie="sessionid=abcd")
    shown = f"{account!r} {account}"
    assert SECRET not in shown
    assert "pw@h" not in shown
    assert "abcd" not in shown


def test_foreign_text_is_rid_of_them() -> None:
    account = Account("jimeng", SECRET, proxy="http://u:pw@h:1")
    assert account.redact(f"session {SECRET} through http://u:pw@h:1 refused") == "session *** through *** refused"


def test_account_ids_are_stable_and_differ_by_provider_and_credential() -> None:
    assert Account("jimeng", SECRET).id == Account("jimeng", SECRET, proxy="http://h").id
    ids = {Account("jimeng", SECRET).id, Account("dashscope", SECRET).id, Account("jimeng", "other").id}
    assert len(ids) == 3
    assert all(len(id) == 32 and int(id, 16) >= 0 for id in ids)


def test_named_account_keeps_its_id_when_its_credential_is_replaced() -> None:
    assert Account("jimeng", "old", name="one").id == Account("jimeng", "new", name="one").id
    assert Account("jimeng", "old", name="one").id != Account("jimeng", "old", name="two").id


def test_identities_are_those_of_ids_and_archives_made_before() -> None:
    unnamed, named = Account("jimeng", SECRET, region="us"), Account("jimeng", SECRET, region="us", name="one")
    assert (unnamed.id, unnamed.label) == ("c3c4a815624cf30f8fc37fc45cf4bd8d", "c3c4a815624c")
    assert (named.id, public_tag(named), named.label) == ("6b8ad359560a60c7bda3440d294da9cb", "6b8ad359560a", "one")
    assert unnamed.principals == ("d2f1ddfff0e6d2837f14bd0d56e3488d",)
    assert named.principals == ("9754a86daafecdad94dc95fe352c6e34", "d2f1ddfff0e6d2837f14bd0d56e3488d")


def test_named_account_answers_to_its_tag_from_before_it_was_named() -> None:
    unnamed, named = Account("jimeng", SECRET), Account("jimeng", SECRET, name="one")
    assert named.answers_to(public_tag(named))
    assert named.answers_to(public_tag(unnamed))
    assert not unnamed.answers_to(public_tag(named))


def test_every_kind_has_someone_to_blame() -> None:
    assert {kind.blame for kind in ErrorKind} == set(Blame)


def test_clients_see_four_states() -> None:
    assert {phase.status for phase in Phase} == {"pending", "processing", "completed", "failed"}


def test_an_error_reads_as_one_line() -> None:
    assert str(ProviderError(ErrorKind.NO_CREDITS, code="5000", detail="poor")) == "no_credits 5000 poor"


def test_a_card_knows_all_its_roles() -> None:
    assert ModelCard(name="m", provider="x").roles == frozenset()
