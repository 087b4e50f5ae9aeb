"""redis-server under load of all its types, for SECONDS_EACH seconds, with a
snapshot a second: the agent's own memory is as large at the end as before, and
nothing is lost.

BUILD/soak-redis.csv has what each snapshot that was looked at says.
"""

import os
import subprocess
import time

from tests.support import figures, snapshots
from tests.support.servers import (BUILD, HostTest, Server, files, free_port,
                                   leakagent)

SECONDS = int(os.environ.get('SECONDS_EACH', '30'))
ROUNDS = 3  # at least: make check only has a taste of it
REQUESTS = 1000  # of each kind in a round
COLUMNS = ('sequence', 'agent_bytes', 'rss_bytes', 'drops')


class Redis(HostTest):
    def load(self, server):
        """A round: fills, asks, and empties it, so that all are alike."""
        port = str(server.port)
        subprocess.run(['redis-benchmark', '-p', port, '-q', '-n',
                        str(REQUESTS), '-r', '2000', '-c', '20', '-d', '100'],
                       stdout=subprocess.DEVNULL, check=True)
        subprocess.run(['redis-cli', '-p', port, 'flushall'],
                       stdout=subprocess.DEVNULL, check=True)

    def look(self, table):
        """At the newest snapshot: it must be whole, and not have lost any."""
        newest = snapshots.load(files(self.snapshots)[-1])
        row = [int(newest.comments[key]) for key in COLUMNS]
        print(round(time.monotonic() - self.start, 1), *row,
              newest.total().inuse_space, sep=',', file=table, flush=True)
        self.assertEqual(newest.comments['drops'], '0')
        self.assertEqual(newest.period, 1)
        return dict(zip(COLUMNS, row))

    def soak(self, server):
        looks = []
        with open(BUILD / 'soak-redis.csv', 'w') as table:
            print('seconds', *COLUMNS, 'live_bytes', sep=',', file=table)
            self.start = time.monotonic()
            end = self.start + (SECONDS if SECONDS >= 60 else 0)
            while time.monotonic() < end or len(looks) < ROUNDS:
                self.load(server)
                server.wait_for(lambda: files(self.snapshots), 'the timer')
                looks.append(self.look(table))
        return looks

    def test_snapshots_every_second(self):
        command = ['redis-server', '--port', free_port(), '--bind',
                   '127.0.0.1', '--save', '', '--dir', self.directory]
        with Server(command, self.snapshots, port=command[2],
                    interval='1s') as server:
            looks = self.soak(server)
            problem = leakagent('status', server.pid)
            done = server.stop()
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertRegex(problem, r'problem +none')
        for path in files(self.snapshots):
            snapshots.load(path)
        # Rounds are alike: after a third of them it knows all their stacks.
        third = len(looks) // 3
        sizes = [look['agent_bytes'] for look in looks]
        self.assertLessEqual(max(sizes[2 * third:]),
                             max(sizes[third:2 * third]) * 1.05 + (1 << 20))
        figures.count('seconds of soak', int(time.monotonic() - self.start))
        figures.count('snapshots during soak', looks[-1]['sequence'])
