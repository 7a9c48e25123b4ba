import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.media.url_policy import DISALLOWED_PORTS, METADATA, NOT_PUBLIC, DisallowedUrlError, UrlPolicy
from tests.gateway.media.fetching.hostile import HOSTILE_URLS

URL_POLICY = UrlPolicy()
HOME = UrlPolicy(networks=(ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")))
WIDE_OPEN = UrlPolicy(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))


def refuses(url_policy: UrlPolicy, url: str) -> bool:
    try:
        url_policy.check_url(url)
    except DisallowedUrlError:
        return True
    return False


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "fetched"),
        [
            ("https://example.com", "https://example.com/"),
            ("https://example.com:443/a", "https://example.com/a"),
            ("HTTPS://EXAMPLE.com/A?B=C#d", "https://example.com/A?B=C"),
            ("https://example.com?a=b", "https://example.com/?a=b"),
            ("https://example.com:8443/a/../b//c", "https://example.com:8443/a/../b//c"),
            ("https://bucket_1.oss-cn-x.example.com/a", "https://bucket_1.oss-cn-x.example.com/a"),
            ("https://xn--fsqu00a.xn--0zwm56d/", "https://xn--fsqu00a.xn--0zwm56d/"),
            ("https://8.8.8.8/a", "https://8.8.8.8/a"),
            ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/"),
            ("https://h.example/图片", "https://h.example/%E5%9B%BE%E7%89%87"),
            ("https://h.example/a?u=https://x@10.0.0.1/&v=%", "https://h.example/a?u=https://x@10.0.0.1/&v=%"),
        ],
    )
    def test_ordinary_urls_are_accepted(self, url: str, fetched: str) -> None:
        assert str(URL_POLICY.check_url(url)) == fetched

    def test_escapes_are_unchanged(self) -> None:
        url = URL_POLICY.check_url("https://h.example/a%2Fb%7ec%20d?sig=%2b%2B+~&x=%E5%9b%be")
        assert url.raw_path_qs == "/a%2Fb%7ec%20d?sig=%2b%2B+~&x=%E5%9b%be"

    @pytest.mark.parametrize("url", [url.format(port=8443) for url in HOSTILE_URLS])
    def test_malformed_urls_are_refused(self, url: str) -> None:
        assert refuses(URL_POLICY, url)

    @pytest.mark.parametrize("port", [0, 1, 22, 25, 444, 1023, 65536, 99999, *sorted(DISALLOWED_PORTS)])
    def test_ports_of_other_protocols_are_refused(self, port: int) -> None:
        assert refuses(URL_POLICY, f"https://example.com:{port}/")

    @pytest.mark.parametrize("port", [80, 443, 1024, 8443, 65535])
    def test_ports_for_http_are_accepted(self, port: int) -> None:
        assert URL_POLICY.check_url(f"https://example.com:{port}/").port == port

    def test_url_length_is_limited(self) -> None:
        assert not refuses(URL_POLICY, "https://h.example/" + "a" * 8000)
        assert refuses(URL_POLICY, "https://h.example/" + "a" * 9000)

    @given(
        st.text()
        | st.text().map("https://".__add__)
        | st.text("0127.:@[]/%#\\x。ａſ", max_size=24).map("https://".__add__)
    )
    @example("http\u017f://a.example/")
    @example("https://a\u212a.example/")
    @example("https://[1.2.3.4]/")
    @example("https://[::1]]/")
    @example("https://.../")
    @example("https://a.example/[\ud800")
    def test_any_text_is_a_normalized_url_or_refused(self, text: str) -> None:
        try:
            url = URL_POLICY.check_url(text)
        except DisallowedUrlError:
            return
        assert (url.scheme, url.user, url.password, url.fragment) == ("https", None, None, "")
        assert url.raw_host is not None and re.fullmatch(r"[0-9a-z._:-]+", url.raw_host)
        assert str(URL_POLICY.check_url(str(url))) == str(url)


class TestHosts:
    def test_only_allowed_hosts_are_accepted(self) -> None:
        url_policy = UrlPolicy(
            hosts=("Pictures.Example", "*.cdn.example", ".oss.example", "8.8.8.8", "2606:4700::1111", "depot")
        )
        for host in ("pictures.example", "a.cdn.example", "a.b.oss.example", "8.8.8.8", "[2606:4700::1111]", "depot"):
            assert not refuses(url_policy, f"https://{host}/")
        for host in (
            "example.com",
            "x.pictures.example",
            "cdn.example",
            "xcdn.example",
            "1.1.1.1",
            "[2606:4700::2]",
            "a",
        ):
            assert refuses(url_policy, f"https://{host}/")

    def test_denied_hosts_are_refused_even_if_allowed(self) -> None:
        url_policy = UrlPolicy(hosts=("*.example",), denied_hosts=("bad.example", ".bad.example"))
        assert not refuses(url_policy, "https://good.example/")
        assert refuses(url_policy, "https://BAD.example/") and refuses(url_policy, "https://a.bad.example/")
        assert refuses(UrlPolicy(denied_hosts=("8.8.8.8",)), "https://8.8.8.8/")

    def test_allowed_host_does_not_allow_internal_addresses(self) -> None:
        assert refuses(UrlPolicy(hosts=("127.0.0.1",)), "https://127.0.0.1/")
        assert refuses(UrlPolicy(hosts=("metadata.google.internal",)), "https://metadata.google.internal/")

    @pytest.mark.parametrize(
        "host", ["depot", "localhost", "a.local", "a.internal", "a.home.arpa", "a.b.svc", "nas.lan"]
    )
    def test_local_names_need_an_allowed_network_or_host(self, host: str) -> None:
        assert refuses(URL_POLICY, f"https://{host}/")
        assert not refuses(UrlPolicy(hosts=(host,)), f"https://{host}/")
        assert not refuses(HOME, f"http://{host}/")

    @pytest.mark.parametrize(
        "host", ["", "*", "*.", "a b", "https://a.example", "0x7f.1", "a.example:443", "a..b", "例子"]
    )
    def test_invalid_host_cannot_be_listed(self, host: str) -> None:
        with pytest.raises(ValueError, match="is no host"):
            UrlPolicy(hosts=(host,))
        with pytest.raises(ValueError, match="is no host"):
            UrlPolicy(denied_hosts=(host,))


FORBIDDEN = [
    *["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"],
    *["169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1"],
    *["198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"],
    *["255.255.255.255", "168.63.129.16"],
    *["::", "::1", "::7f00:1", "::808:808", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1"],
    *["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::168.63.129.16", "64:ff9b:1::808:808", "100::1"],
    *["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1"],
    *["2002:7f00:1::", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254"],
    *["fe80::1", "fe80::1%eth0", "2606:4700::1111%1", "fec0::1", "ff02::1", "ff0e::1"],
    *["", "localhost", "2130706433", "127.1", "0177.0.0.1", "0x7f.0.0.1", "8.8.8.8 ", "8.8.8", "[::1]", "8.8.8.8/32"],
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.169.0.1", "223.255.255.255"]
PUBLIC_6 = ["2606:4700::1111", "2400:3200::1", "2a00::1", "64:ff9b::808:808", "64:ff9b::8.8.8.8"]


class TestAddresses:
    @pytest.mark.parametrize("address", FORBIDDEN)
    def test_non_public_addresses_are_refused(self, address: str) -> None:
        assert not URL_POLICY.allows(address)
        assert not URL_POLICY.allows(address, "http")

    @pytest.mark.parametrize("address", PUBLIC + PUBLIC_6)
    def test_public_addresses_are_allowed_by_https_only(self, address: str) -> None:
        assert URL_POLICY.allows(address)
        assert not URL_POLICY.allows(address, "http")
        assert not HOME.allows(address, "http")

    def test_allowed_networks_are_allowed_by_http_and_nothing_else_is(self) -> None:
        for address in ("10.1.2.3", "fd00:1::5"):
            assert HOME.allows(address) and HOME.allows(address, "http")
        for address in ("10.2.0.1", "fd00:2::1", "127.0.0.1", "::ffff:10.1.2.3", "::10.1.2.3"):
            assert not HOME.allows(address) and not HOME.allows(address, "http")
        assert HOME.allows("8.8.8.8")

    def test_allowed_networks_apply_to_ip_addresses_in_urls(self) -> None:
        assert str(HOME.check_url("http://10.1.2.3:8080/a")) == "http://10.1.2.3:8080/a"
        assert str(HOME.check_url("https://[FD00:1::5]/a")) == "https://[fd00:1::5]/a"
        for url in (
            "http://10.2.0.1/",
            "http://8.8.8.8/",
            "ftp://10.1.2.3/",
            "http://me@10.1.2.3/",
            "http://0xa010203/",
        ):
            assert refuses(HOME, url)

    @pytest.mark.parametrize(
        "address", [*sorted(map(str, METADATA)), "::ffff:169.254.169.254", "64:ff9b::169.254.169.254"]
    )
    def test_metadata_addresses_are_refused_in_any_allowed_network(self, address: str) -> None:
        assert not WIDE_OPEN.allows(address)
        assert not WIDE_OPEN.allows(address, "http")
        assert WIDE_OPEN.allows("127.0.0.1", "http")

    def test_denied_networks_take_precedence(self) -> None:
        denied = (ip_network("8.8.0.0/16"), ip_network("2606:4700::/32"), ip_network("10.1.9.0/24"))
        url_policy = UrlPolicy(networks=HOME.networks, denied_networks=denied)
        for address in ("8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700::1111", "10.1.9.1"):
            assert not url_policy.allows(address)
        assert refuses(url_policy, "https://8.8.8.8/")
        assert url_policy.allows("1.1.1.1") and url_policy.allows("10.1.8.1")
        assert not UrlPolicy(denied_networks=(ip_network("64:ff9b::/96"),)).allows("64:ff9b::8.8.8.8")

    @given(st.ip_addresses())
    @example(ip_address("168.63.129.16"))
    @example(ip_address("64:ff9b::7f00:1"))
    @example(ip_address("::ffff:8.8.8.8"))
    @example(ip_address("2001:1::1"))
    def test_allowed_addresses_are_global_and_in_no_forbidden_range(self, ip: IPv4Address | IPv6Address) -> None:
        if not URL_POLICY.allows(str(ip)):
            return
        assert ip.is_global and not ip.is_multicast and not ip.is_loopback and ip not in METADATA
        assert not any(ip in network for network in NOT_PUBLIC)
        if isinstance(ip, IPv6Address):
            assert (ip.ipv4_mapped, ip.sixtofour, ip.teredo, ip.is_site_local) == (None, None, None, False)

    @given(st.ip_addresses(v=4))
    def test_nat64_address_is_judged_by_its_ipv4_address(self, ip: IPv4Address) -> None:
        assert URL_POLICY.allows(f"64:ff9b::{ip}") == URL_POLICY.allows(str(ip))

    @given(st.ip_addresses(v=6, network="2000::/3"))
    def test_most_public_addresses_are_allowed(self, ip: IPv6Address) -> None:
        special = [network for network in NOT_PUBLIC if isinstance(network, IPv6Network)]
        assert URL_POLICY.allows(str(ip)) != any(ip in network for network in special)


class TestHostsOfOtherClients:
    """Hosts of links and of proxies, which the HTTP client has parsed."""

    @pytest.mark.parametrize(
        ("host", "port"),
        [("example.com", 443), ("example.com", 80), ("EXAMPLE.com", 8443), ("8.8.8.8", 1080), ("2606:4700::1", 443)],
    )
    def test_public_hosts_are_permitted(self, host: str, port: int) -> None:
        assert UrlPolicy().permits_host(host, port)

    @pytest.mark.parametrize(
        ("host", "port"),
        [
            *((host, 443) for host in ("localhost", "metadata", "db.internal", "h", "10.0.0.1", "127.0.0.1", "::1")),
            *((host, 443) for host in ("127.1", "0x7f.1", "2130706433", "::ffff:127.0.0.1", "fe80::1%eth0", "", "a b")),
            *(("example.com", port) for port in (0, 22, 6379, 25, 65536)),
        ],
    )
    def test_internal_and_odd_hosts_are_not(self, host: str, port: int) -> None:
        assert not UrlPolicy().permits_host(host, port)

    def test_networks_permit_their_addresses_and_local_names(self) -> None:
        policy = UrlPolicy(networks=(ip_network("10.0.0.0/8"),))
        assert policy.permits_host("10.0.0.1", 443)
        assert policy.permits_host("files.internal", 443)
        assert not policy.permits_host("127.0.0.1", 443)
        assert not policy.permits_host("metadata.google.internal", 80)
