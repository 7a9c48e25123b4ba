"""Headers, cookies and the signature of a Jimeng request."""

import hashlib
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from urllib.parse import quote_plus, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.accounts import Account
from providers.jimeng.site import session
from providers.jimeng.site.regions import REGIONS, Region

CN, US = REGIONS["cn"], REGIONS["us"]
ACCOUNT = Account("jimeng", "5e55101d", region="cn")
NOW = 1757737934
abroad = pytest.mark.parametrize("region", [region for code, region in REGIONS.items() if code != "cn"])


def test_signature_is_that_of_the_published_vector() -> None:
    expected = hashlib.md5(b"9e2c|_by_ids|7|8.4.0|1757737934||11ac").hexdigest()
    assert session.sign("/mweb/v1/get_history_by_ids", NOW) == expected


def test_signature_and_the_device_time_name_the_same_second() -> None:
    headers = session.headers(ACCOUNT, CN, "/mweb/v1/get_history_by_ids", NOW, CN.origin)
    assert headers["Device-Time"] == str(NOW)
    assert headers["Sign"] == session.sign("/mweb/v1/get_history_by_ids", NOW)


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.code)
def test_headers_of_each_site(region: Region) -> None:
    headers = session.headers(ACCOUNT, region, "/x", NOW, "https://r/")
    assert headers["Origin"] == region.base_url
    assert headers["Referer"] == "https://r/"
    assert headers["Appid"] == str(region.aid)
    assert (headers["Lan"], headers["Loc"]) == (region.lan, region.loc)
    assert (headers["Appvr"], headers["Pf"], headers["Sign-Ver"], headers["Tdid"]) == ("8.4.0", "7", "1", "")
    assert headers["App-Sdk-Version"] == "48.0.0"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("Mozilla/5.0")


def test_common_query() -> None:
    assert session.query(ACCOUNT, US) == {
        "aid": 513641,
        "device_platform": "web",
        "region": "US",
        "da_version": "3.3.28",
        "os": "windows",
        "web_component_open_flag": 1,
        "web_version": "7.5.0",
        "aigc_features": "app_lip_sync",
    }


def test_only_the_domestic_site_is_told_the_browser() -> None:
    assert session.query(ACCOUNT, CN)["webId"] == session.web_id(ACCOUNT)
    assert "webId" not in session.query(ACCOUNT, US)


def test_cookie_holds_the_session_under_all_its_names() -> None:
    cookie = SimpleCookie(session.cookie(ACCOUNT, CN, NOW))
    values = {name: morsel.value for name, morsel in cookie.items()}
    assert set(values) == {
        *("_tea_web_id", "is_staff_user", "sid_guard", "uid_tt", "uid_tt_ss", "sid_tt", "sessionid", "sessionid_ss"),
        *("store-region", "store-region-src"),
    }
    assert values["sessionid"] == values["sessionid_ss"] == values["sid_tt"] == "5e55101d"
    assert values["uid_tt"] == values["uid_tt_ss"]
    assert len(values["uid_tt"]) == 32
    assert int(values["uid_tt"], 16) >= 0
    assert values["is_staff_user"] == "false"
    assert (values["store-region"], values["store-region-src"]) == ("cn-gd", "uid")


def test_date_in_the_cookie_has_the_form_of_the_sites_own() -> None:
    values = SimpleCookie(session.cookie(ACCOUNT, CN, 1_804_573_926 - 5_184_000))
    session_id, made, seconds, expiry = unquote_plus(values["sid_guard"].value).split("|")
    assert (session_id, int(made) + int(seconds)) == ("5e55101d", 1_804_573_926)
    assert expiry == formatted(1_804_573_926)
    assert values["sid_guard"].value.endswith("%7C" + quote_plus(expiry))


def formatted(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%a, %d-%b-%Y %H:%M:%S GMT")


def test_form_of_a_captured_date() -> None:
    assert session._cookie_date(1820557926) == quote_plus("Fri, 10-Sep-2027 06:32:06 GMT")


@pytest.mark.parametrize(
    "region", [region for region in REGIONS.values() if not region.domestic], ids=lambda region: region.code
)
def test_abroad_there_is_no_mainland_region_in_the_cookie(region: Region) -> None:
    assert "store-region" not in SimpleCookie(session.cookie(ACCOUNT, region, NOW))


def test_device_is_the_same_after_a_restart_and_another_for_another_account() -> None:
    again = Account("jimeng", "5e55101d", region="cn")
    other = Account("jimeng", "0ther", region="cn")
    assert session.web_id(ACCOUNT) == session.web_id(again) != session.web_id(other)
    assert len(session.web_id(ACCOUNT)) == 19
    assert session.web_id(ACCOUNT).isdigit()


def test_own_cookie_is_sent_unchanged() -> None:
    account = Account("jimeng", "x", cookie="sessionid=x; a=b")
    assert session.cookie(account, CN, NOW) == "sessionid=x; a=b"


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("sessionid=x; _tea_web_id=7412345678901234567", "7412345678901234567"),
        ("_tea_web_id=7412345678901234567;sessionid=x", "7412345678901234567"),
        ("sessionid=x; _tea_web_id = 7412345678901234567 ; a=b", "7412345678901234567"),
        ("sessionid=x", ""),
        ("sessionid=x; _tea_web_id=", ""),
        ("sessionid=x; _tea_web_id=a&b=c", ""),
        ("sessionid=x; not_tea_web_id=7412345678901234567", ""),
    ],
)
def test_query_and_the_cookie_of_an_account_name_the_same_browser(cookie: str, expected: str) -> None:
    account = Account("jimeng", "x", region="cn", cookie=cookie)
    made = session.web_id(Account("jimeng", "x", region="cn"))
    assert session.query(account, CN)["webId"] == (expected or made)


def test_generated_cookie_has_the_web_id_of_the_query() -> None:
    values = SimpleCookie(session.cookie(ACCOUNT, CN, NOW))
    assert values["_tea_web_id"].value == session.query(ACCOUNT, CN)["webId"]


def test_version_in_the_query_is_that_of_the_configuration() -> None:
    versions = session.Versions(app_version="3.4.1", draft_version="3.4.0")
    assert session.query(ACCOUNT, CN, versions)["da_version"] == "3.4.1"
    assert (session.Versions().app_version, session.Versions().draft_version) == ("3.3.28", "3.3.28")


@pytest.mark.parametrize(
    "region", [region for region in REGIONS.values() if not region.domestic], ids=lambda region: region.code
)
def test_international_headers_have_the_accounts_country(region: Region) -> None:
    headers = session.headers(ACCOUNT, region, "/x", NOW, "")
    assert (headers["Store-Country-Code"], headers["Store-Country-Code-Src"]) == (region.loc, "uid")
    own = Account("jimeng", "x", region=region.code, cookie="sessionid=x; store-country-code=th")
    headers = session.headers(own, region, "/x", NOW, "")
    assert (headers["Store-Country-Code"], headers["Loc"]) == ("th", "th")
    odd = Account("jimeng", "x", region=region.code, cookie="sessionid=x; store-country-code=th\r\nx")
    assert session.headers(odd, region, "/x", NOW, "")["Loc"] == region.loc


def test_mainland_site_is_told_no_country() -> None:
    assert "Store-Country-Code" not in session.headers(ACCOUNT, CN, "/x", NOW, "")


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.code)
def test_hosts_of_uploads_are_sent_no_cookie(region: Region) -> None:
    headers = session.upload_headers(region)
    assert headers["Origin"] == region.origin
    assert headers["Referer"] == f"{region.origin}/"
    assert headers["User-Agent"] == session.headers(ACCOUNT, region, "/x", NOW, "")["User-Agent"]
    assert not {"Cookie", "Sign"} & set(headers)


@given(st.text(max_size=80) | st.sampled_from(["_tea_web_id=12345678", "store-country-code=jp;;=;a"]))
def test_whatever_a_cookie_holds_query_and_headers_stay_clean(cookie: str) -> None:
    account = Account("jimeng", "x", region="us", cookie=cookie)
    assert session.web_id(account).isdigit()
    headers = session.headers(account, US, "/x", NOW, "")
    assert headers["Store-Country-Code"].isalpha() and len(headers["Store-Country-Code"]) == 2
