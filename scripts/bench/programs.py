"""Whole programs that end by themselves, by their CPU time."""

import functools
import subprocess

from scripts.bench import launch, setups
from scripts.bench.allocations import allocated
from scripts.bench.group import Chart, Column, Group

LOADS = setups.ROOT / 'scripts' / 'bench' / 'loads'
SETUPS = (*setups.OURS, 'heaptrack')


def python(bench, inputs):
    steps = 400000 if bench.quick else 1350000
    return (['python3', '-S', LOADS / 'objects.py', steps],
            {'PYTHONMALLOC': 'malloc'}, None)


def sqlite(bench, inputs):
    """Statement by statement, in memory: no disk takes part."""
    rows = 60000 if bench.quick else 200000
    statements = inputs / 'insert.sql'
    with open(statements, 'w', encoding='ascii') as file:
        file.write('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INT);'
                   '\nCREATE INDEX by_name ON t (name);\nBEGIN;\n')
        for i in range(rows):
            file.write(f"INSERT INTO t (name, n) VALUES "
                       f"('name-{i * 7919 % rows}', {i});\n")
        file.write('COMMIT;\nSELECT count(*) FROM t;\n')
    return ['sqlite3', '-batch', ':memory:'], {}, statements


def compiler(bench, inputs):
    """The compiler proper, without the driver that starts it."""
    source = inputs / 'compiled.ii'
    subprocess.run(['g++', '-std=c++17', '-E', '-o', source,
                    LOADS / 'compiled.cc'], check=True)
    cc1plus = subprocess.run(['g++', '-print-prog-name=cc1plus'], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    return ([cc1plus, '-quiet', '-fsyntax-only' if bench.quick else '-O2',
             '-std=c++17', '-o', '/dev/null', source], {}, None)


def node(bench, inputs):
    return (['node', LOADS / 'documents.js',
             20000 if bench.quick else 80000], {}, None)


def factoriser(bench, inputs):
    number = ('1000000007 * 1000000009' if bench.quick else
              '68718952447 * 1223115466606394178638264191229')
    program = inputs / 'number.bc'
    program.write_text(f'n = {number}\n'
                       + (LOADS / 'factorise.bc').read_text())
    return ['bc', '-q', program], {}, None


# case: (title, what to run: words, environment, standard input)
PROGRAMS = {
    'python': ('python3 with PYTHONMALLOC=malloc', python),
    'bc': ('bc factorising a number', factoriser),
    'sqlite': ('sqlite3 inserting', sqlite),
    'g++': ('g++ compiling', compiler),
    'node': ('node, documents', node),
}


def once(bench, setup, command):
    words, extra, path = command
    with open(path or '/dev/null', 'rb') as stdin:
        _, costs = launch.run(words, setup, bench.folder, extra=extra,
                              stdin=stdin, cores=bench.cores[:1])
    return {**costs[0], **allocated(bench, setup)}


def run(bench):
    inputs = bench.folder / 'inputs'
    inputs.mkdir()
    commands = {case: prepare(bench, inputs)
                for case, (_, prepare) in PROGRAMS.items()}
    bench.interleave('programs', 2 if bench.quick else 3, [
        (case, setup, functools.partial(once, bench, setup, command))
        for case, command in commands.items() for setup in SETUPS])


GROUPS = {
    'programs': Group(
        'Programs',
        'User and system time of the program until it has ended, pinned to a '
        'core, the agent\'s snapshot at the end included.',
        run, lambda case: PROGRAMS[case][0],
        (Column('CPU s', 'cpu_us', scale=1e-6),
         Column('times native', 'cpu_us', 'times'),
         Column('peak MiB', 'peak_kib', scale=1 / 1024),
         Column('million allocations', 'allocations', scale=1e-6)),
        Chart('CPU time, native = 1', Column('', 'cpu_us', 'times'), origin=1)),
}
