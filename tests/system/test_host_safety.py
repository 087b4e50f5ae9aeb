"""Hosts in situations that an agent may easily turn into a hang or a crash:
each runs without it and with it, and must print the same and end the same."""

import collections
import os
import shutil

from tests.support import snapshots
from tests.support.servers import (HostTest, Puppet, Server, files, program,
                                   run)


def comments(path):
    return snapshots.load(path).comments


class Hangs(HostTest):
    def test_children_past_fork(self):
        self.run_both([program('bare_clones')], keep=2)

    def test_children_killed_as_they_come(self):
        self.run_both([program('young_children')], exit='always', keep=2)

    def test_a_handler_that_forks_wherever_it_is(self):
        for sample in (0, '512k'):
            for how, children in (('end', 300), ('exec', 50),
                                  ('continue', 50)):
                with self.subTest(sample=sample, how=how):
                    self.snapshots = self.folder(f'{how}-{sample}')
                    self.run_both([program('forking_handler'), how, children],
                                  sample=sample)
                    # Each that came to its end has written, and the parent.
                    found = [path for path in files(self.snapshots,
                                                    command='forking_handler')
                             if comments(path)['reason'] == 'exit']
                    ends = 1 + (children if how == 'continue' else 0)
                    self.assertEqual(len(found), ends)
                    self.check_kept(found, sample)

    def test_a_handler_that_has_libc_fork(self):
        """Or makes the agent's thread end, and begin."""
        for how, times in (('forkpty', 100), ('daemon', 50), ('unshare', 100)):
            with self.subTest(how):
                self.snapshots = self.folder(how)
                self.run_both([program('forking_handler'), how, times])
                self.check_kept([self.only_snapshot().path], 0)

    def test_handlers_of_fork_that_block_signals(self):
        self.run_both([program('fork_handlers')])

    def check_kept(self, paths, sample):
        for path in paths:
            values = snapshots.load(path).through('forking_handler_keep')
            if not sample:
                self.assertEqual(values, (1, 1234, 1, 1234))

    def test_a_thread_stopped_by_a_signal(self):
        self.run_both([program('stopped_world')])

    def test_jumps_out_of_mmap(self):
        self.run_both([program('jumps'), 'map'])

    def test_a_filter_that_ends_the_agents_thread(self):
        self.run_both([program('filtered')])

    def test_a_constructor_that_waits_for_a_thread(self):
        self.run_both([program('loads'), program('libwaiting.so')])

    def test_fork_while_another_looks_at_what_is_loaded(self):
        # So that every thread's start allocates in the loader.
        self.run_both([program('slow_loader')], extra={
            'GLIBC_TUNABLES': 'glibc.pthread.stack_cache_size=0'})


class Namespaces(HostTest):
    def test_those_for_processes_with_one_thread(self):
        done = self.run_both([program('namespaces')])
        self.assertIn('unshare user: ok', done.stdout)
        self.assertIn('unshare user with two threads: Invalid', done.stdout)
        # Of the process that entered them: tracking went on meanwhile.
        kept = [snapshots.load(path).through('keep_one')
                for path in files(self.snapshots)]
        self.assertIn((10, 10000, 10, 10000), kept)

    def test_what_the_parent_of_a_process_namespace_had(self):
        """It can have no thread afterwards: what it had is written before."""
        run(['unshare', '-Urpf', 'true'], self.snapshots, exit='always')
        written = [comments(path)['reason'] for path in
                   files(self.snapshots, command='unshare')]
        # A child that takes a while until it executes writes one, too.
        self.assertEqual([reason for reason in written if reason != 'exec'],
                         ['unshare'])


class Descriptors(HostTest):
    CLOSE_RANGE, UNSHARE = 436, 272  # system calls on x86_64

    def closing(self, *before, **options):
        done = self.run_both([*before, program('closing'), 400],
                             only='closing', interval='1ms', keep=2, **options)
        self.assertEqual(done, (0, 'first: 3\nstdout closes\n', ''))
        return files(self.snapshots)

    def test_a_host_that_closes_all_of_them(self):
        last = snapshots.load(self.closing()[-1])
        self.assertGreater(int(last.comments['sequence']), 19)
        self.assertEqual(last.comments['drops'], '0')

    def calls_on_descriptors(self, directory):
        """{thread: [system call]} of a host that closes all of them, once it
        has begun; the agent's thread under that name."""
        trace = self.directory / 'trace'
        done = run(['strace', '-f', '-qq', '-o', trace, '-e',
                    'trace=desc,memfd_create,close_range,prctl',
                    program('closing'), 20], directory, only='closing',
                   interval='1ms', keep=2)
        self.assertEqual((done.status, done.stderr), (0, ''))
        calls, agent, begun = collections.defaultdict(list), None, False
        for line in trace.read_text().splitlines():
            thread, call = line.split(maxsplit=1)
            if 'PR_SET_NAME, "leakagent"' in call:
                agent = thread
            begun = begun or '"/dev/null"' in call
            if (call[0].isalpha() and 'MAP_ANONYMOUS' not in call and
                    (begun or thread == agent)):
                calls[thread].append(call)
        calls['agent'] = calls.pop(agent, [])
        return calls

    def test_none_is_touched_but_by_the_host(self):
        plain = self.calls_on_descriptors(None)
        self.assertEqual(plain.pop('agent'), [])
        watched = self.calls_on_descriptors(self.snapshots)
        ours = watched.pop('agent')
        self.assertRegex(ours[1], r'close_range\(0, \d+, CLOSE_RANGE_UNSHARE')
        self.assertTrue(any('O_TMPFILE' in call for call in ours[2:]), ours)
        # The host's threads make no other calls than they always make.
        kinds = [{call.split('(')[0] for calls in run_.values()
                  for call in calls} for run_ in (plain, watched)]
        self.assertEqual(*kinds)

    def test_without_close_range(self):
        self.assertTrue(self.closing(program('refused'), self.CLOSE_RANGE))

    def test_where_they_must_be_shared(self):
        """The agent opens nothing then, and says so."""
        command = [program('refused'), f'{self.CLOSE_RANGE},{self.UNSHARE}',
                   program('closing'), 100]
        done = run(command, self.snapshots, only='closing', interval='1ms')
        self.assertEqual(done._replace(stderr=''), run(command))
        self.assertRegex(done.stderr, r'\Aleakagent: closing: no snapshots: '
                                      r'.*refused.*\n\Z')
        self.assertEqual(files(self.snapshots), [])


class Memory(HostTest):
    def test_jumps_out_of_a_snapshot(self):
        self.run_both([program('jumps'), 'snapshot'])

    def test_a_stack_of_unknown_end(self):
        self.run_both([program('other_stack')])

    def test_plugins_with_operators_of_their_own(self):
        copy = self.directory / 'copy.so'
        shutil.copy(program('libown_new.so'), copy)
        done = self.run_both([program('own_operators'),
                              program('libown_new.so'), copy])
        self.assertEqual(done.stdout, 'its own\n' * 4)

    def test_operators_of_a_plugin_that_brings_the_runtime(self):
        done = self.run_both([program('own_operators'),
                              program('libown_runtime.so')])
        self.assertEqual(done.stdout, 'its own\n')

    def test_operators_of_libraries_that_others_need(self):
        """A host in C loads a library that needs another one in C++, whose
        constructors use new and delete."""
        script = ('import ctypes\n'
                  'ctypes.CDLL("libprotoc.so.32")\n'
                  'print("loaded")')
        done = self.run_both(['/usr/bin/python3', '-c', script])
        self.assertEqual(done.stdout, 'loaded\n')


class Files(HostTest):
    def test_privileges_that_are_given_up_meanwhile(self):
        done = self.run_both([program('privileges'), 20], exit='off')
        self.assertEqual((done.status, done.stdout), (0, ''))

    def moved(self, *how, mode=0o777):
        """The snapshots of a host that goes elsewhere and has children, and
        what was said about those that there could be none of."""
        self.snapshots = self.folder('-'.join([how[0], f'{mode:o}']))
        self.snapshots.chmod(mode)
        command = [program('moved'), *how]
        done = run(command, self.snapshots)
        self.assertEqual(done._replace(stderr=''), run(command))
        found = [snapshots.load(path) for path in files(self.snapshots)]
        for snapshot in found:
            ours = snapshot.through('moved_keep').inuse_objects
            self.assertEqual(ours, 1 if snapshot is found[0] else 2)
        return found, done.stderr.splitlines()

    def test_another_root(self):
        """The process itself writes on; its children cannot, and say so."""
        found, said = self.moved('root', self.folder('jail'))
        self.assertEqual(len(found), 1)
        self.assertEqual(len(said), 3)
        for line in said:
            self.assertRegex(line, r'\Aleakagent: moved \(pid \d+\): no '
                                   rf'snapshot in {self.snapshots}: .*chroot')

    def test_another_user(self):
        for how in ('user', 'user-later'):
            with self.subTest(how):
                found, said = self.moved(how)
                self.assertEqual((len(found), said), (4, []))

    def test_another_user_who_may_not_write_there(self):
        for how, written in (('user', 0), ('user-later', 1)):
            with self.subTest(how):
                found, said = self.moved(how, mode=0o755)
                self.assertEqual((len(found), len(said)),
                                 (written, 4 - written))
                for line in said:
                    self.assertIn('Permission denied', line)

    def test_files_of_others_cost_none_of_ours(self):
        with Puppet(self.snapshots, dir_limit='200k') as puppet:
            puppet.obey('alloc 1000')
            for _ in range(4):
                puppet.snapshot()
            ours = files(self.snapshots)
            others = self.snapshots / 'other.pb.gz'
            others.write_bytes(bytes(300000))
            with self.assertRaises(AssertionError):
                puppet.request()
            self.assertEqual(files(self.snapshots), ours)
            others.unlink()
            puppet.snapshot()
            self.assertEqual(len(files(self.snapshots)), 5)

    def test_one_snapshot_for_one_growth(self):
        def growths():
            return [comments(path)['reason']
                    for path in files(self.snapshots)].count('growth')
        with Server([program('grows')], self.snapshots, growth='200000000',
                    keep=0) as host:
            host.wait_output('grown')
            host.wait_for(growths, 'a snapshot')
            host.process.stdin.close()
            self.assertEqual(host.stop(None), (0, 'grown\n', ''))
        self.assertLessEqual(growths(), 20)

    def test_the_folder_of_the_start_is_let_go(self):
        """Hosts change to / so that file systems can be unmounted."""
        start = self.folder('start')
        script = ('import os\n'
                  'os.chdir("/")\n'
                  'print("gone", flush=True)\n'
                  'input()')
        with Server(['/usr/bin/python3', '-c', script], self.snapshots,
                    cwd=start) as server:
            server.wait_output('gone')
            server.snapshot()
            for task in os.listdir(f'/proc/{server.pid}/task'):
                folder = os.readlink(f'/proc/{server.pid}/task/{task}/cwd')
                self.assertNotEqual(folder, str(start))
