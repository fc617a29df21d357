"""What an attribute on each function costs the compiler, side by side with the peers'."""
import argparse
import os
import resource
import subprocess
import sys

from measure import HERE, OURS, TARGET, figure_text, say

FUNCTIONS = 1000
WORK = os.path.join(os.path.abspath(TARGET), "compile-cost")
COMMANDS = {"check": ["check"], "debug": ["build"], "release": ["build", "--release"]}
# name: (attribute, dependency). The plain one comes first: the others are told above it.
ATTRIBUTES = {
    "plain": ("", ""),
    OURS: ("#[xray_runtime::xray_capture]", f'xray-runtime = {{ path = "{os.path.dirname(HERE)}/xray-runtime" }}'),
    "fastrace": ("#[fastrace::trace]", 'fastrace = { version = "0.7", features = ["enable"] }'),
    "tracing": ("#[tracing::instrument(skip_all)]", 'tracing = "0.1"'),
}
HEAD = """\
#![allow(dead_code)]
#[derive(Debug)]
pub struct E(pub u64);
impl std::fmt::Display for E {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
impl std::error::Error for E {}
"""


def source(attribute):
    """Half sync and half async functions that return a Result; most of the async ones await another."""
    parts = [HEAD]
    for i in range(FUNCTIONS):
        if i % 2:
            called = f"f{i - 2}(a, b).await?" if i % 10 != 1 and i > 2 else "a"
            parts.append(
                f"{attribute}\npub async fn f{i}(a: u64, b: &str) -> Result<u64, E> {{\n"
                f"    if a > {i} {{ return Err(E(a)); }}\n    let c = {called};\n    Ok(c + b.len() as u64)\n}}\n"
            )
        else:
            parts.append(
                f"{attribute}\npub fn f{i}(a: u64, b: &str) -> Result<u64, E> {{\n"
                f"    if a > {i} {{ return Err(E(a)); }}\n    let mut s = 0;\n"
                f"    for c in b.bytes() {{ s += u64::from(c) * a; }}\n    Ok(s)\n}}\n"
            )
    return "".join(parts)


def lay_out(name):
    """Writes the crate of 1,000 functions and returns its folder. Dependencies stay built from one run to the next."""
    attribute, dependency = ATTRIBUTES[name]
    folder = os.path.join(WORK, name)
    os.makedirs(os.path.join(folder, "src"), exist_ok=True)
    manifest = (
        f'[package]\nname = "cost-{name}"\nversion = "0.0.0"\nedition = "2021"\n\n[workspace]\n\n'
        f"[dependencies]\n{dependency}\n\n[profile.dev]\nincremental = false\n"
    )
    for path, text in (("Cargo.toml", manifest), ("src/lib.rs", source(attribute))):
        with open(os.path.join(folder, path), "w") as file:
            file.write(text)
    return folder


def cargo(folder, arguments, **environment):
    """CPU seconds of cargo and all that it starts, and what it wrote."""
    environment = {**os.environ, "CARGO_TARGET_DIR": os.path.join(folder, "target"), **environment}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["cargo", *arguments], cwd=folder, capture_output=True, text=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"cargo {' '.join(arguments)} in {folder}:\n{done.stderr[-3000:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, done.stdout


def measure(names, rounds):
    """{name: {"check", "debug", "release": CPU ms a function above plain; "bytes": of an expanded function}}."""
    names = ["plain"] + [name for name in names if name in ATTRIBUTES and name != "plain"]
    folders = {name: lay_out(name) for name in names}
    seconds = {name: {profile: [] for profile in COMMANDS} for name in names}
    for profile, arguments in COMMANDS.items():
        for name in names:
            say(f"compiling the dependencies of {name}, {profile}")
            cargo(folders[name], [*arguments, "--quiet"])
        for number in range(rounds):
            say(f"compiling {FUNCTIONS} functions, {profile}, round {number + 1} of {rounds}")
            for name in names:
                os.utime(os.path.join(folders[name], "src/lib.rs"))
                seconds[name][profile].append(cargo(folders[name], [*arguments, "--quiet"])[0])
    costs = {}
    for name in names:
        # Stable compilers print an expansion only when told to act as a nightly.
        expand = ["rustc", "--quiet", "--", "-Zunpretty=expanded"]
        expanded = cargo(folders[name], expand, RUSTC_BOOTSTRAP="1")[1]
        costs[name] = {
            profile: (min(seconds[name][profile]) - min(seconds["plain"][profile])) * 1000 / FUNCTIONS
            for profile in COMMANDS
        }
        costs[name]["bytes"] = len(expanded) / FUNCTIONS
    return costs


def main():
    parser = argparse.ArgumentParser(prog="benches/run compile", description=__doc__)
    parser.add_argument("--peers", default=",".join(ATTRIBUTES), help="comma-separated, of: " + ", ".join(ATTRIBUTES))
    parser.add_argument("--rounds", type=int, default=3, help="the least of this many counts")
    options = parser.parse_args()
    print("| attribute | check, ms a function | debug | release | expanded bytes a function |")
    print("|---|---:|---:|---:|---:|")
    for name, cost in measure(options.peers.split(","), options.rounds).items():
        print(f"| {name} | " + " | ".join(figure_text(value) for value in cost.values()) + " |")


if __name__ == "__main__":
    main()
