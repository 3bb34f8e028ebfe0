"""How the pods reach what they stand on, by values: own authorities, lent keys, web identity, Sentinels, a path."""

from pathlib import Path

import pytest

from farm.jobs.address import read_address
from farm.settings import Settings
from tests.deployment.chart.manifests import (
    Manifest,
    containers,
    environment,
    find,
    pod_templates,
    secret_data,
)


def mounts(manifests: list[Manifest], name: str) -> dict[str, Manifest]:
    """The volumes of a component, by where they are mounted."""
    pod = pod_templates(manifests)[name]["spec"]
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    return {
        mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"] if mount["name"] in volumes
    }


def of(manifests: list[Manifest], name: str) -> dict[str, Manifest]:
    """The variables of a component."""
    (container,) = pod_templates(manifests)[name]["spec"]["containers"]
    return environment(container)


def test_files_of_redis_tls_lie_where_its_address_names_them(
    rendered: dict[str, list[Manifest]], tmp_path: Path
) -> None:
    manifests = rendered["own-authorities"]
    url = secret_data(manifests, "farm-facefarm-redis")["url"]
    (tmp_path / "ca.crt").write_text("what the pod finds there is not looked into here")
    address = read_address(url.replace("/etc/facefarm-redis", str(tmp_path)))
    assert (address.service, address.database) == ("farm", 2)
    assert address.tls is not None
    assert dict(address.tls)["ssl_ca_certs"] == str(tmp_path / "ca.crt")

    for name in ("api", "worker", "flower"):
        volume = mounts(manifests, name)["/etc/facefarm-redis"]
        assert volume["secret"] == {"secretName": "team-redis-tls", "defaultMode": 0o440}
    assert "/etc/facefarm-redis" not in mounts(rendered["defaults"], "api")


@pytest.mark.parametrize(
    ("value_set", "source"),
    [
        (
            "own-authorities",
            {"configMap": {"name": "team-authority", "items": [{"key": "root.pem", "path": "ca.crt"}]}},
        ),
        (
            "web-identity",
            {
                "secret": {
                    "secretName": "team-authority",
                    "defaultMode": 0o440,
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
        ),
    ],
)
def test_an_authority_of_ones_own_is_mounted_where_the_farm_looks(
    rendered: dict[str, list[Manifest]], value_set: str, source: Manifest
) -> None:
    manifests = rendered[value_set]
    for name in ("api", "worker"):
        folder, _, file = of(manifests, name)["FARM_S3_CA_FILE"]["value"].rpartition("/")
        volume = mounts(manifests, name)[folder]
        assert {key: value for key, value in volume.items() if key != "name"} == source
        assert file == "ca.crt"
    assert "FARM_S3_CA_FILE" not in of(manifests, "flower")
    assert "FARM_S3_CA_FILE" not in of(rendered["defaults"], "api")


def test_lent_keys_come_with_their_token_each_out_of_its_own_secret(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["own-authorities"]
    keys = ("FARM_S3_ACCESS_KEY", "FARM_S3_SECRET_KEY", "FARM_S3_SESSION_TOKEN")
    for name, secret in (("api", "team-s3"), ("worker", "team-s3-worker")):
        found = [of(manifests, name)[key]["valueFrom"]["secretKeyRef"] for key in keys]
        assert {each["name"] for each in found} == {secret}
        assert [each["key"] for each in found] == ["access-key", "secret-key", "session-token"]
    assert not [each for each in rendered["external"] for _ in containers([each]) if keys[2] in str(each)]


def test_the_place_of_the_store_may_stand_in_the_secret(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["own-authorities"]
    for name in ("api", "worker"):
        for variable, key in (("STORAGE_URL", "url"), ("S3_ENDPOINT", "endpoint"), ("S3_REGION", "region")):
            reference = of(manifests, name)[f"FARM_{variable}"]["valueFrom"]["secretKeyRef"]
            assert reference == {"name": "team-s3", "key": key}


def test_with_web_identity_there_are_no_keys_and_each_role_has_its_account(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["web-identity"]
    pods = pod_templates(manifests)
    accounts = {name: pod["spec"]["serviceAccountName"] for name, pod in pods.items()}
    # Flower and the test have no business with the store, and no right to it.
    assert accounts == {
        "api": "farm-facefarm",
        "worker": "farm-facefarm-worker",
        "flower": "default",
        "test": "default",
    }
    assert not [each for each in manifests if each["kind"] == "Secret" and "s3" in each["metadata"]["name"]]
    for name, role in (("api", "farm"), ("worker", "farm-worker")):
        variables = of(manifests, name)
        assert not {variable for variable in variables if "KEY" in variable and "S3" in variable}
        account = find(manifests, "ServiceAccount", accounts[name])
        arn = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        assert variables["AWS_ROLE_ARN"]["value"] == arn == f"arn:aws:iam::1:role/{role}"
        folder, _, file = variables["AWS_WEB_IDENTITY_TOKEN_FILE"]["value"].rpartition("/")
        (token,) = mounts(manifests, name)[folder]["projected"]["sources"]
        assert (token["serviceAccountToken"]["path"], token["serviceAccountToken"]["audience"]) == (
            file,
            "sts.example.org",
        )


def test_only_those_who_show_a_token_may_reach_the_token_service(rendered: dict[str, list[Manifest]]) -> None:
    def ports(value_set: str, name: str) -> set[int]:
        policy = find(rendered[value_set], "NetworkPolicy", f"farm-facefarm-{name}")["spec"]
        return {port["port"] for rule in policy["egress"] for port in rule["ports"]} - {53}

    for name in ("api", "worker"):
        assert ports("web-identity", name) == {6379, 443, 9444}
        assert ports("own-authorities", name) == {6390, 26380, 9443}
    assert ports("web-identity", "flower") == {6379}
    assert ports("own-authorities", "flower") == {6390, 26380}


def test_who_says_where_servers_are_lets_pods_go_nowhere_else(rendered: dict[str, list[Manifest]]) -> None:
    found = {}
    for name in ("api", "worker", "flower"):
        policy = find(rendered["own-authorities"], "NetworkPolicy", f"farm-facefarm-{name}")["spec"]
        found[name] = {
            port["port"]: {peer["ipBlock"]["cidr"] for peer in rule["to"]}
            for rule in policy["egress"]
            for port in rule["ports"]
            if port["port"] != 53
        }
    redis = {"10.1.0.0/16", "fd00:1::/64"}
    assert found["api"] == found["worker"] == {6390: redis, 26380: redis, 9443: {"10.2.0.0/16"}}
    assert found["flower"] == {6390: redis, 26380: redis}


def test_the_test_reaches_the_api_alone(rendered: dict[str, list[Manifest]]) -> None:
    policy = find(rendered["defaults"], "NetworkPolicy", "farm-facefarm-test")["spec"]
    _dns, api = policy["egress"]
    assert policy["ingress"] == []
    assert api["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "api"


def test_behind_a_path_ingress_and_api_agree(
    rendered: dict[str, list[Manifest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = rendered["own-authorities"]
    monkeypatch.setenv("FARM_API_PATH", of(manifests, "api")["FARM_API_PATH"]["value"])
    monkeypatch.setenv("FARM_LOG_FORMAT", of(manifests, "worker")["FARM_LOG_FORMAT"]["value"])
    (rule,) = find(manifests, "Ingress", "farm-facefarm-api")["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == [Settings().api_path] == ["/lab/farm"]
    assert Settings().log_format == "json"
    # The kubelet and KEDA come past the ingress.
    assert pod_templates(manifests)["api"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/readyz"
