#!/usr/bin/python3
"""How long a large snapshot takes, and how long it takes to compare two.

A program with 100,000 distinct stacks of 30 frames (tests/programs/
bench_stacks.c) goes on allocating in two threads. Measured are the time from
the request to the whole file being in place, and leakdiff against
`go tool pprof -top -diff_base` on two such files. Run by `make bench`.

usage: bench-snapshot [STACKS [REPEATS]]
"""

import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.support import snapshots                          # noqa: E402
from tests.support.pprof import go_environment               # noqa: E402
from tests.support.servers import (LEAKDIFF, Server, files,  # noqa: E402
                                   program)


def machine():
    model = re.search(r'model name\s*: (.*)',
                      pathlib.Path('/proc/cpuinfo').read_text())
    memory = re.search(r'MemTotal:\s+(\d+)',
                       pathlib.Path('/proc/meminfo').read_text())
    return (f'{model[1] if model else "unknown processor"}, '
            f'{os.cpu_count()} cores, {int(memory[1]) >> 20} GiB, '
            f'Linux {os.uname().release}')


def timed_snapshot(server):
    """(milliseconds until the file is there, its path)"""
    before = set(files(server.directory))
    start = time.monotonic()
    os.kill(server.pid, signal.SIGUSR2)
    while True:
        new = [path for path in files(server.directory) if path not in before]
        if new:
            return (time.monotonic() - start) * 1000, new[0]
        time.sleep(0.001)


def timed_run(command, **options):
    """Milliseconds, and what it printed."""
    start = time.monotonic()
    done = subprocess.run([str(word) for word in command], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, **options)
    return (time.monotonic() - start) * 1000, done.stdout


def take_snapshots(directory, stacks, repeats):
    """Times in ms, the first file, one with growth, the host's last words."""
    with Server([program('bench_stacks'), stacks], directory, exit='off',
                keep=1000) as server:
        server.wait_output('ready')
        taken = [timed_snapshot(server) for _ in range(repeats)]
        server.tell('grow')
        server.wait_output('grown')
        taken.append(timed_snapshot(server))
        server.process.stdin.close()
        words = server.stop(None).stdout
    pauses = [int(us) / 1000 for us in re.findall(r'pause (\d+) us', words)]
    return [ms for ms, _ in taken], taken[0][1], taken[-1][1], max(pauses)


def row(what, times, aim):
    print(f'{what:44} {statistics.median(times):9.0f} {max(times):9.0f}   '
          f'{aim}')


def main():
    stacks = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory(prefix='leakagent-bench-') as scratch:
        directory = pathlib.Path(scratch, 'snapshots')
        directory.mkdir()
        written, old, new, pause = take_snapshots(directory, stacks, repeats)
        compare = [LEAKDIFF, old, new]
        pprof = ['go', 'tool', 'pprof', '-top', f'-diff_base={old}', new]
        ours = [timed_run(compare)[0] for _ in range(repeats)]
        theirs = [timed_run(pprof, env=go_environment(scratch))[0]
                  for _ in range(repeats)]
        snapshot = snapshots.load(new)
        live = [sample for sample in snapshot.samples
                if any(frame.function == 'leaf' for frame in sample.stack[:1])]
        depth = statistics.median(len(sample.stack) for sample in live)
        print(f'{machine()}\n{len(live)} stacks of {depth:.0f} frames, '
              f'{new.stat().st_size / 1e6:.1f} MB a file, '
              f'{int(snapshot.comments["agent_bytes"]) / 1e6:.0f} MB of '
              f'agent\'s memory; {repeats} runs, milliseconds\n')
        print(f'{"":44} {"median":>9} {"worst":>9}   aim')
        row('snapshot: request to file in place', written, '500')
        row('  longest malloc + free of the host', [pause], '')
        row('leakdiff OLD NEW', ours, '1000, and a fifth of pprof\'s')
        row('go tool pprof -top -diff_base=OLD NEW', theirs, '')
        print(f'\npprof / leakdiff: {statistics.median(theirs) / statistics.median(ours):.1f}')


if __name__ == '__main__':
    main()
