"""Programs whose memory somebody else's program decides: python3, node and
sqlite3, each told on its standard input when to allocate."""

from tests.support import snapshots
from tests.support.servers import (HostTest, Server, files, leakdiff_json)


class Interpreter(HostTest):
    def drive(self, directory, command, go, told, ready, **options):
        """Snapshots around one command; then the end of its input."""
        with Server(command, directory, cwd=self.directory,
                    **options) as server:
            server.wait_for(ready('ready'), 'its start')
            self.before = server.snapshot()
            server.tell(go)
            server.wait_for(ready('done'), told)
            self.after = server.snapshot()
            server.process.stdin.close()
            return server.stop(None)

    def marker(self, directory):
        """A file that the program makes is there: output may be buffered."""
        kind = 'plain' if directory is None else 'watched'
        folder = self.folder(kind)
        return folder, lambda name: (folder / name).exists

    def grown(self):
        return (snapshots.load(self.after).total('heap') -
                snapshots.load(self.before).total('heap'))


class Python(Interpreter):
    COUNT, SIZE = 1234, 5678
    SCRIPT = '''
import pathlib, sys
kept = [None] * {count}
pathlib.Path('{folder}/ready').touch()
sys.stdin.readline()
for i in range({count}):
    kept[i] = bytes({size})
pathlib.Path('{folder}/done').touch()
sys.stdin.readline()
print(len(kept))
sys.exit(5)
'''

    def session(self, directory):
        folder, ready = self.marker(directory)
        script = self.SCRIPT.format(folder=folder, count=self.COUNT,
                                    size=self.SIZE)
        return self.drive(directory, ['/usr/bin/python3', '-c', script], 'go',
                          'its list', ready,
                          extra={'PYTHONMALLOC': 'malloc'})

    def test_a_growing_list(self):
        self.assertSameRun(self.session)
        # A bytes object is its contents, a zero byte and a head of 32.
        expected = self.COUNT, self.COUNT * (self.SIZE + 33)
        report = leakdiff_json(self.before, self.after)
        stacks = [(stack['growth_objects'], stack['growth_bytes'])
                  for row in report['rows'] for stack in row['stacks']]
        self.assertIn(expected, stacks)
        self.assertEqual(len(files(self.snapshots)), 3)


class Node(Interpreter):
    COUNT, SIZE = 200, 100000
    SCRIPT = '''
const fs = require('fs');
const kept = [];
process.stdin.once('data', () => {{
  for (let i = 0; i < {count}; i++)
    kept.push(Buffer.allocUnsafeSlow({size}).fill(1));
  fs.writeFileSync('{folder}/done', '');
}});
process.stdin.on('end', () => {{ console.log(kept.length); }});
fs.writeFileSync('{folder}/ready', '');
'''

    def session(self, directory):
        folder, ready = self.marker(directory)
        script = self.SCRIPT.format(folder=folder, count=self.COUNT,
                                    size=self.SIZE)
        return self.drive(directory, ['node', '-e', script], 'go',
                          'its buffers', ready)

    def test_buffers(self):
        self.assertSameRun(self.session)
        kept = sum(sample.values.inuse_objects
                   for sample in snapshots.load(self.after).samples
                   if sample.values.inuse_space ==
                   sample.values.inuse_objects * self.SIZE > 0)
        self.assertEqual(kept, self.COUNT)
        # Its collector may free what was live before.
        self.assertLess(self.grown().inuse_space,
                        self.COUNT * self.SIZE * 5 // 4)


class Sqlite(Interpreter):
    ROWS, SIZE = 20000, 1000
    INSERT = (f'INSERT INTO t SELECT zeroblob({SIZE}) FROM (WITH RECURSIVE '
              f'n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < '
              f"{ROWS}) SELECT i FROM n); SELECT writefile('%s/done', '');")

    def session(self, directory):
        folder, ready = self.marker(directory)
        command = ['sqlite3', '-cmd', 'CREATE TABLE t(x);', '-cmd',
                   f"SELECT writefile('{folder}/ready', '');", ':memory:']
        return self.drive(directory, command, self.INSERT % folder,
                          'its rows', ready)

    def test_inserting(self):
        self.assertSameRun(self.session)
        put = self.ROWS * self.SIZE
        self.assertGreaterEqual(self.grown().inuse_space, put)
        self.assertLess(self.grown().inuse_space, put * 3 // 2)
