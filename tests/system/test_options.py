"""The options, from the file and the environment: each does what the manual,
conf/leakagent.ini, says, and a wrong one is named and does no harm."""

import os
import pathlib
import re

from tests.support import snapshots
from tests.support.servers import (ROOT, HostTest, Puppet, files, program,
                                   run)

MANUAL = ROOT / 'conf' / 'leakagent.ini'


class File(HostTest):
    def run_with(self, text, stdin='alloc 5\n', **options):
        self.conf = self.directory / 'test.ini'
        self.conf.write_text(text)
        return run([program('puppet')], self.snapshots, conf=self.conf,
                   stdin=stdin, **options)

    def assertFine(self, done):
        self.assertEqual((done.status, done.stdout, done.stderr),
                         (0, 'done alloc 5\n', ''))

    def test_the_manual_is_valid_and_changes_nothing(self):
        self.assertFine(self.run_with(MANUAL.read_text()))
        self.assertEqual(len(files(self.snapshots)), 1)

    def test_every_key_of_the_manual_can_be_set(self):
        text = re.sub(r'(?m)^[#;]\s?([a-z_]+ *=)', r'\1', MANUAL.read_text())
        keys = re.findall(r'(?m)^([a-z_]+) *=', text)
        for key in ('dir', 'interval', 'signal', 'growth', 'exit', 'keep',
                    'dir_limit', 'depth', 'only', 'children', 'start'):
            self.assertIn(key, keys)

    def test_the_file_counts(self):
        self.assertFine(self.run_with('exit = off\n'))
        self.assertEqual(files(self.snapshots), [])

    def test_the_environment_wins(self):
        self.assertFine(self.run_with('exit = off\n', exit='on'))
        self.assertEqual(len(files(self.snapshots)), 1)

    def test_switches(self):
        for word, written in (('on', 1), ('1', 1), ('off', 0), ('0', 0)):
            with self.subTest(word):
                self.snapshots = self.folder(word)
                self.assertFine(self.run_with(f'exit = {word}\n'))
                self.assertEqual(len(files(self.snapshots)), written)

    def test_units_and_names(self):
        for key, values in (
                ('interval', ('0', '7', '250ms', '30s', '5m', '2h')),
                ('growth', ('0', '4096', '512k', '64M', '2G')),
                ('dir_limit', ('10M', '1G')), ('depth', ('1', '256')),
                ('signal', ('off', '12', 'USR2', 'SIGUSR2', 'RTMIN+3')),
                ('exit', ('on', 'off', 'always')), ('start', ('0', '1ms')),
                ('keep', ('2', '1000')), ('only', ('puppet', 'a, puppet'))):
            for value in values:
                with self.subTest(key=key, value=value):
                    self.assertFine(self.run_with(
                        f'[leakagent]\n# a comment\n{key} = {value}\n',
                        **{key: None}))

    def test_the_file_of_the_machine(self):
        """/etc/leakagent.ini, seen in a mount namespace that has another
        /etc; what LEAKAGENT_CONF names comes instead of it."""
        etc = self.folder('etc')
        (etc / 'leakagent.ini').write_text('exit = off\n')
        unshare = ['unshare', '-m' if os.geteuid() == 0 else '-rm']
        if run([*unshare, 'true']).status:  # in a chroot
            unshare += ['--propagation', 'unchanged']
        command = [*unshare, '/bin/sh', '-c', 'mount --bind "$1" /etc && { '
                   '"$2" return; status=$?; umount /etc; exit $status; }',
                   'sh', etc, program('endings')]
        for conf, written in ((None, 0), (MANUAL, 1)):
            done = run(command, self.snapshots, conf=conf, only='endings')
            self.assertEqual((done.status, done.stderr), (2, ''))
            self.assertEqual(len(files(self.snapshots)), written)

    def assertComplains(self, done, *words):
        """One line, and the host runs on with the default."""
        self.assertEqual((done.status, done.stdout), (0, 'done alloc 5\n'))
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(len(files(self.snapshots)), 1)

    def test_an_unknown_key(self):
        done = self.run_with('depth = 10\ninterwal = 10\n')
        self.assertComplains(done, str(self.conf), '2', 'interwal')

    def test_bad_values(self):
        for key, value, expected in (
                ('depth', '0', '256'), ('depth', '257', '256'),
                ('depth', 'deep', '256'), ('keep', '-1', ''),
                ('growth', '10X', ''), ('interval', '5 parsecs', ''),
                ('interval', '', ''), ('exit', 'sometimes', 'always'),
                ('children', 'maybe', 'off'), ('signal', 'USR3', 'USR2'),
                ('dir_limit', '99999999999999999999', ''),
                ('start', '-1s', '')):
            with self.subTest(key=key, value=value):
                self.snapshots = self.folder(f'{key}-{len(value)}-{value[:2]}')
                done = self.run_with(f'\n\n{key} = {value}\n',
                                     **({'interval': None}
                                        if key == 'interval' else {}))
                self.assertComplains(done, str(self.conf), '3', key, expected)

    def test_a_bad_value_in_the_environment(self):
        done = self.run_with('', depth='deep')
        self.assertComplains(done, 'LEAKAGENT_DEPTH', 'deep', '256')

    def test_a_missing_file(self):
        done = run([program('puppet')], self.snapshots, stdin='alloc 5\n',
                   conf=self.directory / 'none.ini')
        self.assertComplains(done, 'none.ini')


class Directory(HostTest):
    def test_working_directory_is_the_default(self):
        done = run([program('puppet')], self.snapshots, dir=None,
                   cwd=self.snapshots)
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertEqual(len(files(self.snapshots)), 1)

    def test_it_is_the_one_at_start(self):
        done = run(['/usr/bin/python3', '-c', 'import os; os.chdir("/")'],
                   self.snapshots, dir=None, cwd=self.snapshots)
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertEqual(len(files(self.snapshots)), 1)

    def test_not_writable(self):
        other = self.folder('other')
        done = run([program('puppet')], self.snapshots, dir='/proc/none',
                   stdin='snapshot a\nsnapshot b\n',
                   extra={'TMPDIR': str(other)})
        self.assertEqual(done.status, 0)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        self.assertIn('/proc/none', done.stderr)
        self.assertIn(str(other), done.stderr)
        self.assertEqual(len(files(other)), 3)


class Which(HostTest):
    def commands(self):
        return sorted(snapshots.NAME.fullmatch(path.name)['command']
                      for path in files(self.snapshots))

    def test_only(self):
        command = [program('endings'), 'spawn', program('puppet')]
        for only, expected in (('puppet', ['puppet']),
                               ('endings', ['endings']),
                               ('puppet,endings', ['endings', 'puppet']),
                               ('else', [])):
            with self.subTest(only):
                self.snapshots = self.folder(only)
                self.run_both(command, only=only)
                self.assertEqual(self.commands(), expected)

    def test_only_by_the_name_of_a_link(self):
        link = self.folder('links') / 'another-name'
        link.symlink_to(program('puppet'))
        for only, expected in (('another-name', ['puppet']),
                               ('puppet', ['puppet']), ('third', [])):
            with self.subTest(only):
                self.snapshots = self.folder(only)
                self.run_both([link], only=only)
                self.assertEqual(self.commands(), expected)

    def test_children_off(self):
        for how in ('spawn', 'vfork'):
            with self.subTest(how):
                self.snapshots = self.folder(how)
                self.run_both([program('endings'), how, program('puppet')],
                              children='off')
                self.assertEqual(self.commands(), ['endings'])

    def test_children_off_for_forked_ones(self):
        self.run_both([program('forks'), 3], children='off')
        self.assertEqual(len(self.commands()), 1)

    def test_start(self):
        run([program('puppet')], self.snapshots, start='1h',
            stdin='alloc 1000000\n')
        for path in files(self.snapshots):
            snapshot = snapshots.load(path)
            self.assertEqual(snapshot.total(), snapshots.NOTHING)
            self.assertTrue(snapshot.comments['tracking'].startswith('off'))

    def test_start_comes(self):
        with Puppet(self.snapshots, start='100ms') as host:
            def tracked():
                host.obey('alloc 1000')
                return snapshots.load(host.snapshot()).through(
                    'puppet_alloc').inuse_space
            host.wait_for(tracked, 'tracking to start')


class Documentation(HostTest):
    def test_units_and_defaults_are_in_the_manual(self):
        text = pathlib.Path(MANUAL).read_text()
        for word in ('interval = 60', 'signal = USR2', 'keep = 60',
                     'depth = 128', 'dir_limit = 1G'):
            self.assertRegex(text, re.escape(word).replace(r'\ ', ' *'))
