"""When another account may be tried after a failure, and which of the others the failure affects too."""

from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError


def may_try_another(error: ProviderError, account: Account) -> bool:
    """True for an error that may be specific to the account, after which the upstream has done nothing."""
    if error.kind is ErrorKind.UNREACHABLE:
        # The proxy of the account may be down.
        return account.proxy is not None
    return error.kind.blame is Blame.ACCOUNT or error.kind is ErrorKind.MODEL_NOT_FOUND


def is_affected(one: Account, failed: Account, error: ProviderError) -> bool:
    """True for an account that the error of another one affects too: by the same proxy, or by a site without the
    model."""
    if error.kind is ErrorKind.MODEL_NOT_FOUND:
        return one.region == failed.region
    return one is failed or (error.kind is ErrorKind.UNREACHABLE and one.proxy == failed.proxy)
