"""Measures what the agent costs. `make bench` runs it.

usage: python3 -m scripts.bench [OPTION]... [GROUP]...

Groups: micro threads servers programs memory snapshots compare startup; none
means all. Leaves report.md, one chart for each group and the raw numbers,
results.json, in FOLDER (build/bench, or a folder in it for some groups).
--report makes the report and the charts anew from results.json, --readme
prints the table of the README.
"""

import argparse
import os
import pathlib
import sys
import time

from scripts.bench import (charts, machine, memory, pairs, programs, reach,
                           readme, report, servers, setups, snapshot, startup)
from scripts.bench.bench import Bench
from scripts.bench.samples import load, save

GROUPS = {**pairs.GROUPS, **servers.GROUPS, **programs.GROUPS,
          **memory.GROUPS, **snapshot.GROUPS, **startup.GROUPS}


def arguments():
    parser = argparse.ArgumentParser(
        prog='scripts.bench', description='Measures what the agent costs.')
    parser.add_argument('groups', nargs='*', metavar='GROUP',
                        help=f'one of {", ".join(GROUPS)}; none means all')
    parser.add_argument('--quick', action='store_true',
                        default=os.environ.get('BENCH_QUICK', '0') != '0',
                        help='about a fifth of the time (also BENCH_QUICK=1)')
    parser.add_argument('--agent', type=pathlib.Path, default=setups.AGENT,
                        help='the library to measure (build/libleakagent.so)')
    parser.add_argument('--out', type=pathlib.Path, help='folder of results')
    parser.add_argument('--report', action='store_true',
                        help='only report on results.json once more')
    parser.add_argument('--readme', action='store_true',
                        help='only print the table of the README')
    options = parser.parse_args()
    for name in options.groups:
        if name not in GROUPS:
            parser.error(f'there is no group {name}; there are '
                         + ', '.join(GROUPS))
    if options.out is None:
        # Part of the groups must not replace a report of the whole.
        options.out = (setups.BUILD / 'bench').joinpath(
            '-'.join(options.groups))
    return options


def measured(options):
    facts = machine.facts(options.quick)
    with Bench(options.quick, options.agent) as bench:
        for name in options.groups or GROUPS:
            start = time.monotonic()
            GROUPS[name].run(bench)
            bench.say(f'{name}: {time.monotonic() - start:.0f} s')
        facts['not_measured'] = bench.notes
        return facts, bench.samples, bench.failures


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / 'results.json'
    if not options.report and not options.readme:
        save(results, *measured(options))
    facts, samples, failures = load(results)
    if options.readme:
        print(readme.text(facts, samples))
        return 0
    drawn = charts.write(options.out, samples, facts, GROUPS)
    aims = reach.section(samples, set(samples.groups()) == set(GROUPS))
    text = report.whole(facts, samples, failures, GROUPS, aims, drawn)
    (options.out / 'report.md').write_text(text)
    print(text)
    print(f'in {options.out}', file=sys.stderr)
    return 1 if failures else 0


sys.exit(main())
