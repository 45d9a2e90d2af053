"""What helm/scan does; its arguments are a helm program and checkov."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE / "weir"
EXCEPTIONS = HERE / "scan-exceptions.txt"
# A scan that looks at less than this has looked at nothing.
PASSED_MIN = 60
SCAN_SECONDS_MAX = 300


def refuse(what):
    sys.exit(f"helm/scan: {what}")


def exceptions():
    """Each line of the file: a check, the examples, the resources, and why."""
    found = []
    for number, line in enumerate(EXCEPTIONS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 4 or not all(parts) or not re.fullmatch(r"CKV2?_K8S_\d+", parts[0]):
            refuse(f"{EXCEPTIONS.name}:{number}: it is not `check | examples | resources | reason`")
        found.append((number, parts[0], set(parts[1].split()), set(parts[2].split())))
    return found


def examples():
    yield "default", []
    for path in sorted((CHART / "ci").glob("*-values.yaml")):
        yield path.name.removesuffix("-values.yaml"), ["--values", str(path)]


def rendered(helm, arguments):
    """An example as text. What checkov is told in comments would stand in it: there is nothing."""
    command = [helm, "template", "edge", str(CHART), "--namespace", "gateways", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        refuse(done.stderr)
    if "checkov" in done.stdout:
        refuse("a manifest speaks to checkov: exceptions belong into helm/scan-exceptions.txt")
    return done.stdout


def scanned(checkov, text):
    """How many checks passed, and what failed: checks with their names and resources."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rendered.yaml"
        path.write_text(text)
        command = [checkov, "--file", str(path), "--framework", "kubernetes", "--compact", "--quiet"]
        done = subprocess.run(
            [*command, "--skip-download", "--output", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SCAN_SECONDS_MAX,
        )
    try:
        said = json.loads(done.stdout)
        failed = said["results"]["failed_checks"]
        if said["summary"]["parsing_errors"]:
            refuse("checkov could not read what was rendered")
        return said["summary"]["passed"], failed
    except (ValueError, KeyError, TypeError):
        refuse(f"checkov did not scan: {done.stdout}{done.stderr}")


def kind(resource):
    """`Deployment.gateways.edge-weir (container 0) - …` is a Deployment; graph checks say Pod.…"""
    return resource.split(".", 1)[0]


def main(helm, checkov):
    excused, used, found, passed = exceptions(), set(), 0, 0
    for name, arguments in examples():
        text = rendered(helm, arguments)
        fine, failed = scanned(checkov, text)
        passed += fine
        if fine < PASSED_MIN:
            refuse(f"{name}: only {fine} checks passed: what was looked at?")
        for it in failed:
            ways = [
                number
                for number, check, names, kinds in excused
                if check == it["check_id"]
                and (names == {"*"} or name in names)
                and (kinds == {"*"} or kind(it["resource"]) in kinds)
            ]
            used.update((number, name) for number in ways)
            if not ways:
                found += 1
                print(f"FOUND {name}: {it['check_id']} {it['check_name']}\n  {it['resource']}")
    spoilt = rendered(helm, []).replace("privileged: false", "privileged: true")
    if "CKV_K8S_16" not in {it["check_id"] for it in scanned(checkov, spoilt)[1]}:
        refuse("checkov did not find a privileged container: it checks nothing")
    for number, check, names, _ in excused:
        for name in names:
            if (number, name) not in used and not (name == "*" and any(n == number for n, _ in used)):
                found += 1
                print(f"FOUND {EXCEPTIONS.name}:{number}: {check} is not found any more in {name}")
    print(f"{passed} passed, {found} found, {len(excused)} exceptions")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
