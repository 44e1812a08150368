#!/usr/bin/env python3
"""Checks the licence and the source of every crate in Cargo.lock against deny.toml.

A crate passes when its licence expression (SPDX 2.1, https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/)
can be satisfied with allowed licences alone: AND needs both sides, OR one. A crate without a licence expression, with
an unknown word in it, or from a source that is not listed, fails. `--self-test` proves that on small cases.
"""

import json
import re
import subprocess
import sys

try:
    import tomllib
except ImportError:  # Python before 3.11
    sys.exit("licences.py needs Python 3.11 or newer (or install cargo-deny)")


class Refused(Exception):
    """Why an expression cannot be satisfied."""


def tokens(expression):
    # Old manifests separate alternatives with a slash, which means OR.
    text = expression.replace("/", " OR ")
    found = re.findall(r"\(|\)|[A-Za-z0-9.+-]+", text)
    if "".join(found) != re.sub(r"\s+", "", text):
        raise Refused(f"`{expression}` is not a licence expression")
    return found


def satisfied(expression, allowed):
    """True where `expression` can be met by licences in `allowed` alone."""
    rest = tokens(expression)

    def take():
        if not rest:
            raise Refused(f"`{expression}` ends too early")
        return rest.pop(0)

    def alternatives():
        met = conjunction()
        while rest and rest[0] == "OR":
            take()
            met = conjunction() or met
        return met

    def conjunction():
        met = licence()
        while rest and rest[0] == "AND":
            take()
            met = licence() and met
        return met

    def licence():
        word = take()
        if word == "(":
            met = alternatives()
            if take() != ")":
                raise Refused(f"`{expression}` lacks a parenthesis")
            return met
        if word in (")", "AND", "OR", "WITH"):
            raise Refused(f"`{expression}` has {word} in a wrong place")
        if rest and rest[0] == "WITH":
            take()
            exception = take()
            return word in allowed or f"{word} WITH {exception}" in allowed
        return word in allowed

    met = alternatives()
    if rest:
        raise Refused(f"`{expression}` goes on after its end: {' '.join(rest)}")
    return met


def complaints(packages, rules):
    """Lines that say what is wrong with which package."""
    allowed = set(rules["licenses"]["allow"])
    exceptions = {e["name"]: set(e["allow"]) for e in rules["licenses"].get("exceptions", [])}
    registries = {f"registry+{url}" for url in rules["sources"]["allow-registry"]}
    repositories = set(rules["sources"].get("allow-git", []))
    for package in packages:
        who = f"{package['name']} {package['version']}"
        expression = package.get("license")
        if not expression:
            yield f"{who}: its manifest has no licence expression"
        else:
            try:
                if not satisfied(expression, allowed | exceptions.get(package["name"], set())):
                    yield f"{who}: `{expression}` cannot be met with the licences that deny.toml allows"
            except Refused as reason:
                yield f"{who}: {reason}"
        source = package.get("source")
        if source is None or source in registries:
            continue
        if not any(source.startswith(f"git+{url}") for url in repositories):
            yield f"{who}: its source {source} is not one that deny.toml allows"


def self_test():
    allowed = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"}
    for expression, met in [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT/Apache-2.0", True),
        ("(MIT OR GPL-2.0-only) AND ISC", True),
        ("GPL-2.0-only OR MIT AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
    ]:
        assert satisfied(expression, allowed) is met, expression
    for broken in ["", "MIT OR", "(MIT", "MIT GPL-2.0-only", "MIT; GPL", "AND MIT"]:
        try:
            satisfied(broken, allowed)
        except Refused:
            continue
        raise AssertionError(f"accepted {broken!r}")
    rules = {"licenses": {"allow": sorted(allowed)}, "sources": {"allow-registry": ["https://registry"]}}
    good = {"name": "good", "version": "1.0.0", "license": "MIT", "source": "registry+https://registry"}
    assert not list(complaints([good], rules))
    for change in [
        {"license": None},
        {"license": "GPL-3.0-only"},
        {"source": "registry+https://elsewhere"},
        {"source": "git+https://repository#abc"},
    ]:
        assert list(complaints([good | change], rules)), change
    print("the licence check refuses what it must")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    with open("deny.toml", "rb") as file:
        rules = tomllib.load(file)
    # Only the platforms that Coffer is built for count; crates for others never reach a program.
    host = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = re.search(r"^host: (\S+)$", host, re.MULTILINE).group(1)
    metadata = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host],
        check=True, capture_output=True, text=True,
    )
    packages = json.loads(metadata.stdout)["packages"]
    wrong = list(complaints(packages, rules))
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        sys.exit(f"{len(wrong)} of {len(packages)} crates are not allowed; see deny.toml")
    print(f"licences and sources of {len(packages)} crates are allowed")


if __name__ == "__main__":
    main()
