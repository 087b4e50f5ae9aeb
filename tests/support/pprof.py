"""Runs `go tool pprof` so that it neither asks the network nor leaves files
in the user's home."""

import os
import re
import subprocess


def go_environment(folder):
    return dict(os.environ, HOME=str(folder), PPROF_TMPDIR=str(folder),
                GOCACHE=os.path.join(folder, 'cache'), GOFLAGS='-mod=mod',
                GOPATH=os.path.join(folder, 'go'), GOPROXY='off',
                GOTOOLCHAIN='local', GO111MODULE='off', DEBUGINFOD_URLS='')


def pprof(folder, *arguments):
    """What it prints; it must succeed."""
    done = subprocess.run(['go', 'tool', 'pprof', *map(str, arguments)],
                          capture_output=True, text=True, timeout=120,
                          env=go_environment(folder), cwd=folder)
    if done.returncode:
        raise AssertionError(f'pprof {arguments}: {done.stderr}')
    return done.stdout


def summed(folder, index, *arguments):
    """The sum of one sample type over a profile or a difference, exactly."""
    unit = ('-unit=bytes',) if index.endswith('space') else ()
    text = pprof(folder, '-top', f'-sample_index={index}', '-nodefraction=0',
                 '-edgefraction=0', '-nodecount=1000000', *unit, *arguments)
    match = re.search(r'Showing nodes accounting for (-?\d+)B?,', text)
    if not match:
        raise AssertionError(f'no sum in:\n{text}')
    return int(match[1])
