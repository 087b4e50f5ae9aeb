"""Programs that gain rights by being started: the agent does nothing there,
whatever its options say. And who may read, trigger and misplace snapshots:
nobody but their owner."""

import os
import shutil
import subprocess

from tests.support.servers import (AGENT, ROOT, HostTest, Server, environment,
                                   files, run)

NOBODY = 65534
OTHER = 12345
SOURCE = ROOT / 'tests' / 'programs' / 'privileged.c'

# Snapshots by every way there is, and mistakes that would be told.
OPTIONS = {'exit': 'always', 'interval': '10ms', 'growth': '1000',
           'wrong': '1', 'keep': 'wrong', 'conf': '/nonexistent'}


class PrivilegesTest(HostTest):
    def setUp(self):
        super().setUp()
        self.agent = self.directory / 'libleakagent.so'
        shutil.copy(AGENT, self.agent)
        self.agent.chmod(0o755)

    def as_other(self, command, user=NOBODY, cwd=None, **options):
        done = subprocess.run(
            [str(word) for word in command], text=True, capture_output=True,
            timeout=60, user=user, group=user, extra_groups=[],
            cwd=cwd or self.directory, env=environment(
                self.snapshots, agent=self.agent, **options))
        return done.returncode, done.stdout, done.stderr


class GainedRights(PrivilegesTest):
    """The loader lets nobody preload there. But a program, or a library of
    its, may be linked with the agent; and then it has to see for itself."""

    def build(self, name, *flags):
        path = self.directory / name
        subprocess.run(['gcc', '-pthread', '-o', path, SOURCE, *flags],
                       check=True)
        path.chmod(0o755)
        return path

    def hosts(self):
        """Without and with the agent, which is there from the start."""
        return (self.build('plain'),
                self.build('linked', '-Wl,--no-as-needed', self.agent,
                           f'-Wl,-rpath,{self.directory}'))

    def run_linked(self, path):
        """Not preloaded: what is seen of the agent is that of the link."""
        done = subprocess.run(
            [path], text=True, capture_output=True, timeout=60, user=NOBODY,
            group=NOBODY, extra_groups=[], cwd=self.directory,
            env=environment(self.snapshots, extra={'LD_PRELOAD': ''},
                            **OPTIONS))
        return done.returncode, done.stdout, done.stderr

    def assert_nothing_is_done(self, change):
        plain, linked = self.hosts()
        for path in (plain, linked):
            change(path)
        expected = self.run_linked(plain)
        self.assertIn('secure 1', expected[1])
        self.assertEqual(self.run_linked(linked), expected)
        self.assertEqual(list(self.snapshots.iterdir()), [])

    def test_without_rights_it_works(self):
        _, linked = self.hosts()
        status, said, errors = self.run_linked(linked)
        self.assertEqual(status, 7)
        self.assertIn('secure 0', said)
        self.assertIn('wrong', errors)
        self.assertTrue(files(self.snapshots, command='linked'))

    def test_setuid(self):
        self.assert_nothing_is_done(lambda path: path.chmod(0o4755))

    def test_setuid_to_another_user(self):
        def change(path):
            os.chown(path, OTHER, OTHER)
            path.chmod(0o4755)
        self.assert_nothing_is_done(change)

    def test_setgid(self):
        def change(path):
            os.chown(path, 0, OTHER)
            path.chmod(0o2755)
        self.assert_nothing_is_done(change)

    def test_capabilities(self):
        self.assert_nothing_is_done(lambda path: subprocess.run(
            ['setcap', 'cap_net_raw+ep', path], check=True))


class OthersFiles(PrivilegesTest):
    """What another user puts where everybody may."""

    def setUp(self):
        super().setUp()
        self.public = self.folder('public')
        self.public.chmod(0o1777)
        self.target = self.folder('target')
        self.spare = self.folder('spare')

    def link(self, name, owner):
        path = self.public / name
        path.symlink_to(self.target)
        os.chown(path, owner, owner, follow_symlinks=False)
        return path

    def run_into(self, folder, command='/bin/true', **options):
        return run([command], folder, extra={'TMPDIR': str(self.spare)},
                   **options)

    def test_a_link_of_theirs(self):
        folder = self.link('link', OTHER)
        done = self.run_into(folder)
        self.assertEqual(
            (done.status, done.stdout, done.stderr),
            (0, '', f"leakagent: {folder}: leads through another user's link: "
             f'snapshots go to {self.spare}; set LEAKAGENT_DIR to choose a '
             'folder\n'))
        self.assertEqual(list(self.target.iterdir()), [])
        self.assertEqual(len(files(self.spare)), 1)

    def test_links_of_ones_own(self):
        done = self.run_into(self.link('link', os.geteuid()))
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertEqual(len(files(self.target)), 1)

    def test_a_link_in_place_of_the_folder(self):
        """Put there while the program runs: a child opens the folder anew."""
        folder = self.public / 'folder'
        folder.mkdir()
        os.chown(folder, OTHER, OTHER)
        script = ('import os, sys\n'
                  f'os.rename("{folder}", "{folder}.away")\n'
                  f'os.symlink("{self.target}", "{folder}")\n'
                  f'os.lchown("{folder}", {OTHER}, {OTHER})\n'
                  'if os.fork() == 0: sys.exit()\n'
                  'os.wait()\n')
        done = run(['/usr/bin/python3', '-c', script], folder)
        self.assertEqual(done.status, 0)
        self.assertRegex(done.stderr, r'\Aleakagent: python\S+ \(pid \d+\): no '
                         rf'snapshot in {folder}: Too many levels of symbolic '
                         r'links; [^\n]*\n\Z')
        self.assertEqual(list(self.target.iterdir()), [])
        self.assertEqual(len(files(f'{folder}.away')), 1)

    def test_a_folder_of_theirs(self):
        """They may throw files away there, but not read them."""
        folder = self.public / 'folder'
        folder.mkdir()
        os.chown(folder, OTHER, OTHER)
        done = self.run_into(folder)
        self.assertEqual((done.status, done.stderr), (0, ''))
        path, = files(folder)
        self.assertEqual(path.stat().st_uid, os.geteuid())
        reading = subprocess.run(['cat', path], user=OTHER, group=OTHER,
                                 extra_groups=[], capture_output=True)
        self.assertIn(b'Permission denied', reading.stderr)

    def test_temporaries_of_theirs(self):
        """Named like those of a dead writer of ours."""
        name = 'true.4190000.20200101T000000000Z.{}.pb.gz.tmp'
        precious = self.target / 'precious'
        precious.write_text('precious')
        link, pipe, folder, file, second = (self.public / name.format(n)
                                            for n in range(1, 6))
        link.symlink_to(precious)
        # Where the kernel lets them: a second name for a file of ours.
        ours = self.target / 'ours'
        ours.write_text('ours')
        second.hardlink_to(ours)
        os.mkfifo(pipe)
        folder.mkdir()
        file.write_text('theirs')
        for path in (link, pipe, folder, file):
            os.chown(path, OTHER, OTHER, follow_symlinks=False)
        done = self.run_into(self.public)
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertEqual(precious.read_text(), 'precious')
        self.assertEqual(file.read_text(), 'theirs')
        self.assertEqual(ours.read_text(), 'ours')
        for path in (link, pipe, folder, file):
            self.assertTrue(path.exists(), path)
        self.assertEqual(len(files(self.public)), 1)

    def test_whatever_the_umask(self):
        for mask in (0, 0o777):
            folder = self.folder(f'umask{mask:o}')
            script = f'import os; os.umask({mask})'
            run(['/usr/bin/python3', '-c', script], folder)
            path, = files(folder)
            self.assertEqual(path.stat().st_mode & 0o7777, 0o600)


class OthersRequests(PrivilegesTest):
    """The channel of `leakagent snapshot` is open to one user and root."""

    SCRIPT = ('import os, time\n'
              'os.setgid(12345); os.setuid(12345)\n'
              'print("up", flush=True)\n'
              'input()')

    def pages(self, pid):
        """As a stranger would try: every descriptor of every thread."""
        script = (f'import glob, os\n'
                  f'for path in glob.glob("/proc/{pid}/task/*/fd/*") + '
                  f'["/proc/{pid}/task", "/proc/{pid}/mem", '
                  f'"/proc/{pid}/maps"]:\n'
                  '    for flags in (os.O_RDONLY, os.O_RDWR):\n'
                  '        try: print(path, os.open(path, flags))\n'
                  '        except OSError: pass\n')
        done = subprocess.run(['/usr/bin/python3', '-c', script], text=True,
                              user=NOBODY, group=NOBODY, extra_groups=[],
                              capture_output=True, timeout=60)
        self.assertEqual(done.stderr, '')
        return [line for line in done.stdout.splitlines()
                if not line.startswith(f'/proc/{pid}/task ')]

    def test_a_stranger_sees_nothing(self):
        for script in ('input()', self.SCRIPT):
            with self.subTest(script), Server(
                    ['/usr/bin/python3', '-c', f'print("up", flush=True)\n'
                     + script], self.snapshots, agent=self.agent) as host:
                host.wait_output('up')
                host.request()
                self.assertEqual(self.pages(host.pid), [])


if os.geteuid():  # only root can make what is another user's
    del GainedRights, OthersFiles, OthersRequests
