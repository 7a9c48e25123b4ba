"""Headers, cookies and the signature of a Jimeng request."""

import hashlib
from http.cookies import SimpleCookie

import pytest

from providers.contract import Account
from providers.jimeng import session
from providers.jimeng.regions import REGIONS, Region

CN, US = REGIONS["cn"], REGIONS["us"]
ACCOUNT = Account("jimeng", "5e55101d", region="cn")
NOW = 1757737934


def test_the_signature_is_that_of_the_published_vector() -> None:
    expected = hashlib.md5(b"9e2c|_by_ids|7|8.4.0|1757737934||11ac").hexdigest()
    assert session.sign("/mweb/v1/get_history_by_ids", NOW) == expected


def test_the_signature_and_the_device_time_name_the_same_second() -> None:
    headers = session.headers(ACCOUNT, CN, "/mweb/v1/get_history_by_ids", NOW, CN.origin)
    assert headers["Device-Time"] == str(NOW)
    assert headers["Sign"] == session.sign("/mweb/v1/get_history_by_ids", NOW)


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.code)
def test_the_headers_of_each_site(region: Region) -> None:
    headers = session.headers(ACCOUNT, region, "/x", NOW, "https://r/")
    assert headers["Origin"] == region.base_url
    assert headers["Referer"] == "https://r/"
    assert headers["Appid"] == str(region.aid)
    assert (headers["Lan"], headers["Loc"]) == (region.lan, region.loc)
    assert (headers["Appvr"], headers["Pf"], headers["Sign-Ver"], headers["Tdid"]) == ("8.4.0", "7", "1", "")
    assert headers["App-Sdk-Version"] == "48.0.0"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("Mozilla/5.0")


def test_the_common_query() -> None:
    assert session.query(ACCOUNT, US) == {
        "aid": 513641,
        "device_platform": "web",
        "region": "US",
        "da_version": "3.3.9",
        "os": "windows",
        "web_component_open_flag": 1,
        "web_version": "7.5.0",
        "aigc_features": "app_lip_sync",
    }


def test_only_the_domestic_site_is_told_the_browser() -> None:
    assert session.query(ACCOUNT, CN)["webId"] == session.web_id(ACCOUNT)
    assert "webId" not in session.query(ACCOUNT, US)


def test_the_cookie_holds_the_session_under_all_its_names() -> None:
    cookie = SimpleCookie(session.cookie(ACCOUNT, NOW))
    values = {name: morsel.value for name, morsel in cookie.items()}
    assert set(values) == {
        *("_tea_web_id", "is_staff_user", "sid_guard", "uid_tt", "uid_tt_ss", "sid_tt", "sessionid", "sessionid_ss"),
    }
    assert values["sessionid"] == values["sessionid_ss"] == values["sid_tt"] == "5e55101d"
    assert values["uid_tt"] == values["uid_tt_ss"]
    assert len(values["uid_tt"]) == 32
    assert int(values["uid_tt"], 16) >= 0
    assert values["is_staff_user"] == "false"
    assert values["sid_guard"].startswith(f"5e55101d%7C{NOW}%7C5184000%7CWed%2C%2012%20Nov%202025")


def test_a_device_is_the_same_after_a_restart_and_another_for_another_account() -> None:
    again = Account("jimeng", "5e55101d", region="cn")
    other = Account("jimeng", "0ther", region="cn")
    assert session.web_id(ACCOUNT) == session.web_id(again) != session.web_id(other)
    assert len(session.web_id(ACCOUNT)) == 19
    assert session.web_id(ACCOUNT).isdigit()


def test_a_cookie_of_the_accounts_own_is_sent_as_it_is() -> None:
    account = Account("jimeng", "x", cookie="sessionid=x; a=b")
    assert session.cookie(account, NOW) == "sessionid=x; a=b"


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.code)
def test_the_hosts_of_uploads_are_sent_no_cookie(region: Region) -> None:
    headers = session.upload_headers(region)
    assert headers["Origin"] == region.origin
    assert headers["Referer"] == f"{region.origin}/"
    assert headers["User-Agent"] == session.headers(ACCOUNT, region, "/x", NOW, "")["User-Agent"]
    assert not {"Cookie", "Sign"} & set(headers)
