"""Programs and plugins that are built, found and loaded in unusual ways."""

import os
import shutil
import subprocess

from tests.support import figures, snapshots, verified
from tests.support.servers import (ROOT, HostTest, Server, files, leakagent,
                                   leakdiff_json, program)

SOURCES = ROOT / 'tests' / 'programs'


class Loading(HostTest):
    def build(self, compiler, source, *flags):
        path = self.directory / source.partition('.')[0]
        subprocess.run([compiler, '-g', '-O1', '-pthread', f'-I{ROOT}', '-o',
                        str(path), str(SOURCES / source), *flags], check=True)
        return path

    def stacks_of(self, snapshot, function):
        """Of each of its samples, the functions and files, leaf first."""
        return [[(frame.function, os.path.basename(frame.file or ''))
                 for frame in sample.stack]
                for sample in snapshot.samples
                if any(frame.function == function for frame in sample.stack)]


class Plugins(Loading):
    def test_plugins_that_find_libc_first(self):
        """What they allocate passes the agent by; the program's is all there,
        and so are its stacks through them."""
        self.run_both([program('guests'), 'deepbind',
                       program('libguest.so')])
        snapshot = self.only_snapshot()
        self.assertEqual(snapshot.through('called_back', 'heap'),
                         (200, 12000, 100, 5000))
        self.assertEqual(snapshot.through('guest_allocate'),
                         snapshots.NOTHING)
        for stack in self.stacks_of(snapshot, 'called_back'):
            self.assertIn(('guest_call', 'libguest.so'), stack)
            self.assertIn(('main', 'guests'), stack)

    def test_plugins_in_a_namespace_of_their_own(self):
        """With a libc of their own. What they call back is the program's."""
        self.run_both([program('guests'), 'dlmopen', program('libguest.so')])
        snapshot = self.only_snapshot()
        self.assertEqual(snapshot.through('called_back', 'heap'),
                         (200, 12000, 100, 5000))
        for stack in self.stacks_of(snapshot, 'called_back'):
            self.assertIn(('guest_call', 'libguest.so'), stack)
            self.assertIn(('main', 'guests'), stack)

    def test_paths_that_only_an_object_of_its_own_has(self):
        """The plugin's dlopen finds what it found; its own path, which was
        relative, stays what it was when the program has gone elsewhere."""
        folder = self.folder('plugins')
        for name in ('libguest.so', 'librunpath.so'):
            shutil.copy(program(name), folder)
        (folder / 'below').mkdir()
        shutil.copy(program('libbelow.so'), folder / 'below')
        done = self.run_both([program('wanderer'), folder])
        self.assertEqual(done.stdout, '42\n')
        snapshot = self.only_snapshot()
        self.assertEqual(snapshot.through('called_back', 'heap')[2:],
                         (2, 100))
        found = {frame.file for sample in snapshot.samples
                 for frame in sample.stack if frame.function == 'guest_call'}
        self.assertEqual(found, {str(folder / 'libguest.so')})

    def test_loaded_and_unloaded_ten_thousand_times(self):
        """At one address, each time with other code."""
        rounds = 100 if verified.ON else 5000
        done = self.run_both([program('reloads'), program('libreload_one.so'),
                              program('libreload_two.so'), rounds])
        self.assertEqual(done.stdout, 'same address\n')
        snapshot = snapshots.load(files(self.snapshots)[-1])
        for name, size in (('reload_one', 10), ('reload_two', 20)):
            self.assertEqual(snapshot.through(name, 'heap'),
                             (2 * rounds, 2 * rounds * size,
                              rounds, rounds * size))
        self.assertEqual(snapshot.comments['drops'], '0')
        figures.count('libraries loaded and unloaded', 2 * rounds)


class Programs(Loading):
    def test_without_symbols(self):
        stripped = self.build('gcc', 'puppet.c', '-s')
        self.run_both([stripped], stdin='alloc 1000\nmap 40960\n')
        snapshot = self.only_snapshot()
        self.assertEqual(snapshot.total('heap')[2:], (1, 1000))
        self.assertEqual(snapshot.total('mmap')[2:], (1, 40960))
        report = leakdiff_json(snapshot.path)
        self.assertEqual(report['rows'][0]['callsite']['module'],
                         str(stripped))

    def test_without_its_environment(self):
        self.run_both([program('bare_environment')])
        kept = sorted(snapshots.load(path).through('keep', 'heap')[2:]
                      for path in files(self.snapshots))
        self.assertEqual(kept, [(2, 300), (3, 600)])

    def test_status_tells_of_a_malloc_of_its_own(self):
        with Server([program('own_malloc')], self.snapshots) as server:
            server.wait_output('works')
            server.request()
            status = leakagent('status', server.pid)
        self.assertRegex(status, r'allocator .*/own_malloc \(heap not tracked')


class Exceptions(Loading):
    ROUNDS = 1000 if verified.ON else 100000

    def check_exceptions(self, path):
        self.run_both([path, self.ROUNDS])
        snapshot = self.only_snapshot()
        # What is destroyed on the way, caught at once, and thrown again.
        destroyed = sum(i % 20 + 1 for i in range(self.ROUNDS))
        caught = len(range(0, self.ROUNDS, 3))
        rethrown = len(range(1, self.ROUNDS, 3))
        self.assertEqual(snapshot.through('_ZL4keepm', 'heap')[2:],
                         (destroyed + caught + 2 * rethrown,
                          11 * destroyed + 33 * caught +
                          (22 + 44) * rethrown))
        self.assertEqual(snapshot.comments['drops'], '0')
        figures.count('C++ exceptions through the hooks', caught + rethrown)

    def test_the_runtimes_unwinder(self):
        self.check_exceptions(program('exceptions'))

    def test_an_unwinder_of_its_own(self):
        """Exported, too, so that it comes before libgcc's and libunwind's."""
        self.check_exceptions(self.build(
            'g++', 'exceptions.cc', '-static-libgcc', '-static-libstdc++',
            '-rdynamic'))
