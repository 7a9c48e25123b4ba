"""compose.yaml: valid for the specification, and consistent with the files that it names and with the settings."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from compose_spec import PyCompose
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.server.graceful_stop import GRACE_SECONDS
from gateway.core.settings import Settings
from gateway.core.settings_loader import load_settings
from providers.registry import PROVIDERS
from providers.sandbox.server import SandboxServer
from tests.deploy.image import read_stages
from tests.deploy.paths import DEPLOY

TEXT = (DEPLOY / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
GATEWAYS = [name for name in SERVICES if name.startswith("gateway-")]
PORT = read_stages()[1].last("EXPOSE").text
GATEWAY: dict[str, Any] = SERVICES[GATEWAYS[0]]


def read_env(name: str) -> dict[str, str]:
    lines = (DEPLOY / name).read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(text: str, environment: dict[str, str]) -> str:
    """The file as Compose reads it."""

    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        found = environment.get(name, "")
        assert found or operator == ":-", f"{name}: {default}"
        return found or default

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, text)


def container_environment(environment: dict[str, str]) -> dict[str, str]:
    """The variables of a gateway's container. Without a value they are passed on where they are set."""
    service = yaml.safe_load(interpolated(TEXT, environment))["services"][GATEWAYS[0]]
    given = {
        name: environment.get(name) if value is None else str(value) for name, value in service["environment"].items()
    }
    image = {name: value for name, value in read_stages()[1].environment.items() if name.startswith("GATEWAY_")}
    return image | {name: value for name, value in given.items() if value is not None}


def check(text: str) -> None:
    """Raises for what the specification does not have. Anchors are resolved before, which the package cannot do."""
    PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text))).to_spec()


@pytest.mark.parametrize("name", ["sandbox.env", ".env.example"])
def test_file_follows_the_specification(name: str) -> None:
    environment = {"GATEWAY_SECRET": "x", "GATEWAY_ADMIN_KEY": "x"} | {k: v for k, v in read_env(name).items() if v}
    check(interpolated(TEXT, environment))


def test_unknown_key_of_a_service_would_be_found() -> None:
    with pytest.raises(Exception, match="raed_only"):
        check(interpolated(TEXT, read_env("sandbox.env")).replace("read_only", "raed_only"))


@pytest.mark.parametrize("name", ["sandbox.env", ".env.example"])
def test_gateways_accept_their_environment(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    filled = {key: value or "0123456789abcdef0123456789" for key, value in read_env(name).items()}
    for variable, value in container_environment(filled).items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.keys and settings.secret and settings.admin_key
    assert str(settings.port) == PORT


def test_missing_secret_is_reported_before_the_start() -> None:
    with pytest.raises(AssertionError, match="GATEWAY_SECRET: set it in"):
        interpolated(TEXT, {"GATEWAY_ADMIN_KEY": "x"})


def test_variables_that_are_passed_on_exist_and_those_of_providers_are_complete() -> None:
    passed = set(GATEWAY["environment"])
    known = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields}
    known |= {
        field.validation_alias for field in Settings.model_fields.values() if isinstance(field.validation_alias, str)
    }
    # QWEN_BASE_URL is a former name.
    providers = {name for spec in PROVIDERS for name in spec.environment} - {"QWEN_BASE_URL"}
    assert {name for name in passed if not name.startswith("AWS_")} <= known | providers
    assert providers <= passed


def test_sandbox_env_leads_every_provider_to_the_sandbox() -> None:
    environment = read_env("sandbox.env")
    options = SERVICES["sandbox"]["command"]
    port = options[options.index("--port") + 1]
    with SandboxServer() as server:
        addresses = server.environment()
    expected = {name: urlsplit(url)._replace(netloc=f"sandbox:{port}").geturl() for name, url in addresses.items()}
    assert {name: value for name, value in environment.items() if name.endswith("_URL")} == expected
    for spec in PROVIDERS:
        if spec.sandbox.demo is not None and spec.name in ("jimeng", "dashscope"):
            assert environment[spec.variable("credentials")].count(",") == 1


def test_command_of_the_sandbox_exists() -> None:
    command, *options = SERVICES["sandbox"]["command"]
    help_text = CliRunner().invoke(app, [command, "--help"]).output
    assert all(option in help_text for option in options if option.startswith("--"))
    assert SERVICES["sandbox"]["profiles"] == ["sandbox"]


def test_files_that_are_mounted_exist() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, *target = volume.split(":")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name}: {source}"
            elif target:
                assert source in COMPOSE["volumes"]
    build = GATEWAY["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_nginx_and_prometheus_know_every_gateway() -> None:
    upstream = (DEPLOY / "nginx" / "compose-upstream.conf").read_text("utf-8")
    assert re.findall(r"^\s*server (\S+) max_fails=0;", upstream, re.MULTILINE) == [
        f"{name}:{PORT}" for name in GATEWAYS
    ]
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == [f"{name}:{PORT}" for name in GATEWAYS]
    assert Path(scrape["authorization"]["credentials_file"]).name in COMPOSE["secrets"]
    assert len(GATEWAYS) == 2


def test_upstream_of_nginx_is_the_sample_with_other_servers() -> None:
    def without_servers(name: str) -> str:
        lines = (DEPLOY / "nginx" / name).read_text("utf-8").splitlines()
        return "\n".join(line for line in lines if not line.strip().startswith(("server ", "#")))

    assert without_servers("compose-upstream.conf") == without_servers("upstream.conf")


@pytest.mark.parametrize("name", [*GATEWAYS, "sandbox"])
def test_containers_of_the_image_have_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "/tmp" in service["volumes"]
    assert "ports" not in service


def test_only_the_proxy_is_reached_from_other_machines() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    public = [name for name, ports in published.items() if not all(port.startswith("127.0.0.1:") for port in ports)]
    assert public == ["nginx"]


def test_a_stop_leaves_time_for_running_requests() -> None:
    assert int(GATEWAY["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS


def test_images_of_others_have_a_version() -> None:
    images = [service["image"] for service in SERVICES.values() if service["image"] != "video-gateway"]
    assert images and all(re.search(r":v?\d+\.\d+", image) for image in images)


def test_grafana_finds_its_source_and_dashboards() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text("utf-8"))["datasources"][0]
    assert urlsplit(source["url"]).hostname in SERVICES
    path = yaml.safe_load((folder / "dashboards" / "video-gateway.yaml").read_text("utf-8"))["providers"][0]["options"][
        "path"
    ]
    targets = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert path in targets
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(path) and (DEPLOY / "grafana" / "dashboards" / Path(home).name).is_file()
