"""Servers under load, by the CPU time they took for the same work.

A server and what loads it are on different cores. Counted is what the server
takes while it is loaded: user and system time, from the kernel.
"""

import functools
import pathlib
import re
import subprocess
import sys

from scripts.bench import launch, setups
from scripts.bench.group import Chart, Column, Group
from tests.support.servers import Server, children_of, free_port

SETUPS = (*setups.OURS, 'heaptrack')
LOADS = setups.ROOT / 'scripts' / 'bench' / 'loads'


def cpu_us(pid):
    """User and system time so far, of every thread that there is."""
    total = 0
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        total += int((task / 'schedstat').read_text().split()[0])
    return total / 1000


def peak_kib(pid):
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(re.search(r'VmHWM:\s+(\d+)', status)[1])


# ---- how each is started ----

def redis(port, folder):
    return ['redis-server', '--port', port, '--bind', '127.0.0.1', '--save',
            '', '--appendonly', 'no', '--dir', folder]


def memcached(port, folder):
    return ['memcached', '-l', '127.0.0.1', '-p', port, '-U', '0', '-t', '1',
            '-m', '256', '-u', 'root']


def nginx(port, folder):
    """One process: heaptrack follows no forks."""
    root = folder / 'nginx'
    root.mkdir(exist_ok=True)
    (root / 'index.html').write_text('x' * 1000)
    (root / 'nginx.conf').write_text(f'''
daemon off; master_process off; pid {root}/pid; error_log {root}/errors;
events {{ }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {root}; proxy_temp_path {root};
    fastcgi_temp_path {root}; uwsgi_temp_path {root}; scgi_temp_path {root};
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
''')
    return ['nginx', '-p', root, '-c', root / 'nginx.conf', '-e',
            root / 'errors']


# ---- how each is loaded ----

def redis_load(*command):
    def load(port, size):
        return ['redis-benchmark', '-p', port, '-n', size, '-r', '200000',
                '-P', '16', '-q', *command]
    return load


def ab(port, size):
    return ['ab', '-q', '-k', '-c', '16', '-n', size,
            f'http://127.0.0.1:{port}/index.html']


def memcached_load(port, size):
    return [sys.executable, LOADS / 'memcached.py', port, size]


# case: (title, server, load, operations)
SERVERS = {
    'redis-set': ('redis-server, SET', redis, redis_load(
        'SET', 'key:__rand_int__', 'x' * 64), 1000000),
    'redis-lpush': ('redis-server, LPUSH', redis, redis_load(
        'LPUSH', 'list:__rand_int__', 'x' * 64), 1000000),
    'nginx': ('nginx', nginx, ab, 60000),
    'memcached': ('memcached, set and get', memcached, memcached_load,
                  300000),
}


def once(bench, setup, case):
    """One server's life: CPU and peak memory under the load."""
    _, server, load, size = SERVERS[case]
    port = free_port()
    size //= 4 if bench.quick else 1
    settings = setups.environment(setup, bench.folder)
    command = [*launch.prefix(bench.cores[:1], 1, settings),
               *server(port, bench.folder)]
    with Server(command, port=port) as launcher:
        pid = children_of(launcher.pid)[0]
        expect_loaded(pid, settings)
        run_load(bench, load(port, size // 10))  # to warm up
        before = cpu_us(pid)
        run_load(bench, load(port, size))
        return {'cpu_us': cpu_us(pid) - before, 'peak_kib': peak_kib(pid)}


def expect_loaded(pid, settings):
    """A setup that silently is not there would look very good."""
    library = settings.get('LD_PRELOAD', '')
    if library not in pathlib.Path(f'/proc/{pid}/maps').read_text():
        raise launch.Failed(f'{library} is not loaded')


def run_load(bench, command):
    done = subprocess.run(
        [str(word) for word in (*pinned(bench.cores[1:]), *command)],
        text=True, capture_output=True, timeout=launch.LIMIT)
    if done.returncode:
        raise launch.Failed(f'{command[0]}: {done.stderr[-500:]}')


def pinned(cores):
    """Before a command that is to stay on these cores, if there are any."""
    return ['taskset', '-c', ','.join(map(str, cores))] if cores else []


def run(bench):
    bench.interleave('servers', 2 if bench.quick else 3, [
        (case, setup, functools.partial(once, bench, setup, case))
        for case in SERVERS for setup in SETUPS])


GROUPS = {
    'servers': Group(
        'Servers',
        'User and system time of the server for the same work, on a core of '
        'its own; the load comes from another. redis-benchmark sends batches '
        'of 16 with keys of 200,000; ab keeps its 16 connections open; '
        'memcached gets batches of 500.',
        run, lambda case: SERVERS[case][0],
        (Column('CPU s', 'cpu_us', scale=1e-6),
         Column('times native', 'cpu_us', 'times'),
         Column('peak MiB', 'peak_kib', scale=1 / 1024)),
        Chart('CPU time, native = 1', Column('', 'cpu_us', 'times'), origin=1)),
}
