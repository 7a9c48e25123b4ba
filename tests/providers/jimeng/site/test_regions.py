"""Tokens name their site and their proxy; hosts can be replaced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.jimeng.site.regions import REGIONS, Hosts, Region, account_from

_VOD_IN_ASIA = "vod-ap-singapore-1.bytevcloudapi.com"


@pytest.mark.parametrize(
    ("token", "session", "region", "proxy"),
    [
        ("abc123", "abc123", "cn", None),
        ("us-abc123", "abc123", "us", None),
        ("hk-abc123", "abc123", "hk", None),
        ("SG-abc123", "abc123", "sg", None),
        ("jp-abc123", "abc123", "jp", None),
        ("sg-abc123", "abc123", "sg", None),
        ("sessionid=abc123", "abc123", "cn", None),
        ("sg-sessionid=abc123", "abc123", "sg", None),
        ("sessionid=sg-abc123", "abc123", "sg", None),
        ("http://u:p@h:8080@us-sessionid=abc", "abc", "us", "http://u:p@h:8080"),
        ("abc=123", "abc=123", "cn", None),
        ("http://u:p@h:8080@us-abc", "abc", "us", "http://u:p@h:8080"),
        ("http://h:8080@abc", "abc", "cn", "http://h:8080"),
        ("socks5://u:p@w@h:1@jp-abc", "abc", "jp", "socks5://u:p@w@h:1"),
        ("https://h@abc", "abc", "cn", "https://h"),
        ("http://[::1]:8080@abc", "abc", "cn", "http://[::1]:8080"),
        ("socks4://h:1@abc", "abc", "cn", "socks4://h:1"),
        ("socks5h://h:1@us-abc", "abc", "us", "socks5h://h:1"),
        ("abc%7Cdef", "abc%7Cdef", "cn", None),
    ],
)
def test_token_is_parsed(token: str, session: str, region: str, proxy: str | None) -> None:
    account = account_from(token)
    assert account is not None
    assert (account.credential, account.region, account.proxy) == (session, region, proxy)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "us-",
        "de-abc123",
        "it-abc123",
        "VN-abc123",
        "us-de-abc",
        "sessionid=",
        "sessionid=it-abc",
        "sessionid=a b",
        "sid_guard=abc; x=y",
        "a b",
        "a;b",
        'a"b',
        "a\\b",
        "a,b",
        "a\nb",
        "a\x00b",
        "令牌",
        "ftp://h@abc",
        "http://h:1",
        "http://@",
        "x" * 5000,
        "modelscope:abc",
        "alice:gw-abc",
        "http://[@tok",
        "http://[::1@tok",
        "socks5://x@tok",
        "socks6://x:1@tok",
        "http://a..b@tok",
        "http://h:99999@tok",
        "http://" + "a" * 300 + "@tok",
    ],
)
def test_what_cannot_be_a_token_is_none(token: str) -> None:
    assert account_from(token) is None


def test_cookies_are_read_for_their_session_and_sent_whole() -> None:
    account = account_from("sid_tt=old; sessionid=abc123;  _tea_web_id=7123456789012345678")
    assert account
    assert account.credential == "abc123"
    assert account.cookie == "sid_tt=old; sessionid=abc123; _tea_web_id=7123456789012345678"
    other = account_from("sessionid_ss=abc123; x=y")
    assert other
    assert (other.credential, other.id) == ("abc123", account.id)


@given(st.text(max_size=60))
def test_any_text_is_an_account_or_none(text: str) -> None:
    account = account_from(text)
    assert account is None or (account.region in REGIONS and account.credential.isascii())


def test_each_site_has_its_own_constants() -> None:
    assert {code: (region.aid, region.param, region.lan, region.loc) for code, region in REGIONS.items()} == {
        "cn": (513695, "cn", "zh-Hans", "cn"),
        "us": (513641, "US", "en", "us"),
        "hk": (513641, "HK", "en", "hk"),
        "jp": (513641, "JP", "ja", "jp"),
        "sg": (513641, "SG", "en", "sg"),
    }


@pytest.mark.parametrize(
    ("code", "base", "commerce"),
    [
        ("cn", "https://jimeng.jianying.com", "https://jimeng.jianying.com"),
        ("us", "https://dreamina-api.us.capcut.com", "https://commerce.us.capcut.com"),
        ("hk", "https://mweb-api-sg.capcut.com", "https://commerce-api-sg.capcut.com"),
        ("jp", "https://mweb-api-sg.capcut.com", "https://commerce-api-sg.capcut.com"),
        ("sg", "https://mweb-api-sg.capcut.com", "https://commerce-api-sg.capcut.com"),
    ],
)
def test_hosts_of_the_sites(code: str, base: str, commerce: str) -> None:
    region = Hosts().of(REGIONS[code])
    assert (region.base_url, region.commerce_url) == (base, commerce)


def test_replaced_hosts_count_for_every_site_and_commerce_follows_the_base() -> None:
    for region in REGIONS.values():
        both = Hosts("http://a/").of(region)
        assert (both.base_url, both.commerce_url) == ("http://a", "http://a")
        apart = Hosts("http://a", "http://b/").of(region)
        assert (apart.base_url, apart.commerce_url) == ("http://a", "http://b")
        only = Hosts(None, "http://b").of(region)
        assert (only.base_url, only.commerce_url) == (region.base_url, "http://b")


@pytest.mark.parametrize(
    ("code", "imagex", "vod", "signed_for"),
    [
        ("cn", "imagex.bytedanceapi.com", "vod.bytedanceapi.com", "cn-north-1"),
        ("us", "imagex16-normal-us-ttp.capcutapi.us", "vod-us-east-1.bytevcloudapi.com", "us-east-1"),
        *((code, "imagex-normal-sg.capcutapi.com", _VOD_IN_ASIA, "ap-southeast-1") for code in ("hk", "jp", "sg")),
    ],
)
def test_where_the_sites_take_uploads(code: str, imagex: str, vod: str, signed_for: str) -> None:
    region = Hosts().of(REGIONS[code])
    assert (region.imagex_url, region.vod_url) == (f"https://{imagex}", f"https://{vod}")
    service = "tb4s082cfz" if code == "cn" else "wopfjsm1ax"
    assert (region.signing_region, region.image_service) == (signed_for, service)


def test_replaced_upload_hosts_count_for_every_site_and_follow_nothing() -> None:
    for region in REGIONS.values():
        replaced = Hosts(imagex_url="http://a/imagex/", vod_url="http://a/vod").of(region)
        assert (replaced.imagex_url, replaced.vod_url) == ("http://a/imagex", "http://a/vod")
        assert replaced.base_url == region.base_url
        based = Hosts("http://a").of(region)
        assert (based.imagex_url, based.vod_url) == ("", "")


def test_operators_upload_hosts_are_told_from_the_regions_own() -> None:
    for region in REGIONS.values():
        assert (region.fixed_imagex, region.fixed_vod) == (False, False)
        based = Hosts("http://a", "http://b").of(region)
        assert (based.fixed_imagex, based.fixed_vod) == (False, False)
        replaced = Hosts(imagex_url=region.imagex_url, vod_url=region.vod_url).of(region)
        assert (replaced.fixed_imagex, replaced.fixed_vod) == (True, True)


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.code)
def test_page_that_makes_a_call(region: Region) -> None:
    page = "https://jimeng.jianying.com" if region.domestic else "https://dreamina.capcut.com"
    pages = {
        "/commerce/v1/benefits/user_credit": f"{page}/ai-tool/image/generate",
        "/commerce/v1/benefits/credit_receive": f"{page}/ai-tool/home",
        "/mweb/v1/aigc_draft/generate": f"{page}/ai-tool/generate",
        "/mweb/v1/video_generate/get_common_config": f"{page}/ai-tool/generate?type=video",
        "/mweb/v1/get_history_by_ids": region.origin,
    }
    assert {path: region.referer(path) for path in pages} == pages
    replaced = Hosts("http://here:1").of(region)
    assert {path: replaced.referer(path) for path in pages} == pages


@pytest.mark.parametrize(
    ("code", "short"),
    [("cn", "cn-north-1"), ("us", "us-east-1"), *((code, "ap-singapore-1") for code in ("hk", "jp", "sg"))],
)
def test_region_of_signatures_for_a_short_word(code: str, short: str) -> None:
    assert REGIONS[code].short_signing_region == short


def test_same_session_at_another_site_is_another_account() -> None:
    us, jp = account_from("us-abc"), account_from("jp-abc")
    assert us
    assert jp
    assert us.id != jp.id
