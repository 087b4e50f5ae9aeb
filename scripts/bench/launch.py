"""Runs a command in a setup and tells what it cost.

Through the program bench_launch, which is small: a child's peak of memory
includes what the process that forked it had.
"""

import re
import subprocess

from scripts.bench import setups

LAUNCHER = setups.PROGRAMS / 'bench_launch'
LIMIT = 300


class Failed(Exception):
    """A run that did not end as it should."""


def prefix(cores=None, times=1, environment=()):
    """What goes before a command."""
    words = [LAUNCHER, '-n', times]
    if cores:
        words += ['-c', ','.join(map(str, cores))]
    for key, value in dict(environment).items():
        words += ['-e', f'{key}={value}']
    return [str(word) for word in words]


def run(command, setup, folder, *, cores=None, times=1, extra=(), cwd=None,
        stdin=subprocess.DEVNULL):
    """(its output, [{'cpu_us', 'wall_us', 'peak_kib'} of each run])."""
    settings = {**setups.environment(setup, folder), **dict(extra)}
    try:
        done = subprocess.run(
            [*prefix(cores, times, settings), *map(str, command)],
            env=setups.clean_environment(), cwd=cwd, stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT,
            text=True, errors='replace')
    except subprocess.TimeoutExpired as error:
        raise Failed(f'ran for {LIMIT} s') from error
    if done.returncode:
        raise Failed(f'ended with {done.returncode}: {done.stderr[-500:]}')
    output, costs = split(done.stdout)
    if len(costs) != times:
        raise Failed('the launcher did not tell what it cost')
    return output, costs


def split(text):
    """What the command printed, and the launcher's lines as numbers."""
    lines = text.splitlines()
    told = [line for line in lines if line.startswith('run cpu_us=')]
    others = [line for line in lines if not line.startswith('run cpu_us=')]
    return '\n'.join(others), [numbers(line) for line in told]


def numbers(line):
    """{'name': number} of every name=number in it."""
    return {name: float(value) for name, value
            in re.findall(r'(\w+)=(-?[0-9.]+)', line)}
