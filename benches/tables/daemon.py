"""How many segments a second the daemon relays without a loss, and what they cost in CPU and memory."""
import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

import measure
import relay
from measure import say, table
from relay import TICKS, Daemon, Setup, Upstream, rmem_max

ROOT = os.path.dirname(measure.HERE)
DAEMON = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "xray-daemon")

DELAYS, RATES = (0, 20), (10_000, 20_000, 40_000, 0)
SEGMENTS = 200_000
# The rate of the goals, and what holds there.
GOAL_RATE, CPU_A_100K, IDLE_MB, PEAK_MB, BUFFER = 40_000, 1, 8, 64, 4 << 20

# The AWS daemon 3.5.0 with this sender's segments, earlier and on a busy machine of two cores: its runs of 200,000 segments
# (100,000 at 20 ms and 10,000/s), each (loss %, CPU s per 100,000, peak RSS MB). Its RSS was 18 MB idle.
AWS = {
    (0, 10_000): [(0.425, 4.57, 263), (0.172, 3.85, 244), (0.029, 4.43, 195)],
    (0, 20_000): [(4.804, 3.32, 200), (5.859, 3.68, 261), (3.587, 3.22, 194)],
    (0, 40_000): [(44.352, 2.61, 199)],
    (0, 0): [(83.104, 2.19, 191)],
    (20, 10_000): [(8.194, 3.44, 195)],
    (20, 20_000): [(12.030, 3.04, 248)],
}


def mb(kb):
    """Of 1,000,000 bytes."""
    return kb * 1024 / 1e6


def busy_s():
    """CPU time that all of the machine has spent, stolen time included: what was there for nobody else."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def own_s():
    """CPU time of this script and of the senders that have ended, what they prepared included."""
    return sum(os.times()[:4])


# Its counters of documents that it had and lost; what the kernel dropped is told apart.
LOST = re.compile(r"xray_daemon_(segments_dropped|segments_unprocessed|datagrams_rejected)_total")


def losses(metrics):
    """{cause: documents} of the daemon's own counters."""
    causes = {}
    for name, value in metrics.items():
        lost = LOST.match(name)
        if lost and value:
            labelled = re.search(r'cause="([^"]*)"', name)
            cause = labelled[1] if labelled else lost[1]
            causes[cause] = causes.get(cause, 0) + int(value)
    return causes


def buffer_bytes(metrics):
    """What the kernel granted, by the daemon's metrics."""
    granted = metrics.get("xray_daemon_receive_buffer_bytes")
    return None if granted is None else int(granted)


def run(setup, delay, rate, segments):
    """One row: a fresh upstream, a fresh daemon, `segments` at `rate` a second."""
    say(f"{segments:,} segments, {rate_text(rate)}, upstream after {delay} ms")
    with Upstream(delay) as upstream, Daemon(setup, upstream) as daemon:
        # What start-up has allocated is returned or not by now.
        time.sleep(1)
        idle_kb, cpu = daemon.status_kb("RssAnon"), daemon.cpu_s()
        daemon.sample_memory()
        busy, own, start = busy_s(), own_s(), time.monotonic()
        told = relay.send(daemon, segments, rate)
        sent = segments - told["errors"]
        counts = relay.drained(daemon, upstream, sent)
        spent, own, elapsed = busy_s() - busy, own_s() - own, time.monotonic() - start
        cpu = daemon.cpu_s() - cpu
        after_kb = daemon.status_kb("RssAnon")
        metrics, kernel_drops = daemon.metrics(), daemon.kernel_drops()
        causes = losses(metrics)
        others = spent - own - cpu - counts["cpu_s"]
        return {
            "delay": delay, "rate": rate, "achieved": told["rate"], "sent": sent, "send errors": told["errors"],
            "longest tick": told["longest_tick_ms"], "largest burst": told["largest_burst"],
            "arrived": counts["distinct"], "twice": counts["duplicates"],
            "strange": counts["foreign"] + counts["malformed"],
            "kernel drops": kernel_drops, "causes": causes, "has metrics": bool(metrics),
            "silent": sent - counts["distinct"] - kernel_drops - sum(causes.values()),
            "loss": 100 * (sent - counts["distinct"]) / sent,
            "cpu": cpu, "cpu a 100k": cpu * 1e5 / max(counts["distinct"], 1),
            "idle MB": mb(idle_kb), "peak MB": mb(max(daemon.peak_kb, after_kb)), "after MB": mb(after_kb),
            "hwm MB": mb(daemon.status_kb("VmHWM")), "drain": max(counts["last"] - told["finished"], 0),
            "sender cpu": told["cpu_s"] * 1e5 / segments, "upstream cpu": counts["cpu_s"] * 1e5 / segments,
            "batch": counts["documents"] / max(counts["requests"], 1), "requests": counts["requests"],
            "others": 100 * max(others, 0) / (elapsed * os.cpu_count()), "load": os.getloadavg()[0],
            "buffer": buffer_bytes(metrics), "warned": "net.core.rmem_max" in daemon.logged(),
        }


def median(runs):
    """Each figure's median over runs of one row; of the causes of loss, those of the worst run."""
    worst = max(runs, key=lambda run: run["loss"])
    return {name: worst[name] if name == "causes" else statistics.median(run[name] for run in runs)
            if isinstance(value, (int, float)) else value for name, value in runs[0].items()}


def rate_text(rate):
    return f"{rate:,}/s" if rate else "max"


def number(value):
    return f"{value:,.0f}"


def aws_cells(row):
    """The medians of what was published of the AWS daemon."""
    runs = AWS.get((row["delay"], row["rate"]))
    if not runs:
        return ["-"] * 3
    loss, cpu, rss = (statistics.median(figures) for figures in zip(*runs))
    return [f"{loss:.2f}", f"{cpu:.2f}", f"{rss:.0f}"]


NOTE = """\
AWS 3.5.0 was measured earlier, with the same segments on a busy machine of two cores, and not in this run: medians of its runs, one
to three. A row of ours that ran more than once shows medians. MB are 1,000,000 bytes; the README tells what each column counts.
"""
HEADER = [
    "upstream ms", "asked", "achieved", "sent", "arrived", "twice", "loss %", "kernel drops", "daemon's drops", "silent",
    "CPU s", "CPU s/100k", "RssAnon MB: idle", "peak", "after", "VmHWM MB", "drain s", "sender's CPU s/100k",
    "upstream's CPU s/100k", "others' CPU %", "load", "AWS 3.5.0: loss %", "CPU s/100k", "peak RSS MB",
]


def row_cells(row):
    causes = ", ".join(f"{count:,} {cause}" for cause, count in row["causes"].items())
    slow = row["rate"] and row["achieved"] < 0.98 * row["rate"]
    return [
        ", ".join([str(row["delay"]), *([row["note"]] if "note" in row else [])]), rate_text(row["rate"]),
        number(row["achieved"]) + (" (the sender's limit)" if slow else ""),
        number(row["sent"]), number(row["arrived"]), number(row["twice"]), f"{row['loss']:.3f}", number(row["kernel drops"]),
        causes or ("0" if row["has metrics"] else "not told"), number(row["silent"]), f"{row['cpu']:.2f}",
        f"{row['cpu a 100k']:.2f}", *(f"{row[figure]:.1f}" for figure in ("idle MB", "peak MB", "after MB", "hwm MB")),
        f"{row['drain']:.2f}", f"{row['sender cpu']:.2f}", f"{row['upstream cpu']:.2f}", f"{row['others']:.0f}",
        f"{row['load']:.1f}", *aws_cells(row),
    ]


def details(runs):
    """Every run, with what the table leaves out."""
    header = [*HEADER[:-3], "refused to the sender", "longest tick ms", "largest burst", "requests", "documents each", "strange"]
    rows = []
    for row in runs:
        sender = [number(row["send errors"]), f"{row['longest tick']:.1f}", number(row["largest burst"])]
        upstream = [number(row["requests"]), f"{row['batch']:.1f}", number(row["strange"])]
        rows.append([*row_cells(row)[:-3], *sender, *upstream])
    return table(header, rows)


def verdict(runs, lesser, setup):
    """What the goals ask for, of the worst of the runs; CPU of the median."""
    rated = [run for run in runs if run["rate"] == GOAL_RATE]
    rows = []
    for delay in DELAYS:
        lost = [run["sent"] - run["arrived"] for run in rated if run["delay"] == delay]
        label = f"segments lost at {GOAL_RATE:,}/s, upstream after {delay} ms: the worst of {len(lost)} runs"
        rows.append(goal(label, max(lost, default=None), 0, number))
    cpu = [statistics.median(run["cpu a 100k"] for run in rated if run["delay"] == delay)
           for delay in {run["delay"] for run in rated}]
    label = f"CPU s of the daemon per 100,000 segments at {GOAL_RATE:,}/s: the delay that costs more"
    rows.append(goal(label, max(cpu, default=None), CPU_A_100K, "{:.2f}".format))
    rows.append(goal("RssAnon, idle, MB: the worst run", max(run["idle MB"] for run in runs), IDLE_MB, "{:.1f}".format))
    peak = max((run["peak MB"] for run in rated), default=None)
    rows.append(goal(f"RssAnon, peak at {GOAL_RATE:,}/s, MB: the worst run", peak, PEAK_MB, "{:.1f}".format))
    rows += [
        goal("documents that came twice, in all runs", sum(run["twice"] for run in runs), 0, number),
        goal("segments lost and counted nowhere, in all runs", sum(abs(run["silent"]) for run in runs), 0, number),
        buffer_goal("receive buffer granted, bytes", runs),
    ]
    if lesser:
        rows.append(buffer_goal(f"receive buffer {lesser['note']}", [lesser]))
    rows.append([f"{os.path.basename(setup.binary)}, bytes as built; stripped", binary_size(setup.binary), "-", "-"])
    return table(["goal", "figure", "reach", "reached"], rows)


def goal(label, value, reach, text):
    reached = "not measured" if value is None else "yes" if value <= reach else f"no: {text(value)} > {text(reach)}"
    return [label, "-" if value is None else text(value), text(reach), reached]


def buffer_goal(label, runs):
    """Where the system allows less, the daemon has to say so."""
    granted, warned = min(((run["buffer"], run["warned"]) for run in runs if run["buffer"]), default=(None, False))
    if granted is None:
        return [label, "-", number(BUFFER), "not told"]
    reached = "yes" if granted >= BUFFER else "the system allows less; " + ("it warns" if warned else "no warning")
    return [label, number(granted), number(BUFFER), reached]


def binary_size(binary):
    size = f"{os.path.getsize(binary):,}"
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped")
        if shutil.which("strip") and not subprocess.run(["strip", "-o", stripped, binary], capture_output=True).returncode:
            size += f"; {os.path.getsize(stripped):,}"
    return size


def without_net_admin():
    """What starts a command without the capability that lifts the receive buffer over the system's limit: nothing for who has it
    not; None where it cannot be dropped."""
    if os.geteuid():
        return []
    ways = (
        ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--"],
        ["capsh", "--drop=cap_net_admin", "--", "-c", 'exec "$0" "$@"'],
    )
    works = (way for way in ways if shutil.which(way[0]) and not subprocess.run([*way, "true"], capture_output=True).returncode)
    return next(works, None)


def instructions(setup, segments, rate):
    """Instructions of the daemon outside the kernel from start to end, and its costliest functions, by callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        before = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        slow = Setup(setup.binary, before, setup.by_file, timeout=120)
        with Upstream(0) as upstream, Daemon(slow, upstream) as daemon:
            relay.send(daemon, segments, rate)
            arrived = relay.drained(daemon, upstream, segments)["distinct"]
        if arrived != segments:
            say(f"of {segments:,} segments {arrived:,} arrived")
        with open(f"{folder}/out") as file:
            total = int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M)[1])
        return total, measure.output(["callgrind_annotate", "--auto=no", f"{folder}/out"])


def profile(setup):
    """Where the daemon's time goes. By callgrind the difference of two runs, so that start and end cancel out; by perf, where
    it is there, a run at the goal's rate, the kernel's part included."""
    few, many = 1_000, 6_000
    least, _ = instructions(setup, few, 500)
    most, annotated = instructions(setup, many, 500)
    print(f"{(most - least) / (many - few):,.0f} instructions a segment at 500/s, without the kernel's; valgrind has none that hash\n")
    lines = annotated.splitlines()
    start = next(at for at, line in enumerate(lines) if "file:function" in line)
    print("\n".join(line[:160] for line in lines[start:start + 40]))
    if not shutil.which("perf"):
        say("perf is not there: no profile of the kernel's part")
        return
    with Upstream(0) as upstream, Daemon(setup, upstream) as daemon, tempfile.NamedTemporaryFile() as file:
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", file.name, "-p", str(daemon.process.pid)]
        perf = subprocess.Popen(record, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        relay.send(daemon, SEGMENTS, GOAL_RATE)
        perf.send_signal(signal.SIGINT)
        perf.wait()
        told = measure.output(["perf", "report", "-i", file.name, "--no-children", "--stdio", "--sort", "dso,symbol"])
    print(f"\nCPU time at {GOAL_RATE:,}/s, the kernel's part included, by perf")
    print("\n".join([line[:160] for line in told.splitlines() if "%" in line and not line.startswith("#")][:50]))


def main():
    parser = argparse.ArgumentParser(prog="benches/run daemon", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50,000 segments a row, each row once")
    parser.add_argument("--rate", type=int, action="append", help="only this rate; 0 is as many as go; may be given again")
    parser.add_argument("--delay", type=int, action="append", help="only this delay of the upstream, in ms; may be given again")
    parser.add_argument("--daemon", metavar="PATH", help="another daemon's binary, such as AWS's; it is told the upstream by -c")
    parser.add_argument("--rmem-max", type=int, metavar="BYTES",
                        help="as root: net.core.rmem_max while the daemon without CAP_NET_ADMIN starts")
    parser.add_argument("--profile", action="store_true", help="only tell where its time goes: callgrind, and perf if there")
    options = parser.parse_args()

    measure.build([relay.LOAD])
    if not options.daemon:
        say("building xray-daemon")
        measure.output(["cargo", "build", "--quiet", "--release", "--package", "xray-daemon"], seconds=3600, cwd=ROOT)
    setup = Setup(os.path.abspath(options.daemon or DAEMON), by_file=bool(options.daemon))
    if options.profile:
        return profile(setup)
    segments = 50_000 if options.quick else SEGMENTS
    rows = [(delay, rate) for delay in options.delay or DELAYS for rate in options.rate or RATES]
    repeated = [] if options.quick else [row for row in rows if row[1] == GOAL_RATE] * 2
    runs = [run(setup, delay, rate, segments) for delay, rate in rows + repeated]
    lesser, before = None, without_net_admin()
    if before is None:
        say("neither setpriv nor capsh: no run without CAP_NET_ADMIN")
    elif GOAL_RATE in (options.rate or RATES):
        limit = options.rmem_max or rmem_max()
        say(f"without CAP_NET_ADMIN, net.core.rmem_max {limit:,}")
        lesser = run(Setup(setup.binary, before, setup.by_file, limit), 0, GOAL_RATE, segments)
        lesser["note"] = f"without CAP_NET_ADMIN, net.core.rmem_max {limit:,}"
    medians = [median([run for run in runs if (run["delay"], run["rate"]) == row]) for row in rows]
    others = [lesser] if lesser else []
    text = f"{table(HEADER, [row_cells(row) for row in medians + others])}\n{NOTE}\n{verdict(runs, lesser, setup)}"
    print(text, end="")
    path = measure.store("daemon.md", text + "\n" + details(runs + others))
    say(f"every run: {path}")


if __name__ == "__main__":
    main()
