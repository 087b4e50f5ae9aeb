"""make install and uninstall: everything usable, and nothing left behind."""

import os
import pathlib
import subprocess

from tests.support.servers import BUILD, DEADLINE, ROOT, HostTest

INSTALLED = {
    'bin/leakagent', 'bin/leakdiff', 'lib/libleakagent.so',
    'libexec/leakagent/leakagent-control', 'share/leakagent/leakdiff-wrappers.conf',
    'share/doc/leakagent/leakagent.ini',
}


def make(*words):
    # What an outer make says in its environment is not for this one.
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith('MAKE') and key != 'MFLAGS'}
    done = subprocess.run(
        ['make', f'BUILD={os.path.relpath(BUILD, ROOT)}', *words], cwd=ROOT,
        text=True, capture_output=True, timeout=DEADLINE, env=environment)
    if done.returncode:
        raise AssertionError(f'make: {done.returncode}: {done.stderr}')
    return done


def files_below(folder):
    return {str(path.relative_to(folder))
            for path in pathlib.Path(folder).rglob('*') if not path.is_dir()}


class StagedTest(HostTest):
    """Below DESTDIR, as a package builder does."""

    def setUp(self):
        super().setUp()
        self.stage = self.folder('stage')
        self.words = [f'DESTDIR={self.stage}', 'PREFIX=/usr']
        make('install', *self.words)

    def test_what_is_installed(self):
        self.assertEqual(files_below(self.stage / 'usr'), INSTALLED)
        self.assertEqual(files_below(self.stage),
                         {f'usr/{name}' for name in INSTALLED})

    def test_it_works_from_there(self):
        usr = self.stage / 'usr'
        done = subprocess.run(
            [str(usr / 'bin' / 'leakagent'), 'run', '--dir',
             str(self.snapshots), '--', 'cat', '/proc/self/maps'],
            text=True, capture_output=True, check=True)
        self.assertIn(str(usr / 'lib' / 'libleakagent.so'), done.stdout)
        done = subprocess.run([str(usr / 'bin' / 'leakdiff'), '--version'],
                              text=True, capture_output=True, check=True)
        self.assertIn('leakdiff', done.stdout)

    def test_uninstall_removes_that_and_no_more(self):
        mine = self.stage / 'usr' / 'share' / 'leakagent' / 'mine'
        mine.write_text('kept')
        make('uninstall', *self.words)
        self.assertEqual(files_below(self.stage), {
            'usr/share/leakagent/mine'})
        self.assertFalse((self.stage / 'usr' / 'libexec' / 'leakagent')
                         .exists())


class OddNamesTest(HostTest):
    """Paths are words for the shell, as they are."""

    def test_below_destdir(self):
        for name in ('with space', "it's", '"', ';exit', '*', '`false`', '-d'):
            with self.subTest(name):
                stage = self.folder(name)
                # What two words would name is somebody else's.
                other = self.directory / 'with'
                other.write_text('kept')
                make('install', f'DESTDIR={stage}', 'PREFIX=/usr')
                self.assertEqual(files_below(stage / 'usr'), INSTALLED)
                make('uninstall', f'DESTDIR={stage}', 'PREFIX=/usr')
                self.assertEqual(files_below(stage), set())
                self.assertEqual(other.read_text(), 'kept')

    def test_what_preload_cannot_name(self):
        prefix = self.folder('with space')
        done = make('install', f'PREFIX={prefix}')
        self.assertIn(f'LD_PRELOAD cannot name {prefix}/lib/libleakagent.so',
                      done.stdout)
        self.assertEqual(files_below(prefix), INSTALLED)


class PrivatePrefixTest(HostTest):
    def test_says_how_to_preload_from_where_the_loader_does_not_look(self):
        done = make('install', f'PREFIX={self.directory}')
        self.assertIn(f'LD_PRELOAD={self.directory}/lib/libleakagent.so',
                      done.stdout)


class LoaderTest(HostTest):
    """LD_PRELOAD=libleakagent.so, as written, where the loader looks."""

    def test_the_bare_name_is_found(self):
        make('install', f'PREFIX={self.directory}')
        done = subprocess.run(
            ['cat', '/proc/self/maps'], text=True, capture_output=True,
            env={'LD_LIBRARY_PATH': f'{self.directory}/lib',
                 'LD_PRELOAD': 'libleakagent.so',
                 'LEAKAGENT_DIR': str(self.snapshots)})
        self.assertIn(f'{self.directory}/lib/libleakagent.so', done.stdout)
        self.assertEqual(done.stderr, '')

    def refresh(self, user_id, listed):
        """scripts/refresh-loader with stand-ins for id and ldconfig."""
        stand_ins = self.folder('bin')
        for name, body in (
                ('id', f'echo {user_id}'),
                ('ldconfig', f'echo "$1" >>{self.directory}/calls\n'
                 f'echo "libleakagent.so (libc6,x86-64) => {listed}"')):
            (stand_ins / name).write_text(f'#!/bin/sh\n{body}\n')
            (stand_ins / name).chmod(0o755)
        library = self.folder('lib') / 'libleakagent.so'
        library.touch()
        done = subprocess.run(
            [str(ROOT / 'scripts' / 'refresh-loader'), str(library.parent)],
            env={'PATH': f'{stand_ins}:{os.environ["PATH"]}'}, text=True,
            capture_output=True, check=True)
        return (self.directory / 'calls').read_text(), done.stdout

    def test_root_refreshes_the_cache(self):
        calls, said = self.refresh(0, f'{self.directory}/lib/libleakagent.so')
        self.assertEqual(calls, '\n-p\n')
        self.assertNotIn('The loader does not search', said)

    def test_others_are_told_what_to_do(self):
        calls, said = self.refresh(1000, '/elsewhere/libleakagent.so')
        self.assertEqual(calls, '-p\n')
        self.assertIn(f'LD_PRELOAD={self.directory}/lib/libleakagent.so', said)
