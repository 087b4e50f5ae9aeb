"""A run of the benchmarks: what every group needs to do its work."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from scripts.bench import launch, setups
from scripts.bench.samples import Samples


# Of the launcher, and of the servers' support in the tests.
FAILURES = (launch.Failed, OSError, AssertionError,
            subprocess.SubprocessError)


class Bench:
    """quick: about a fifth of the time. Use as `with`: it owns a folder."""

    def __init__(self, quick=False, agent=setups.AGENT):
        self.quick = quick
        self.agent = agent
        self.samples = Samples()
        self.notes = []     # what could not be measured here, and why
        self.failures = []  # runs that failed
        self.cores = sorted(os.sched_getaffinity(0))

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='leakagent-bench-'))
        self.folder.chmod(0o777)
        setups.copy_agent(self.folder, self.agent)
        self.absent = {name for name in setups.SETUPS
                       if not self.is_there(name)}
        self.clean()
        return self

    def __exit__(self, *exception):
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_there(self, name):
        library = setups.environment(name, self.folder).get('LD_PRELOAD', '/')
        if not os.path.exists(library):
            self.notes.append(f'{name}: {library} is not there')
            return False
        if name == 'sampled' and not setups.agent_samples(self.folder):
            self.notes.append(f'{name}: this agent has no such option')
            return False
        return True

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def interleave(self, group, rounds, runs):
        """Measures, in turn and in rounds, and keeps what it finds.

        runs: [(case, setup, function)]; the function gives {name: number}.
        What fails once is left out from then on. Every other round goes
        backwards, so that nobody always comes first.
        """
        runs = [run for run in runs if run[1] not in self.absent]
        for number in range(rounds):
            self.say(f'{group}: round {number + 1} of {rounds}')
            for run in runs[::-1] if number % 2 else runs[:]:
                case, setup, function = run
                found = self.attempt(f'{group}, {case}, {setup}', function)
                if found is None:
                    runs.remove(run)
                else:
                    self.samples.add(group, case, setup, number, found)
                self.clean()

    def attempt(self, what, function):
        """What the function returns; None, and a note, if it fails."""
        try:
            return function()
        except FAILURES as error:
            self.failures.append(f'{what}: {error}')
            self.say(self.failures[-1])
            return None

    def clean(self):
        """Snapshots and profiles of the run before are of no more use."""
        for path in self.folder.iterdir():
            if path.is_file():
                path.unlink()
