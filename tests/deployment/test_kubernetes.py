"""The manifests as Kustomize builds them: valid, consistent, and with settings that a worker takes."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from streams.messages.topics import DEFAULT_PARTITIONS
from streams.settings import Settings

from .files import DEPLOY, documents, seconds_to_stop, settings_of

_KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
# Kubernetes supports the last three minor versions; the oldest of them knows all that is used here.
VERSIONS = ("1.35", "1.37")
OVERLAYS = ("development", "production")


def build(directory: str) -> list[dict[str, Any]]:
    if shutil.which("kustomize"):
        command = ["kustomize", "build"]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize"]
    elif shutil.which("go"):
        command = ["go", "run", _KUSTOMIZE, "build"]
    else:
        pytest.skip("needs kustomize, kubectl or go to build the manifests")
    built = subprocess.run(
        [*command, str(DEPLOY / directory)], capture_output=True, text=True, check=False, timeout=240
    )
    assert built.returncode == 0, built.stderr
    assert "Warning" not in built.stderr, built.stderr
    return documents(built.stdout)


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return build(f"kubernetes/overlays/{request.param}")


def one(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (each for each in manifests if each["kind"] == kind)
    return found


def pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = one(manifests, "StatefulSet")["spec"]["template"]["spec"]
    return spec


def container(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = pod(manifests)["containers"]
    assert isinstance(found, dict)
    return found


def settings(manifests: list[dict[str, Any]]) -> Settings:
    environment = dict(one(manifests, "ConfigMap")["data"])
    for variable in container(manifests)["env"]:
        assert "valueFrom" in variable
        environment[variable["name"]] = "dunning-worker-0"
    return settings_of(environment)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid_in_the_strict_sense(manifests: list[dict[str, Any]], version: str) -> None:
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_would_be_found(manifests: list[dict[str, Any]]) -> None:
    wrong = {**one(manifests, "StatefulSet")}
    wrong["spec"] = {**wrong["spec"], "replica": 2}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_settings_are_those_of_a_worker(manifests: list[dict[str, Any]]) -> None:
    given = settings(manifests)
    assert given.static_membership
    assert given.instance_id == "dunning-worker-0"
    (instance,) = (each for each in container(manifests)["env"] if each["name"] == "DUNNING_INSTANCE_ID")
    assert instance["valueFrom"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}} or (
        instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    )
    mounts = {mount["name"]: mount["mountPath"] for mount in container(manifests)["volumeMounts"]}
    claims = one(manifests, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert [claim["metadata"]["name"] for claim in claims] == ["state"]
    assert mounts["state"] == "/var/lib/dunning"
    assert set(mounts) == {"state", *(volume["name"] for volume in pod(manifests)["volumes"])}
    if given.ssl_ca_location is not None:
        assert str(given.ssl_ca_location).startswith(mounts["kafka-ca"])


def test_there_are_no_more_workers_than_partitions(manifests: list[dict[str, Any]]) -> None:
    assert 1 <= one(manifests, "StatefulSet")["spec"]["replicas"] <= DEFAULT_PARTITIONS


def test_probes_and_service_ask_what_a_worker_answers(manifests: list[dict[str, Any]]) -> None:
    (port,) = container(manifests)["ports"]
    assert port["containerPort"] == settings(manifests).metrics_port
    probes = {
        name: container(manifests)[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")
    }
    assert probes == {
        "startup": {"path": "/startup", "port": port["name"]},
        "readiness": {"path": "/ready", "port": port["name"]},
        "liveness": {"path": "/live", "port": port["name"]},
    }
    assert one(manifests, "Service")["spec"]["ports"][0]["targetPort"] == port["name"]


def test_a_worker_may_finish_its_round(manifests: list[dict[str, Any]]) -> None:
    assert pod(manifests)["terminationGracePeriodSeconds"] > seconds_to_stop(settings(manifests))


def test_a_worker_that_hangs_ends_by_itself_before_it_is_killed(manifests: list[dict[str, Any]]) -> None:
    probe = container(manifests)["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > settings(manifests).stuck_after_seconds


def test_everything_is_about_the_workers(manifests: list[dict[str, Any]]) -> None:
    labels = one(manifests, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert labels
    assert set(selectors(manifests)) == {tuple(sorted(labels.items()))}


def selectors(manifests: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str], ...]]:
    chosen = [
        one(manifests, "StatefulSet")["spec"]["selector"]["matchLabels"],
        one(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one(manifests, "Service")["spec"]["selector"],
        *(each["labelSelector"]["matchLabels"] for each in pod(manifests)["topologySpreadConstraints"]),
    ]
    return (tuple(sorted(each.items())) for each in chosen)


def test_a_worker_can_do_little_and_reach_kafka(manifests: list[dict[str, Any]]) -> None:
    assert pod(manifests)["securityContext"]["runAsNonRoot"] is True
    assert pod(manifests)["automountServiceAccountToken"] is False
    assert container(manifests)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    server = settings(manifests).bootstrap_servers
    policy = one(manifests, "NetworkPolicy")["spec"]
    opened = [port["port"] for rule in policy["egress"] for port in rule["ports"] if rule["to"]]
    assert int(server.rpartition(":")[2]) in opened
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in policy["egress"]
        for peer in rule["to"]
    ]
    assert server.split(".")[1] in namespaces
    assert all(rule.get("from") for rule in policy["ingress"])


def test_production_speaks_tls_with_a_password_that_is_a_secret() -> None:
    manifests = build("kubernetes/overlays/production")
    given = settings(manifests)
    assert (given.security_protocol, given.changelog_replication) == ("SASL_SSL", 3)
    (password,) = (each for each in container(manifests)["env"] if each["name"] == "DUNNING_SASL_PASSWORD")
    assert password["valueFrom"]["secretKeyRef"]["name"] == given.sasl_username
    assert not [each for each in manifests if each["kind"] == "Secret"]
    users = {each["metadata"]["name"] for each in documents((DEPLOY / "strimzi/users.yaml").read_text())}
    assert given.sasl_username in users
