"""What the agent's `verify` option has found.

With VERIFY=on in the environment, every agent that a test starts compares its
stacks with libunwind's, and each test ends with a look at all snapshots in its
folder: one stack that differed fails it, and so does one that was not compared,
unless the test has said `self.unverified = True`. VERIFY_REPORT names a file to
which each process adds a line: stacks compared, command, test.
"""

import collections
import os
import pathlib
import zlib

from tests.support import figures, snapshots

ON = os.environ.get('VERIFY') == 'on'
OPTIONS = {'verify': 'on'} if ON else {}


def all_snapshots(folder):
    """Those that are whole: some tests make others."""
    for path in sorted(pathlib.Path(folder).rglob('*.pb.gz')):
        if snapshots.NAME.fullmatch(path.name):
            try:
                yield snapshots.load(path)
            except (OSError, EOFError, ValueError, IndexError, zlib.error):
                pass


def check(folder, test):
    """Fails where a stack in one of the folder's snapshots differed."""
    stacks = collections.Counter()
    for snapshot in all_snapshots(folder):
        comments = snapshot.comments
        if 'different_stacks' not in comments:
            if getattr(test, 'unverified', False):
                continue
            raise AssertionError(f'{snapshot.path}: verify was off')
        if comments['different_stacks'] != '0':
            raise AssertionError(
                f'{snapshot.path}: {comments["different_stacks"]} of '
                f'{comments["verified_stacks"]} stacks differ:\n' +
                '\n'.join(snapshot.differences))
        process = comments['command'], comments['pid'], comments['start']
        stacks[process] = max(stacks[process],
                              int(comments['verified_stacks']))
    figures.count(figures.COMPARED, sum(stacks.values()))
    report = os.environ.get('VERIFY_REPORT')
    if report:
        with open(report, 'a') as file:
            for (command, _, _), number in stacks.items():
                file.write(f'{number}\t{command}\t{test.id()}\n')
