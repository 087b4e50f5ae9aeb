"""What a test run tried, how often, and what of it broke.

Tests count what they do by the thousand, with count(); which programs carried
the agent, servers.py tells ran(), and tests/run begins and ends each case. It
names a file in TEST_FIGURES, one for each test file, into which lines of JSON
are appended, one write each, so that several processes may do so at once.
Without it nothing is counted.

As a program it prints the table of the files in build/figures: what the last
run of each test file found. A run of everything begins with none.
"""

import collections
import json
import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / os.environ.get('BUILD', 'build') / 'figures'
FILE = 'TEST_FIGURES'  # in the environment
TESTS = 'test cases'
COMPARED = 'stacks compared with those of libunwind'
FUZZED = 'inputs to leakdiff by its fuzzers'
HOSTS = 'real programs that carried the agent'
BEHAVIOURS = 'behaviours: a host program in a case of its own'
# The order of the table; what else is counted comes below.
ROWS = (
    TESTS, HOSTS, 'their processes', BEHAVIOURS,
    'calls made to fail',
    'kills in the middle of a snapshot',
    'threads started and ended',
    'forks while other threads allocate',
    'C++ exceptions through the hooks',
    'libraries loaded and unloaded',
    COMPARED,
    FUZZED,
    'seconds of soak', 'snapshots during soak',
)

# These runs do again what others have done, and only compare.
VERIFYING = os.environ.get('VERIFY') == 'on'
programs = set()  # of the case that runs now


def count(what, times, broken=0, **more):
    """So many times this was tried, of which so many broke something. What
    it is called is a text of ROWS."""
    if os.environ.get(FILE):
        append(os.environ[FILE], what, times, broken, **more)


def append(path, what, times, broken, **more):
    if VERIFYING and what != COMPARED:
        return
    line = json.dumps({'what': what, 'times': times, 'broken': broken, **more})
    with open(path, 'ab', buffering=0) as file:
        file.write(line.encode() + b'\n')


# ---- which programs carried the agent in a case ----

def begin():
    programs.clear()


def ran(command):
    """A program that carries the agent was started, by a name or path."""
    programs.add(os.path.realpath(shutil.which(str(command)) or str(command)))


def end(broken):
    """Of the case; what ran in it is broken when the case has failed."""
    real = sorted(os.path.basename(program) for program in programs
                  if program.startswith('/usr/'))
    if real:
        count(HOSTS, len(real), len(real) * broken, names=real)
    if programs:
        count(BEHAVIOURS, len(programs), len(programs) * broken)


# ---- the table ----

def summed(lines):
    """{what: [times, broken]}; what has names is counted by them."""
    sums = collections.defaultdict(lambda: [0, 0])
    names = collections.defaultdict(lambda: (set(), set()))
    for line in lines:
        entry = sums[line['what']]
        if 'names' in line:
            every, bad = names[line['what']]
            every.update(line['names'])
            bad.update(line['names'] if line['broken'] else ())
            entry[:] = len(every), len(bad)
        else:
            entry[0] += line['times']
            entry[1] += line['broken']
    return sums


def table(folder):
    lines = [json.loads(line) for path in sorted(folder.glob('*.jsonl'))
             for line in path.read_text().splitlines()]
    sums = summed(lines)
    order = [what for what in ROWS if what in sums]
    order += sorted(set(sums) - set(ROWS))
    rows = [f'| {what} | {sums[what][0]:,} | {sums[what][1]:,} |\n'
            for what in order]
    return '| what was tried | how often | broken |\n|---|--:|--:|\n' + \
        ''.join(rows)


if __name__ == '__main__':
    if not FOLDER.is_dir():
        sys.exit(f'figures: {FOLDER} is missing: run the tests first')
    sys.stdout.write(table(FOLDER))
