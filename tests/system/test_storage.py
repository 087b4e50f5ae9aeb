"""The folder of snapshots in trouble: the host goes on, what it does is
tracked, its standard error has one line about it, and once the trouble is over
snapshots are written again."""

import errno
import os
import pathlib
import shutil
import subprocess

from tests.support import snapshots
from tests.support.servers import (AGENT, HostTest, Puppet, ROOT, Server,
                                   files, leakagent, program, run)

# A file system of so many bytes in $1, in a name space of its own; without
# /proc, nameless files cannot be given a name: they have one from the start.
MOUNT = 'mount -t tmpfs -o size=$0 tmpfs "$1" && shift && exec "$@"'
WITHOUT_PROC = 'mount -t tmpfs tmpfs /proc && ' + MOUNT


def unshared():
    """A mount name space of its own; for others than root, as its root."""
    unshare = ['unshare', '-m' if os.geteuid() == 0 else '-rm']
    if run([*unshare, 'true']).status:  # in a chroot
        unshare += ['--propagation', 'unchanged']
    return unshare


class Confined(Puppet):
    """A puppet whose folder is a file system of its own."""

    def __init__(self, directory, script=MOUNT, size='64k', **options):
        Server.__init__(self, [*unshared(), '/bin/sh', '-c', script, size,
                               directory, program('puppet')],
                        directory, only='puppet', **options)
        self.commands = 0
        self.obey('alloc 1')
        self.inside = pathlib.Path(f'/proc/{self.pid}/root{directory}')

    def mount(self, *options):
        user = [] if os.geteuid() == 0 else ['-U', '--preserve-credentials']
        subprocess.run(['nsenter', '-t', str(self.pid), '-m', *user, 'mount',
                        '-o', ','.join(['remount', *options]),
                        self.directory], check=True)


class Storage(HostTest):
    def snapshot(self, puppet, size):
        """One more block, and an attempt at a snapshot."""
        puppet.obey(f'alloc {size}')
        puppet.obey('snapshot a')

    def assertSaidOnce(self, puppet, problem):
        said = puppet.read(puppet.errors)
        self.assertRegex(said, rf'^leakagent: puppet \(pid {puppet.pid}\): no '
                         rf'snapshot in {self.snapshots}: {problem}; [^\n]*\n$')

    def assertOver(self, puppet, folder, numbers, total):
        """These are the snapshots there are, nothing is half, and the last has
        all that was ever allocated."""
        found = files(folder)
        self.assertEqual(
            [int(snapshots.NAME.fullmatch(path.name)['sequence'])
             for path in found], numbers)
        self.assertEqual(sorted(found), sorted(
            path for path in folder.iterdir() if path.name != 'filler'))
        loaded = [snapshots.load(path) for path in found]
        self.assertEqual(loaded[-1].through('puppet_alloc').inuse_space, total)
        puppet.process.stdin.close()
        self.assertEqual(puppet.stop(None).status, 0)

    def fill(self, folder):
        with open(folder / 'filler', 'wb', buffering=0) as filler:
            try:
                while filler.write(b'x' * 4096):
                    pass
            except OSError:
                pass

    def check_full(self, **options):
        with Confined(self.snapshots, exit='off', **options) as puppet:
            self.snapshot(puppet, 1000)
            self.fill(puppet.inside)
            self.snapshot(puppet, 20000)
            self.snapshot(puppet, 300000)
            self.assertSaidOnce(puppet, 'No space left on device')
            if 'script' not in options:
                self.assertIn('No space left on device',
                              leakagent('status', puppet.pid))
            (puppet.inside / 'filler').unlink()
            self.snapshot(puppet, 4000000)
            self.assertSaidOnce(puppet, 'No space left on device')
            self.assertOver(puppet, puppet.inside, [1, 2], 4321001)

    def test_full(self):
        self.check_full()

    def test_full_without_nameless_files(self):
        self.check_full(script=WITHOUT_PROC)

    def test_full_in_the_middle(self):
        """Of a snapshot of more bytes than there are, none stays."""
        directory = self.folder('large')
        with Confined(directory, size='8k', exit='off') as puppet:
            for _ in range(3):
                self.snapshot(puppet, 1000)
            found = files(puppet.inside)
            self.assertGreater(len(found), 0)
            for path in found:
                snapshots.load(path)
            self.assertEqual(sorted(puppet.inside.iterdir()), sorted(found))

    def test_read_only(self):
        with Confined(self.snapshots, exit='off') as puppet:
            self.snapshot(puppet, 1000)
            puppet.mount('ro')
            self.snapshot(puppet, 20000)
            self.assertSaidOnce(puppet, 'Read-only file system')
            puppet.mount('rw')
            self.snapshot(puppet, 300000)
            self.assertOver(puppet, puppet.inside, [1, 2], 321001)

    def test_vanished(self):
        with Puppet(self.snapshots, exit='off') as puppet:
            self.snapshot(puppet, 1000)
            shutil.rmtree(self.snapshots)
            self.snapshot(puppet, 20000)
            self.snapshot(puppet, 300000)
            self.assertSaidOnce(puppet, 'No such file or directory')
            self.snapshots.mkdir()
            self.snapshot(puppet, 4000000)
            self.assertOver(puppet, self.snapshots, [2], 4321000)

    def test_replaced(self):
        """As when a folder is put aside, and another one begun."""
        with Puppet(self.snapshots, exit='off') as puppet:
            self.snapshot(puppet, 1000)
            aside = self.snapshots.rename(self.directory / 'aside')
            self.snapshot(puppet, 20000)  # where else?
            self.snapshots.mkdir()
            self.snapshot(puppet, 300000)
            self.assertEqual(puppet.read(puppet.errors), '')
            self.assertEqual(len(files(aside)), 2)
            self.assertOver(puppet, self.snapshots, [3], 321000)

    def test_rights_that_are_taken_away(self):
        """Said by whoever it happens to, and nothing of root's is there."""
        if os.geteuid():
            owner = {}
        else:
            shutil.chown(self.snapshots, 65534, 65534)
            shutil.chown(self.directory, 65534, 65534)
            # Who may not look into the checkout, wherever it is.
            owner = {'user': 65534,
                     'path': shutil.copy(program('puppet'), self.directory),
                     'agent': shutil.copy(AGENT, self.directory),
                     'conf': shutil.copy(ROOT / 'conf' / 'leakagent.ini',
                                         self.directory)}
        with Puppet(self.snapshots, exit='off', **owner) as puppet:
            self.snapshot(puppet, 1000)
            self.snapshots.chmod(0o500)
            self.snapshot(puppet, 20000)
            self.snapshot(puppet, 300000)
            self.assertSaidOnce(puppet, 'Permission denied')
            self.snapshots.chmod(0o700)
            self.snapshot(puppet, 4000000)
            self.assertOver(puppet, self.snapshots, [1, 2], 4321000)

    def test_limits_that_come_and_go(self):
        """Of the process, which the agent's thread has in common with it."""
        for limit, problem in (('nofile=0', 'Too many open files'),
                               ('fsize=600', 'File too large'),
                               ('as=1000000', 'Cannot allocate memory')):
            with self.subTest(limit):
                self.snapshots = self.folder(limit)
                with Puppet(self.snapshots, exit='off') as puppet:
                    self.snapshot(puppet, 1000)
                    prlimit = ['prlimit', '--pid', str(puppet.pid)]
                    subprocess.run([*prlimit, f'--{limit}:'], check=True)
                    puppet.obey('snapshot b')
                    puppet.obey('snapshot c')
                    if limit == 'nofile=0':
                        # Nor is there one to say it by.
                        self.assertEqual(puppet.read(puppet.errors), '')
                        self.assertIn(problem,
                                      leakagent('status', puppet.pid))
                    else:
                        self.assertSaidOnce(puppet, problem)
                    name = limit.split('=')[0]
                    most = subprocess.run(
                        [*prlimit, f'--{name}', '-o', 'HARD', '--noheadings'],
                        check=True, text=True, capture_output=True).stdout
                    subprocess.run([*prlimit, f'--{name}={most.strip()}:'],
                                   check=True)
                    self.snapshot(puppet, 300000)
                    self.assertOver(puppet, self.snapshots, [1, 2], 301000)

    def test_standard_error_that_is_now_a_file_of_the_hosts(self):
        """Daemons close it, and open files that get its number."""
        record = self.directory / 'record'
        script = ('import ctypes, os\n'
                  f'os.rmdir("{self.snapshots}")\n'
                  'os.close(2)\n'
                  f'assert os.open("{record}", os.O_RDWR | os.O_CREAT) == 2\n'
                  'print(ctypes.CDLL(None).leakagent_snapshot(b"a"))')
        done = run(['/usr/bin/python3', '-c', script], self.snapshots,
                   exit='off')
        self.assertEqual(done, (0, f'{-errno.ENOENT}\n', ''))
        self.assertEqual(record.read_bytes(), b'')
