"""A host whose cgroup has little memory: it is ended as it is without the agent,
not before it has used what there is, and what was written by then is whole."""

import os
import pathlib
import signal

from tests.support import snapshots
from tests.support.servers import HostTest, files, program, run

MOUNT = pathlib.Path('/sys/fs/cgroup')
LIMIT = 64 << 20
BLOCK = 1_000_000  # puppet writes to all of it
MOST = 200


class Cgroup(HostTest):
    def setUp(self):
        super().setUp()
        first = (MOUNT / 'memory').is_dir()
        parent = MOUNT / 'memory' if first else MOUNT
        self.group = parent / f'leakagent-test-{os.getpid()}'
        self.group.mkdir()
        self.addCleanup(self.group.rmdir)
        name = 'memory.limit_in_bytes' if first else 'memory.max'
        (self.group / name).write_text(str(LIMIT))
        for swap in 'memory.swap.max', 'memory.memsw.limit_in_bytes':
            if (self.group / swap).exists():
                (self.group / swap).write_text(str(0 if 'max' in swap
                                                   else LIMIT))

    def inside(self, directory):
        """Told to keep more and more, with a snapshot after each block."""
        done = run(['/bin/sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"',
                    self.group, program('puppet')], directory, only='puppet',
                   stdin=f'alloc {BLOCK}\nsnapshot a\n' * MOST, keep=0)
        return done, done.stdout.count('done alloc')

    def test_all_of_it_is_used(self):
        plain, blocks = self.inside(None)
        self.assertEqual((plain.status, plain.stderr), (-signal.SIGKILL, ''))
        done, watched = self.inside(self.snapshots)
        self.assertEqual((done.status, done.stderr), (-signal.SIGKILL, ''))
        self.assertGreater(watched * BLOCK, blocks * BLOCK - LIMIT // 10)
        last = snapshots.load(files(self.snapshots)[-1])
        self.assertEqual(last.comments['agent_limit_bytes'],
                         str(LIMIT // 100 * 10))
        self.assertEqual(last.through('puppet_alloc').inuse_objects,
                         len(files(self.snapshots)))
        self.assertEqual([path for path in self.snapshots.iterdir()
                          if path not in files(self.snapshots)], [])
