"""Checks rendered Kubernetes objects: chart_policies.py FILE prints what is wrong and exits 1."""

import sys

import yaml

# Kinds with the API versions that current clusters serve.
API_VERSIONS = {
    "ConfigMap": "v1", "Secret": "v1", "Service": "v1", "ServiceAccount": "v1", "Pod": "v1",
    "PersistentVolumeClaim": "v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1",
    "Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1", "HorizontalPodAutoscaler": "autoscaling/v2",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}
# Volume types of the restricted pod security standard.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
           "persistentVolumeClaim", "projected", "secret"}
SENSITIVE = ("PASSWORD", "SECRET", "ENCRYPTION_KEY", "TOKEN")
NOT_SENSITIVE = {"ENCRYPTION_KEY_VOLUME", "ENCRYPTION_KEY_FILENAME", "POSTGRES_PASSWORD_FILE",
                 "STRATOS_SECRETS_DIRECTORY", "STRATOS_GENERATE_ENCRYPTION_KEY"}


def pods(objects):
    for item in objects:
        if item["kind"] == "Pod":
            yield item, item["metadata"], item["spec"]
        elif item["kind"] in ("Deployment", "StatefulSet"):
            template = item["spec"]["template"]
            yield item, template["metadata"], template["spec"]


def check_pod(name, spec):
    security = spec.get("securityContext", {})
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{name}: no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{name}: the service account's token is mounted"
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    if len(volumes) != len(spec.get("volumes", [])):
        yield f"{name}: two volumes have one name"
    for volume in volumes.values():
        kinds = set(volume) - {"name"}
        if len(kinds) != 1 or not kinds <= VOLUMES:
            yield f"{name}: volume {volume['name']} is {sorted(kinds)}"
    for container in spec["containers"]:
        where = f"{name}/{container['name']}"
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{where}: privilege escalation"
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{where}: capabilities"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{where}: the root file system is writable"
        if not (own.get("runAsNonRoot") or security.get("runAsNonRoot")):
            yield f"{where}: may run as root"
        resources = container.get("resources", {})
        if "memory" not in resources.get("limits", {}) or "cpu" not in resources.get("requests", {}):
            yield f"{where}: resources"
        if spec.get("restartPolicy") != "Never":
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe not in container:
                    yield f"{where}: no {probe}"
        if container["image"].endswith((":latest", ":")):
            yield f"{where}: image {container['image']}"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{where}: mounts {mount['name']}, which is no volume"
        for variable in container.get("env", []):
            if "value" in variable and not isinstance(variable["value"], str):
                yield f"{where}: {variable['name']} is no text"
            open_secret = any(word in variable["name"] for word in SENSITIVE)
            if open_secret and variable.get("value") and variable["name"] not in NOT_SENSITIVE:
                yield f"{where}: {variable['name']} stands in the environment"
        names = [variable["name"] for variable in container.get("env", [])]
        for twice in {each for each in names if names.count(each) > 1}:
            yield f"{where}: {twice} is set twice"


def references(spec):
    for volume in spec.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], volume["secret"].get("items", [])
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], []
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], []
        for source in volume.get("projected", {}).get("sources", []):
            if not source["secret"].get("optional"):
                yield "Secret", source["secret"]["name"], source["secret"].get("items", [])


def check(objects, given):
    known = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    if len(known) != len(objects):
        yield "two objects have one kind and name"
    for item in objects:
        name = f"{item['kind']} {item['metadata']['name']}"
        if API_VERSIONS.get(item["kind"]) != item["apiVersion"]:
            yield f"{name}: apiVersion {item['apiVersion']}"
        if "app.kubernetes.io/instance" not in item["metadata"].get("labels", {}):
            yield f"{name}: no instance label"
        if len(item["metadata"]["name"]) > 63:
            yield f"{name}: the name is too long"
    labels = []
    ports = {}
    for item, metadata, spec in pods(objects):
        name = f"{item['kind']} {item['metadata']['name']}"
        yield from check_pod(name, spec)
        labels.append(metadata.get("labels", {}))
        for container in spec["containers"]:
            for port in container.get("ports", []):
                ports[port["name"]] = port["containerPort"]
        selector = item["spec"].get("selector", {}).get("matchLabels", {})
        if not selector.items() <= metadata.get("labels", {}).items():
            yield f"{name}: its selector does not match its pods"
        for kind, target, items in references(spec):
            if target in given:
                continue
            found = known.get((kind, target))
            if found is None:
                yield f"{name}: {kind} {target} is not there"
                continue
            keys = {**found.get("data", {}), **found.get("stringData", {})}
            for entry in items:
                if entry["key"] not in keys:
                    yield f"{name}: {kind} {target} has no {entry['key']}"
    for item in objects:
        name = f"{item['kind']} {item['metadata']['name']}"
        if item["kind"] == "Service":
            selector = item["spec"]["selector"]
            if not any(selector.items() <= each.items() for each in labels):
                yield f"{name}: selects no pod"
            for port in item["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    yield f"{name}: port {port['targetPort']} is nobody's"
        if item["kind"] == "ServiceMonitor":
            selector = item["spec"]["selector"]["matchLabels"]
            selected = [each for each in objects if each["kind"] == "Service" and
                        selector.items() <= each["metadata"]["labels"].items()]
            named = {port["name"] for each in selected for port in each["spec"]["ports"]}
            if len(selected) != 1 or any(e["port"] not in named for e in item["spec"]["endpoints"]):
                yield f"{name}: does not select one service with its ports"
        if item["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            selector = item["spec"].get("podSelector", item["spec"].get("selector"))["matchLabels"]
            if not any(selector.items() <= each.items() for each in labels):
                yield f"{name}: selects no pod"
        if item["kind"] == "HorizontalPodAutoscaler":
            target = item["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) not in known:
                yield f"{name}: scales nothing"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        objects = [item for item in yaml.safe_load_all(file) if item]
    problems = list(check(objects, set(sys.argv[2:])))
    print("\n".join(problems))
    if not objects or problems:
        sys.exit(1)


main()
