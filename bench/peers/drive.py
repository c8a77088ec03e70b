#!/usr/bin/env python3
"""drive.py - times elbow and its Python peers in alternation and prints the ratios. bench/bench-peers runs it.

For every case (a task, a batch size, a number of threads) each family of peers first tries its candidate
configurations once; the fastest goes on. Then elbow and the families answer in turn, round after round, so that
whatever the machine does in between falls on all alike. A ratio is a peer's time over elbow's in the same round; the table
gives its median and range.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import select
import shlex
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Variables that hobble a peer or tilt the comparison; each worker gets its own values instead.
UNSET_PREFIXES = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "ATEN_", "XLA_", "TORCH", "JAX_", "LD_PRELOAD")
BIND = {"OMP_PROC_BIND": "true"}

# family: [(configuration, worker and its argument, environment)]
CANDIDATES = {
    "PyTorch eager": [("eager", ["peer_torch.py", "eager"], {}), ("eager, bound", ["peer_torch.py", "eager"], BIND)],
    "PyTorch compile": [("compile", ["peer_torch.py", "compile"], {}), ("step", ["peer_torch.py", "step"], {}),
                        ("step, bound", ["peer_torch.py", "step"], BIND),
                        ("frozen", ["peer_torch.py", "frozen"], {})],
    "JAX": [("jit", ["peer_jax.py", "jit"], {}), ("scan", ["peer_jax.py", "scan"], {})],
}

TURN_SECONDS = 0.3  # a turn repeats the call to about this long
PAUSE_SECONDS = 0.05  # after a turn, for the last one's spinning threads to go to sleep
LONGEST_ANSWER_SECONDS = 900  # compiling included
MOST_OTHERS = 0.1  # cores that other programs may keep busy in a round: preemption favours whose calls are shorter


def cases(arguments):
    sizes = {"train": arguments.batch or [20, 100, 500], "encode": arguments.batch or [1, 10, 1000],
             "iwae": [4], "svi": arguments.batch or [100], "ais": arguments.batch or [100]}
    for task in arguments.task:
        for batch in sizes[task]:
            for threads in arguments.threads:
                case = {"task": task, "batch": batch, "threads": threads}
                if task == "train":
                    yield {**case, "binarise": True}
                    yield {**case, "binarise": False}
                elif task == "iwae":
                    yield {**case, "samples": 5000}
                elif task == "svi":
                    yield {**case, "steps": 100}
                elif task == "ais":
                    yield {**case, "chains": 16}
                else:
                    yield case


def title(case):
    if case["task"] == "train":
        return f"training step, batch {case['batch']}" + ("" if case["binarise"] else ", data already binary")
    if case["task"] == "encode":
        return f"encoder, {case['batch']} image" + ("s" if case["batch"] > 1 else "")
    if case["task"] == "iwae":
        return f"IWAE-{case['samples']}, per image"
    if case["task"] == "ais":
        return f"AIS, {case['batch'] * case['chains']} chains, 10 leapfrog steps, per temperature"
    return f"SVI, {case['steps']} Adam steps x {case['batch']} images"


class Worker:
    """A process that answers requests, one JSON object a line."""

    def __init__(self, name, command, environment, threads):
        self.name = name
        clean = {k: v for k, v in os.environ.items() if not k.startswith(UNSET_PREFIXES)}
        clean.update({"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": "",
                      "TORCHINDUCTOR_COMPILE_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **environment})
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=clean, text=True)

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answered, _, _ = select.select([self.process.stdout], [], [], LONGEST_ANSWER_SECONDS)
        except BrokenPipeError:
            answered = [self.process.stdout]
        if not answered:
            self.process.kill()
            return {"error": f"no answer in {LONGEST_ANSWER_SECONDS} s"}
        line = self.process.stdout.readline()
        time.sleep(PAUSE_SECONDS)
        if not line:
            return {"error": f"the worker ended with status {self.process.wait()}"}
        return json.loads(line)

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already
        self.process.wait()


def note(text):
    print(text, file=sys.stderr, flush=True)


def start_workers(threads, arguments):
    """family -> its candidates, all started for so many threads."""
    workers = {}
    if not arguments.no_elbow:
        workers["elbow"] = [Worker("elbow", [str(arguments.elbow), "bench", "--worker"], {}, threads)]
    for family, candidates in CANDIDATES.items():
        if family in arguments.family:
            workers[family] = [Worker(name, [sys.executable, str(HERE / file), mode], environment, threads)
                               for name, (file, mode), environment in candidates]
    return workers


def choose(workers, case):
    """family -> (its fastest candidate, seconds): every candidate compiles, warms up and answers once."""
    chosen = {}
    for family, candidates in workers.items():
        answers = []
        for worker in candidates:
            reply = worker.ask({**case, "repeats": 5})
            if "error" in reply:
                note(f"  {family} ({worker.name}) cannot: {reply['error']}")
                continue
            reply = worker.ask({**case, "repeats": repeats_for(reply["seconds"], case)})
            answers.append((reply["seconds"], worker))
        if answers:
            seconds, worker = min(answers, key=lambda a: a[0])
            chosen[family] = (worker, seconds)
    return chosen


def repeats_for(seconds, case):
    call = seconds * {"iwae": case["batch"], "ais": 10}.get(case["task"], 1)
    return max(3, min(300, int(TURN_SECONDS / max(call, 1e-9))))


def ticks_of_others(processes):
    """Clock ticks the processors have spent on anything but these processes and this one."""
    with open("/proc/stat") as f:
        fields = [int(field) for field in f.readline().split()[1:9]]
    others = sum(fields) - fields[3] - fields[4]  # less idle and waiting for I/O
    for pid in [os.getpid(), *processes]:
        with open(f"/proc/{pid}/stat") as f:
            own = f.read().rpartition(")")[2].split()
        others -= int(own[11]) + int(own[12])
    return others


class Rounds:
    """What the rounds of one case gave."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.times = {family: [] for family in chosen}  # family -> seconds per round
        self.trips = []  # round trips between two cores that elbow measured on the way, ns
        self.others = []  # cores that other programs kept busy, per round


def run_round(rounds, case):
    """Every family's turn. -> its seconds and the cores that others kept busy meanwhile."""
    processes = [worker.process.pid for worker, _ in rounds.chosen.values()]
    start, ticks, seconds = time.monotonic(), ticks_of_others(processes), {}
    for family, (worker, expected) in rounds.chosen.items():
        reply = worker.ask({**case, "repeats": repeats_for(expected, case)})
        if "error" in reply:
            raise SystemExit(f"{family}: {reply['error']}")
        seconds[family] = reply["seconds"]
        if reply.get("round_trip_ns"):
            rounds.trips.append(reply["round_trip_ns"])
    ticks = ticks_of_others(processes) - ticks
    return seconds, max(0.0, ticks / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start))


def alternate(chosen, case, count):
    """A disturbed round is played again, at most `count` times in all; after that it counts, and the table shows it."""
    rounds, spare = Rounds(chosen), count
    while len(rounds.others) < count:
        seconds, others = run_round(rounds, case)
        if others > MOST_OTHERS and spare > 0:
            spare -= 1
            continue
        rounds.others.append(others)
        for family, value in seconds.items():
            rounds.times[family].append(value)
    return rounds


def duration(seconds):
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-4 else f"{seconds * 1e3:.3g} ms"


def spread(ratios):
    return f"{statistics.median(ratios):.2f}x ({min(ratios):.2f}-{max(ratios):.2f})"


def row(case, rounds):
    """One line of the table: elbow's time, each family's time and ratio, the round trip, the cores lost to others."""
    times, trips = rounds.times, rounds.trips
    base = times.get("elbow")
    cells = [title(case), str(case["threads"]), duration(statistics.median(base)) if base else "-"]
    for family in CANDIDATES:
        if family not in times:
            cells.append("-")
            continue
        text = f"{duration(statistics.median(times[family]))} [{rounds.chosen[family][0].name}]"
        if base:
            text += " " + spread([p / e for p, e in zip(times[family], base)])
        cells.append(text)
    peers = [times[f] for f in CANDIDATES if f in times]
    fastest = [min(p) for p in zip(*peers)]
    cells.append(spread([p / e for p, e in zip(fastest, base)]) if base and fastest else "-")
    cells.append(f"{statistics.median(trips):.0f} ({min(trips):.0f}-{max(trips):.0f})" if trips else "-")
    cells.append(f"{max(rounds.others):.2f}" + (" DISTURBED" if max(rounds.others) > MOST_OTHERS else ""))
    return "| " + " | ".join(cells) + " |"


HEADER = ["case", "threads", "elbow", *CANDIDATES, "fastest peer of each round", "round trip, ns", "others, cores"]


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.processor())
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {system}"


def versions(arguments, threads):
    found = []
    for family, candidates in start_workers(threads, arguments).items():
        answer = candidates[0].ask({"task": "describe"})
        found.append(f"{family}: " + ", ".join(f"{k} {v}" for k, v in answer.items() if k in (
            "version", "cpu", "kernels", "error")))
        for worker in candidates:
            worker.close()
    return found


EXPLANATION = """# Performance against the Python peers

Written by `bench/bench-peers`; do not edit. Times are medians per call (IWAE: per image); `2.5x (2.3-2.8)` is the
median and range over the rounds of the peer's time over elbow's in the same round. In brackets: the peer's fastest
configuration for that case (bench/peers/README.md). The round trip is a cache line's way from one core to the other and
back, which two-thread figures hang on. The last column is the most that other programs kept busy in any round, in
cores: a DISTURBED row favours whose calls are shorter, and proves nothing.
"""


def report(arguments, rows):
    lines = [EXPLANATION, f"- Machine: {machine()}", f"- Date: {datetime.date.today().isoformat()}",
             f"- Command: `bench/bench-peers {shlex.join(sys.argv[1:])}`, {arguments.rounds} rounds"]
    lines += [f"- {text}" for text in versions(arguments, arguments.threads[-1])]
    lines += ["", "| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER), *rows, ""]
    return "\n".join(lines)


def numbers(text):
    return [int(part) for part in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elbow", type=pathlib.Path, default=ROOT / "build" / "elbow")
    parser.add_argument("--no-elbow", action="store_true", help="time the peers alone")
    parser.add_argument("--task", type=lambda t: t.split(","), default=["train", "encode", "iwae", "svi", "ais"])
    parser.add_argument("--batch", type=numbers, help="for train, encode, svi and ais")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--family", type=lambda t: t.split(","), default=list(CANDIDATES), help=", ".join(CANDIDATES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", nargs="?", type=pathlib.Path, const=ROOT / "docs" / "results" / "peers.md",
                        metavar="FILE", help="write the table to FILE, docs/results/peers.md when none is named")
    arguments = parser.parse_args()
    if not arguments.no_elbow and not arguments.elbow.exists():
        parser.error(f"{arguments.elbow} does not exist: run `make` first, or name another with --elbow")
    return arguments


def main():
    arguments = parse()
    rows = []
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER), flush=True)
    for threads in arguments.threads:
        workers = start_workers(threads, arguments)
        for case in cases(arguments):
            if case["threads"] != threads:
                continue
            chosen = choose(workers, case)
            if not chosen:
                raise SystemExit(f"{title(case)}: nobody can")
            rows.append(row(case, alternate(chosen, case, arguments.rounds)))
            print(rows[-1], flush=True)
        for worker in sum(workers.values(), []):
            worker.close()
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        arguments.write.write_text(report(arguments, rows))
        note(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
