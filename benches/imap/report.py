"""The table of a run, in Markdown."""
import datetime
import os
import platform
import re
import statistics
import subprocess

BEGIN, END = "<!-- copying: begin, written by scripts/bench -->", "<!-- copying: end -->"

# Row: what it is, and the goal for wall time against mbsync.
ROWS = {
    "w1": ("1 user, 20,000 small messages", 0.20),
    "w2": ("20 users, 500 office messages each", 0.42),
    "w3": ("1 user, 40 messages of 10 MiB", 1.0),
    "w4": ("w1 again, nothing to do", 0.35),
    "w5": ("w1 again, 1 % new, 1 % flags changed", 0.5),
    "w6": ("2,000 small messages over 40 ms", 0.2),
    "w6n": ("w6 again, nothing to do", 0.25),
    "single": ("2,000 small messages, target without MULTIAPPEND", 1.05),
    "disk": ("2,000 small messages, real disk, fsync on", 0.4),
}
# Further goals: share of the raw ceiling's speed, processor time against the raw copy, peak memory in MiB.
CEILING, PROCESSOR, PEAK = {"w1": 0.75}, {"w1": 1.5}, {"w3": 32, "w2": 64}


def median(results, row, program, value):
    """The median of a value over the rounds; None when there is no run, or one went wrong."""
    runs = [r for r in results if r["row"] == row and r["program"].startswith(program) and "wall" in r]
    if not runs or any(r["exit"] for r in runs):
        return None
    return statistics.median(value(r) for r in runs)


def wall(run):
    return run["wall"]


def processor(run):
    return run["client"] + run["servers"]


def number(value, unit="", digits=2):
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def ratio(one, other):
    return None if one is None or not other else one / other


def against(value, goal, above=False):
    """A figure with its goal beside it, bold where it is missed."""
    if value is None or goal is None:
        return number(value)
    missed = value < goal if above else value > goal
    shown = f"**{value:.2f}**" if missed else f"{value:.2f}"
    return f"{shown} ({'>=' if above else '<='} {goal:g})"


def line(results, row):
    ours, theirs, raw = (median(results, row, p, wall) for p in ("rehome", "mbsync", "raw"))
    cpu = {p: median(results, row, p, processor) for p in ("rehome", "mbsync", "raw")}
    peak = {p: median(results, row, p, lambda r: r["peak"]) for p in ("rehome", "mbsync")}
    memory = number(peak["rehome"], digits=0)
    if row in PEAK and peak["rehome"] is not None:
        memory = f"{f'**{memory}**' if peak['rehome'] > PEAK[row] else memory} (<= {PEAK[row]})"
    cells = [
        row, ROWS[row][0], number(ours, " s"), number(theirs, " s"), against(ratio(ours, theirs), ROWS[row][1]),
        number(raw, " s"), against(ratio(raw, ours), CEILING.get(row), above=True),
        number(cpu["rehome"], " s"), number(cpu["mbsync"], " s"), against(ratio(cpu["rehome"], cpu["raw"]), PROCESSOR.get(row)),
        memory, number(peak["mbsync"], digits=0), differences(results, row, "rehome"),
    ]
    return "| " + " | ".join(cells) + " |"


def differences(results, row, program):
    checks = [r["differences"] for r in results if r["row"] == row and r["program"] == program and "differences" in r]
    if not checks:
        return "-"
    worst = max(checks, key=lambda found: sum(found.values()))
    return ", ".join(f"{n:,} {kind}" for kind, n in worst.items()) or "none"


def faithful(results):
    """Whether rehome ended well in every run and every check of its copies found nothing."""
    ours = [r for r in results if r["program"] == "rehome"]
    return bool(ours) and not any(r.get("differences") or r.get("exit") for r in ours)


def folders(results):
    """Memory by the number of messages in one folder."""
    runs = [r for r in results if r["row"] == "memory" and "wall" in r]
    if not runs:
        return []
    out = ["", "One folder of so many messages, between servers that make them up (`imap/endless.py`), copied once and once "
           "more with nothing to do. Memory has to stay below 64 MiB and not to grow with the folder.", "",
           "| messages | wall | MiB | wall, again | MiB, again | differences |", "|---|---|---|---|---|---|"]
    for messages in dict.fromkeys(r["messages"] for r in runs):
        cells = [f"{messages:,}"]
        for run in [r for r in runs if r["messages"] == messages]:
            cells += [number(run["wall"], " s"), number(run["peak"], digits=0)]
        of = [r for r in results if r.get("messages") == messages]
        out.append("| " + " | ".join([*cells, differences(of, "memory", "rehome")]) + " |")
    return out


def first_line(command):
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        return (ran.stdout.strip().splitlines() or ["?"])[0]
    except OSError:
        return "?"


def conditions(options):
    versions = [first_line([options.rehome, "--version"]), first_line(["mbsync", "--version"]),
                "Dovecot " + first_line([os.environ.get("DOVECOT", "/usr/sbin/dovecot"), "--version"]).split(" ")[0]]
    today = datetime.date.today().isoformat()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    turns = f"{options.rounds} rounds" if options.rounds > 1 else "1 round"
    size = ", **small mailboxes (--quick): the figures mean nothing**" if options.quick else ""
    return (f"{today}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors, {memory} GiB; "
            f"{', '.join(versions)}; medians of {turns}, load average at the end {os.getloadavg()[0]:.1f}{size}.")


def markdown(results, options):
    rows = [row for row in ROWS if any(r["row"] == row for r in results)]
    out = [
        conditions(options), "",
        "| row | what | rehome | mbsync | rehome / mbsync (goal) | raw | share of raw speed | CPU rehome | CPU mbsync "
        "| CPU rehome / raw | MiB rehome | MiB mbsync | differences after rehome |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(line(results, row) for row in rows), "",
        "What an independent comparison finds after the other programs (worst round):", "",
        "| row | program | wall | CPU | differences |", "|---|---|---|---|---|",
    ]
    for row in rows:
        programs = dict.fromkeys(r["program"] for r in results if r["row"] == row and r["program"] != "rehome")
        for program in programs:
            cells = [row, program, number(median(results, row, program, wall), " s"),
                     number(median(results, row, program, processor), " s"), differences(results, row, program)]
            out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out + folders(results)) + "\n"


def put(path, text):
    """Replaces what stands between the markers of a file."""
    with open(path) as f:
        old = f.read()
    if BEGIN not in old or END not in old:
        raise SystemExit(f"{path} has no place for the table: {BEGIN} ... {END}")
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    with open(path, "w") as f:
        f.write(re.sub(pattern, lambda _: f"{BEGIN}\n\n{text}\n{END}", old, flags=re.S))
