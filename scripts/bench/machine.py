"""What the numbers were measured on, and with which versions."""

import datetime
import os
import pathlib
import re
import subprocess

PEERS = ('libc6', 'heaptrack', 'libjemalloc2', 'libgoogle-perftools4',
         'redis-server', 'memcached', 'nginx', 'python3', 'nodejs',
         'sqlite3', 'g++', 'coreutils')


def first(pattern, path):
    match = re.search(pattern, pathlib.Path(path).read_text(), re.M)
    return match[1].strip() if match else 'unknown'


def versions():
    """{package: version} of those that are installed."""
    done = subprocess.run(
        ['dpkg-query', '-W', '-f',
         '${Package} ${db:Status-Status} ${Version}\n', *PEERS],
        capture_output=True, text=True)
    found = [line.split() for line in done.stdout.splitlines()]
    return {words[0]: words[2] for words in found
            if len(words) == 3 and words[1] == 'installed'}


def commit():
    try:
        done = subprocess.run(['git', 'describe', '--always', '--dirty'],
                              capture_output=True, text=True)
    except FileNotFoundError:
        return 'unknown'
    return done.stdout.strip() or 'unknown'


def facts(quick):
    """For the head of the report."""
    memory = int(first(r'^MemTotal:\s+(\d+)', '/proc/meminfo'))
    return {
        'processor': first(r'^model name\s*: (.*)', '/proc/cpuinfo'),
        'cores': len(os.sched_getaffinity(0)),
        'memory_gib': round(memory / (1 << 20)),
        'kernel': os.uname().release,
        'system': first(r'^PRETTY_NAME="(.*)"', '/etc/os-release'),
        'load_before': os.getloadavg()[0],
        'date': datetime.date.today().isoformat(),
        'commit': commit(),
        'quick': quick,
        'versions': versions(),
    }
