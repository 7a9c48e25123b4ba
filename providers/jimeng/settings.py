"""The settings of Jimeng: `[providers.jimeng]`."""

from pydantic import Field

from providers.contract.settings import BaseUrl, ProviderSettings, Section
from providers.jimeng.site.session import CURRENT


class ExtraModel(Section):
    """A model that neither the site's live list nor the table has, or one of theirs with other facts."""

    name: str = Field(min_length=1, description="What clients write.")
    key: str = Field(min_length=1, description="The site's own key, as `model_req_key`.")
    benefit_type: str = Field(min_length=1, description="The site's name for what is charged.")
    durations: tuple[int, ...] = Field((5, 10), min_length=1, description="Seconds offered, the default first.")
    resolutions: tuple[str, ...] = Field((), description="Such as 720p; empty where the model has no such choice.")


class JimengSettings(ProviderSettings):
    """Accounts are sessionids, with region and proxy prefixes. The versions are what the gateway says of itself to the
    sites, which raise them with their page."""

    queries_per_second: float = Field(5.0, ge=0, description="Queries a second of one account; 0 = no limit.")
    query_batch: int = Field(50, ge=1, le=500, description="Ids in one status query.")
    base_url: BaseUrl | None = Field(None, description="Replaces the host of every region.")
    commerce_url: BaseUrl | None = Field(None, description="Replaces the credits' host; follows the base.")
    imagex_url: BaseUrl | None = Field(None, description="Replaces the host of every region that takes pictures.")
    vod_url: BaseUrl | None = Field(None, description="Replaces the host that takes clips and sounds.")
    app_version: str = Field(
        CURRENT.app_version, pattern=r"^\d+\.\d+\.\d+\Z", description="`da_version` in the query of every call."
    )
    draft_version: str = Field(
        CURRENT.draft_version, pattern=r"^\d+\.\d+\.\d+\Z", description="`version` in the draft of every submit."
    )
    models: tuple[ExtraModel, ...] = Field(
        (), description="Models beside those that the site lists; one of the same name replaces the site's."
    )
