"""The models that the sites have now; they can be retired and restored while the sandbox runs."""

import threading
from typing import Any

from providers.sandbox.jimeng.model_entries import entry
from providers.sandbox.jimeng.model_rows import Model
from providers.sandbox.jimeng.models import DEFAULTS, MODELS
from providers.sandbox.jimeng.sites import SITES, Site

Json = dict[str, Any]


class JimengModels:
    """What the configuration call lists and a submit may name, by site.

    Every method is safe to call from another thread.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._listed: dict[Site, tuple[Model, ...]] = dict(MODELS)
        self.fault_status: int | None = None
        """HTTP status of every configuration call, None = no fault. The response is an HTML page."""
        self.fault_ret = ""
        """`ret` of every configuration call, "" = no fault."""

    def of(self, site: Site) -> tuple[Model, ...]:
        """The models of a site, in the order of its list."""
        return self._listed[site]

    def find(self, key: str, site: Site) -> Model | None:
        """The model with this `model_req_key`, None where the site does not have it."""
        return next((model for model in self._listed[site] if model.key == key), None)

    def keys(self) -> dict[Site, list[str]]:
        """Site → the keys it has now."""
        return {site: [model.key for model in self._listed[site]] for site in SITES}

    def retire(self, key: str, site: Site | None = None) -> None:
        """Take a model off one site, or off all. Raises KeyError for a key that no site ever had."""
        _known(key)
        with self._changing:
            for one in _sites(site):
                self._listed[one] = tuple(model for model in self._listed[one] if model.key != key)

    def restore(self, key: str, site: Site | None = None) -> None:
        """Put a model back at its position. With a `site` that never had it, the other site's row goes to the end.

        Raises KeyError for a key that no site ever had.
        """
        rows = _known(key)
        with self._changing:
            for one in _sites(site):
                if self.find(key, one) is None and (one in rows or site is not None):
                    there = [*self._listed[one], rows.get(one) or next(iter(rows.values()))]
                    self._listed[one] = tuple(sorted(there, key=lambda model: _position(one, model.key)))

    def set_config_fault(self, status: int | None = None, *, ret: str = "") -> None:
        """Make every configuration call fail with an HTTP status or a `ret`; without either it works again.

        Raises ValueError for a status outside 400 to 599.
        """
        if status is not None and not 400 <= status <= 599:
            raise ValueError("a status from 400 to 599")
        self.fault_status, self.fault_ret = status, ret

    def configuration(self, site: Site) -> Json:
        """`data` of the configuration answer."""
        models = self._listed[site]
        keys = [model.key for model in models]
        abroad = site != "cn"
        return {
            "model_list": [entry(model) for model in models],
            "default_model_idx": keys.index(DEFAULTS[site]) if DEFAULTS[site] in keys else 0,
            "forbidden_display": False,
            # Dreamina's is filled; its status tells nothing of an account's rights.
            "feature_conf": {"video_generate": {"status": 0}} if abroad else {},
            "model_req_key_empty_replace": "",
            "remember_me": False,
            "tag": {"enable": True, "text": "SD2.0"},
            "video_duration_display_range": {"min_duration_ms": 4000, "max_duration_ms": 15_000},
            "video_resolution_display_list": [
                {"value": "720p", "text": "720P"},
                {"value": "1080p", "text": "1080P"},
            ],
        }


def _known(key: str) -> dict[Site, Model]:
    """The rows of a key by site. Raises KeyError where there is none."""
    rows = {site: model for site in SITES for model in MODELS[site] if model.key == key}
    if not rows:
        raise KeyError(key)
    return rows


def _sites(site: Site | None) -> tuple[Site, ...]:
    return SITES if site is None else (site,)


def _position(site: Site, key: str) -> int:
    """The index of a key in the site's initial list; the end for one that it never had."""
    own = [model.key for model in MODELS[site]]
    return own.index(key) if key in own else len(own)
