"""The Kubernetes manifests: valid for several versions of the API, consistent with each other and with the image."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import ValidationError

from gateway.app import all_routes
from gateway.cli.server.graceful_stop import GRACE_SECONDS
from gateway.core.settings_loader import load_settings
from tests.deploy.image import read_stages
from tests.deploy.paths import DEPLOY
from tests.deploy.programs import program

FOLDER = DEPLOY / "kubernetes"
VERSIONS = ["1.32", kubernetes_validate.latest_version()]
CUSTOM_KINDS = {"ServiceMonitor"}
"""Kinds of operators, which the API itself does not know."""
NAME = {"app.kubernetes.io/name": "video-gateway"}


def kustomization(folder: Path = FOLDER) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    return loaded


def files() -> Iterator[Path]:
    """The manifests of the kustomization and of its optional components."""
    for folder in (FOLDER, FOLDER / "ingress", FOLDER / "monitoring"):
        yield from (folder / name for name in kustomization(folder)["resources"])


def objects() -> dict[str, dict[str, Any]]:
    """By kind. There is one of each."""
    documents = [yaml.safe_load(path.read_text("utf-8")) for path in files()]
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(documents)
    return found


OBJECTS = objects()
POD: dict[str, Any] = OBJECTS["Deployment"]["spec"]["template"]["spec"]
CONTAINER: dict[str, Any] = POD["containers"][0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", sorted(set(OBJECTS) - CUSTOM_KINDS))
def test_manifest_follows_the_schema(kind: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[kind], version, strict=True)


def test_unknown_field_would_be_found() -> None:
    changed = yaml.safe_load(yaml.safe_dump(OBJECTS["Service"]))
    changed["spec"]["selektor"] = {}
    with pytest.raises(ValidationError):
        kubernetes_validate.validate(changed, VERSIONS[-1], strict=True)


def test_every_file_is_part_of_a_kustomization() -> None:
    listed = {path.relative_to(FOLDER) for path in files()} | {Path(name) for name in config_files()}
    present = {path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()}
    assert {path for path in present if path.name != "kustomization.yaml"} == listed


def config_files() -> list[str]:
    (generated,) = kustomization()["configMapGenerator"]
    names: list[str] = generated["files"]
    return names


def test_kustomize_builds_it(tmp_path: Path) -> None:
    """With its components too."""
    built = subprocess.run([program("kubectl"), "kustomize", str(FOLDER)], capture_output=True, text=True, timeout=60)
    assert built.returncode == 0, built.stderr
    kinds = [document["kind"] for document in yaml.safe_load_all(built.stdout)]
    assert set(kinds) == set(OBJECTS) - {"Ingress", "ServiceMonitor"} | {"ConfigMap"}
    everything = tmp_path / "kustomization.yaml"
    relative = Path("../" * len(tmp_path.parts[1:])) / FOLDER.relative_to("/")
    content = {"resources": [str(relative)], "components": [str(relative / name) for name in ("ingress", "monitoring")]}
    everything.write_text(yaml.safe_dump(content), "utf-8")
    built = subprocess.run([program("kubectl"), "kustomize", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert built.returncode == 0 and "kind: ServiceMonitor" in built.stdout, built.stderr


def test_selectors_select_the_pods_of_the_deployment() -> None:
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels == NAME
    assert OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"] == NAME
    assert OBJECTS["Service"]["spec"]["selector"] == NAME
    assert OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == NAME
    assert OBJECTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == NAME
    # The Service itself has this label from the kustomization.
    assert OBJECTS["ServiceMonitor"]["spec"]["selector"]["matchLabels"] == NAME == kustomization()["labels"][0]["pairs"]
    assert POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == NAME
    target = OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", OBJECTS["Deployment"]["metadata"]["name"])
    assert (
        OBJECTS["HorizontalPodAutoscaler"]["spec"]["minReplicas"]
        > OBJECTS["PodDisruptionBudget"]["spec"]["minAvailable"]
    )


def test_port_is_that_of_the_image_under_one_name() -> None:
    (port,) = CONTAINER["ports"]
    assert str(port["containerPort"]) == read_stages()[1].last("EXPOSE").text
    assert OBJECTS["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert OBJECTS["NetworkPolicy"]["spec"]["ingress"][0]["ports"] == [{"port": port["name"]}]
    assert OBJECTS["ServiceMonitor"]["spec"]["endpoints"][0]["port"] == OBJECTS["Service"]["spec"]["ports"][0]["name"]
    backend = OBJECTS["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == OBJECTS["Service"]["metadata"]["name"]
    for probe in ("livenessProbe", "readinessProbe"):
        assert CONTAINER[probe]["httpGet"]["port"] == port["name"]


def test_paths_of_probes_and_of_the_scrape_are_routes() -> None:
    paths = {route.path for route in all_routes()}
    assert {CONTAINER[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")} <= paths
    assert OBJECTS["ServiceMonitor"]["spec"]["endpoints"][0]["path"] in paths


def test_variables_of_the_secret_and_the_file_are_a_valid_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = OBJECTS["Secret"]
    assert {"secretRef": {"name": secret["metadata"]["name"]}} in CONTAINER["envFrom"]
    for name, value in secret["stringData"].items():
        monkeypatch.setenv(name, value)
    (file,) = config_files()
    settings = load_settings(str(FOLDER / file))
    assert settings.keys and settings.secret and settings.admin_key and settings.trusted_proxies
    key = OBJECTS["ServiceMonitor"]["spec"]["endpoints"][0]["authorization"]["credentials"]
    assert key["name"] == secret["metadata"]["name"] and key["key"] in secret["stringData"]


def test_file_is_mounted_where_the_image_reads_it() -> None:
    mounts = {mount["mountPath"]: mount["name"] for mount in CONTAINER["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    config = volumes[mounts[read_stages()[1].last("WORKDIR").text]]
    assert config["configMap"]["name"] == kustomization()["configMapGenerator"][0]["name"]
    assert "emptyDir" in volumes[mounts["/tmp"]]


def test_pod_meets_the_restricted_standard() -> None:
    assert OBJECTS["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    own = CONTAINER["securityContext"]
    assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_a_stop_leaves_time_for_running_requests() -> None:
    before = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > before + GRACE_SECONDS
