"""What every workload of deploy/k8s must have: no root, no capability, read-only files, requests and a memory limit, probes, a fixed
image tag where one is written. Custom resources are checked for form: apiVersion, kind, a name.

    manifests.py [FILE…]        default: every manifest below deploy/k8s
"""
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job"}


def findings_of(document):
    if document.get("$patch"):
        return
    if not document.get("apiVersion") or not document.get("kind"):
        yield "a document without apiVersion or kind"
        return
    if document["kind"] in ("Kustomization",):
        return
    if not document.get("metadata", {}).get("name"):
        yield "%s without a name" % document["kind"]
    if document["kind"] not in WORKLOADS:
        return
    name = "%s/%s" % (document["kind"], document["metadata"].get("name"))
    pod = document["spec"]["template"]["spec"]
    pod_security = pod.get("securityContext", {})
    if not pod_security.get("runAsNonRoot") or not pod_security.get("runAsUser"):
        yield "%s may run as root" % name
    if pod.get("automountServiceAccountToken") is not False:
        yield "%s mounts a token that it does not need" % name
    for container in pod["containers"]:
        where = "%s container %s" % (name, container["name"])
        tag = container["image"].rpartition(":")[2] if ":" in container["image"] else None
        if tag == "latest":
            yield "%s: image tag latest" % where
        security = container.get("securityContext", {})
        if security.get("allowPrivilegeEscalation") is not False or not security.get("readOnlyRootFilesystem"):
            yield "%s: may gain privileges or write to its image" % where
        if security.get("capabilities", {}).get("drop") != ["ALL"] or security["capabilities"].get("add"):
            yield "%s: has capabilities" % where
        resources = container.get("resources", {})
        if not resources.get("requests", {}).get("memory") or not resources.get("limits", {}).get("memory"):
            yield "%s: no memory request or limit" % where
        if document["kind"] != "Job" and not (container.get("readinessProbe") and container.get("livenessProbe")):
            yield "%s: no probes" % where


def is_patch(document):
    """A strategic merge patch names a workload and gives a part of it only."""
    containers = document.get("spec", {}).get("template", {}).get("spec", {}).get("containers")
    return document.get("kind") in WORKLOADS and containers is not None and all("image" not in c for c in containers)


def main(paths):
    found = 0
    paths = [pathlib.Path(p) for p in paths] or [p for p in sorted((ROOT / "deploy/k8s").rglob("*.yaml")) if p.parent.name != "config"]
    workloads = 0
    for path in paths:
        for document in yaml.safe_load_all(path.read_text()):
            if not document or is_patch(document):
                continue
            workloads += document.get("kind") in WORKLOADS
            for finding in findings_of(document):
                print("%s: %s" % (path, finding))
                found += 1
    if workloads == 0:
        sys.exit("no workload found: the paths are wrong")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
