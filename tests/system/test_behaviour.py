"""What the agent does in hosts of all manners, and that they do not notice:
each runs without it and with it, and must print the same and end the same."""

import os
import pathlib
import signal
import subprocess

from tests.support import snapshots
from tests.support.servers import (LEAKDIFF, HostTest, Server, files,
                                   leakdiff_json, program, run)


def reasons(paths):
    return [snapshots.load(path).comments['reason'] for path in paths]


class Host(HostTest):
    def live(self, function, snapshot):
        values = snapshot.through(function, 'heap')
        return values.inuse_objects, values.inuse_space


class Endings(Host):
    def reasons_after(self, *arguments, command='endings', **options):
        name = 'late' if command == 'late' else 'endings'
        self.run_both([program(name), *arguments], **options)
        return reasons(files(self.snapshots, command=command))

    def test_return_from_main(self):
        self.assertEqual(self.reasons_after('return'), ['exit'])
        self.assertEqual(self.live('endings_alloc', self.only_snapshot()),
                         (1, 12345))

    def test_exit(self):
        self.assertEqual(self.reasons_after('exit'), ['exit'])

    def test_exit_off(self):
        self.assertEqual(self.reasons_after('exit', exit='off'), [])

    def test_exit_on_leaves_the_others_alone(self):
        self.assertEqual(self.reasons_after('_exit'), [])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.assertEqual(self.reasons_after(int(number)), [])

    def test_exit_always(self):
        for ending in ('return', 'exit', '_exit', int(signal.SIGTERM),
                       int(signal.SIGINT), int(signal.SIGHUP)):
            with self.subTest(ending):
                self.snapshots = self.folder(f'ending-{ending}')
                self.assertEqual(self.reasons_after(ending, exit='always'),
                                 ['exit'])
                self.assertEqual(
                    self.live('endings_alloc', self.only_snapshot()),
                    (1, 12345))

    def test_a_host_that_handles_the_signal(self):
        with Server([program('demo_server'), 0], self.snapshots,
                    exit='always') as server:
            server.wait_output('listening')
            done = server.stop(signal.SIGTERM)
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertIn('bye', done.stdout)
        self.assertEqual(reasons(files(self.snapshots)), ['exit'])

    def test_a_host_that_ignores_the_signal(self):
        script = ('import os, signal\n'
                  'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
                  'os.kill(os.getpid(), signal.SIGTERM)\n'
                  'print("alive")')
        done = self.run_both(['/usr/bin/python3', '-c', script],
                             exit='always')
        self.assertEqual(done.stdout, 'alive\n')
        self.assertEqual(reasons(files(self.snapshots)), ['exit'])

    def test_python_still_sees_the_keyboard(self):
        script = ('import os, signal, time\n'
                  'try:\n'
                  '    os.kill(os.getpid(), signal.SIGINT)\n'
                  '    time.sleep(60)\n'
                  'except KeyboardInterrupt:\n'
                  '    print("interrupted")')
        for ending in ('on', 'always'):
            with self.subTest(ending):
                done = self.run_both(['/usr/bin/python3', '-c', script],
                                     exit=ending)
                self.assertEqual(done.stdout, 'interrupted\n')

    def test_deadly_signals_still_kill(self):
        self.assertEqual(
            self.reasons_after(int(signal.SIGSEGV), exit='always'), [])

    def test_a_wrapper_that_looks_for_the_next(self):
        """Its first calls are made by dlsym, which it calls for the first."""
        wrapper = [program('libwrapping.so')]
        for place in ('preload_before', 'preload_after'):
            with self.subTest(place):
                self.snapshots = self.folder(place)
                done = run([program('endings'), 'return'], self.snapshots,
                           **{place: wrapper})
                self.assertEqual(done, (2, '', ''))
                snapshot = self.only_snapshot()
                self.assertEqual(self.live('endings_alloc', snapshot),
                                 (1, 12345))

    def test_crashes(self):
        for how, status in (('abort', -signal.SIGABRT), ('report', 9),
                            ('overflow', 9), ('again', -signal.SIGSEGV)):
            for ending in ('on', 'always'):
                with self.subTest(how=how, ending=ending):
                    self.snapshots = self.folder(f'{how}-{ending}')
                    done = self.run_both([program('crashes'), how],
                                         exit=ending)
                    self.assertEqual(done.status, status)
                    if how != 'overflow':
                        # A handler's _exit is one like any other.
                        self.assertEqual(
                            reasons(files(self.snapshots)),
                            ['exit'] if (how, ending) == ('report', 'always')
                            else [])

    def test_crashes_that_are_survived(self):
        self.run_both([program('crashes'), 'return'])
        self.assertEqual(self.live('crashes_keep', self.only_snapshot()),
                         (1000, 50000))

    def test_ends_that_libc_has_two_of(self):
        for ending, expected in (('on', []), ('always', ['exit'])):
            with self.subTest(ending):
                self.snapshots = self.folder(ending)
                self.assertEqual(
                    self.reasons_after('quick_exit', command='late',
                                       exit=ending), expected)

    def test_objects_that_end_late(self):
        """Destructors and handlers allocate where threads and the program end,
        also after the agent's own part in that."""
        for how in ('return', 'exit', 'thread'):
            for sample in (0, '512k'):
                with self.subTest(how=how, sample=sample):
                    self.snapshots = self.folder(f'{how}-{sample}')
                    self.run_both([program('late'), how], sample=sample)
                    snapshot = self.only_snapshot()
                    self.assertEqual(snapshot.comments['reason'], 'exit')
                    if not sample:
                        self.check_late(snapshot, how)

    def check_late(self, snapshot, how):
        self.assertEqual(self.live('late_keep', snapshot), (1, 4321))
        # Nothing that was freed in the very last moments counts as live.
        self.assertEqual(self.live('late_work', snapshot), (0, 0))
        threads = 20 + (how == 'thread')
        kind = snapshot.total('thread')
        self.assertEqual(kind.alloc_objects, threads)

    def test_before_main(self):
        for how, reasons_then in (('fork', ['exit', 'exit']),
                                  ('thread', ['exit']), ('exit', ['exit']),
                                  ('_exit', ['exit']), ('exec', ['exec'])):
            with self.subTest(how):
                self.snapshots = self.folder(how)
                self.run_both([program('beginnings')],
                              extra={'BEGINNING': how}, exit='always')
                found = files(self.snapshots, command='beginnings')
                self.assertEqual(reasons(found), reasons_then)
                kept = (2, 333) if how in ('fork', 'thread') else (1, 111)
                for path in found:
                    self.assertEqual(self.live('beginnings_keep',
                                               snapshots.load(path)), kept)

    def test_functions_that_are_chosen_as_they_are_loaded(self):
        for extra in ({}, {'LD_BIND_NOW': '1'}):
            with self.subTest(extra):
                self.snapshots = self.folder(f'chosen-{len(extra)}')
                self.run_both([program('resolvers')], extra=extra)
                self.assertEqual(self.live('resolvers_keep',
                                           self.only_snapshot()), (1, 777))

    def test_exec(self):
        for how in ('execv', 'execve', 'execvp', 'execvpe', 'execl', 'execlp',
                    'execle', 'fexecve', 'execveat'):
            with self.subTest(how):
                self.snapshots = self.folder(how)
                self.run_both([program('endings'), how, program('endings'),
                               'exit'])
                first, second = files(self.snapshots)
                self.assertEqual(reasons([first, second]), ['exec', 'exit'])
                first, second = snapshots.load(first), snapshots.load(second)
                self.assertEqual(first.comments['pid'],
                                 second.comments['pid'])
                for snapshot in (first, second):
                    self.assertEqual(self.live('endings_alloc', snapshot),
                                     (1, 12345))

    def test_exec_with_exit_off(self):
        self.run_both([program('endings'), 'execve', '/bin/true'], exit='off')
        self.assertEqual(files(self.snapshots), [])

    def test_failing_exec(self):
        self.run_both([program('endings'), 'execvp', '/no/such/program'])
        last = snapshots.load(files(self.snapshots)[-1])
        self.assertEqual(last.comments['reason'], 'exit')
        self.assertEqual(self.live('endings_alloc', last), (1, 12345))
        self.assertEqual(self.live('endings_alloc_more', last), (1, 54321))

    def test_a_shell_that_looks_for_the_program(self):
        """It tries to execute it in each folder: where there is none, nothing
        ends."""
        run(['dash', '-c', 'PATH=/no/such:/nor/such/one:$PATH; exec cat'],
            self.snapshots)
        written = files(self.snapshots, command='dash')
        self.assertEqual(reasons(written), ['exec'])

    def test_exec_in_a_thread(self):
        self.run_both([program('endings'), 'in-thread', program('endings'),
                       'exit'])
        first, second = files(self.snapshots)
        self.assertEqual(reasons([first, second]), ['exec', 'exit'])

    def test_a_child_by_vfork_that_cannot_execute(self):
        """Its memory is its parent's: it ends, and nothing is done for it."""
        self.assertEqual(self.reasons_after('vfork', '/no/such/program',
                                            exit='always'), ['exit'])
        self.assertEqual(self.live('endings_alloc', self.only_snapshot()),
                         (1, 12345))

    def test_a_daemon(self):
        done = self.run_both([program('endings'), 'daemon'])
        self.assertEqual(done.stdout, 'a daemon\n')
        snapshot = self.only_snapshot()
        self.assertEqual(self.live('endings_alloc', snapshot), (1, 12345))
        self.assertEqual(self.live('endings_alloc_more', snapshot),
                         (1, 54321))

    def test_spawned_children(self):
        for how in ('spawn', 'vfork', 'system', 'popen'):
            with self.subTest(how):
                self.snapshots = self.folder(how)
                self.assertEqual(
                    self.reasons_after(how, program('puppet'),
                                       command='puppet'), ['exit'])
                self.assertEqual(
                    reasons(files(self.snapshots, command='endings')),
                    ['exit'])


class Processes(Host):
    def test_children_write_under_their_own_pid(self):
        self.run_both([program('forks'), 20])
        found = [snapshots.load(path) for path in files(self.snapshots)]
        self.assertEqual(len(found), 21)
        self.assertEqual(len({s.comments['pid'] for s in found}), 21)
        for snapshot in found:
            name = snapshots.NAME.fullmatch(pathlib.Path(snapshot.path).name)
            self.assertEqual(name['pid'], snapshot.comments['pid'])
        kept = sorted(self.live('forks_keep', snapshot) for snapshot in found)
        self.assertEqual(kept, [(n, 1000 * n) for n in range(1, 21)] +
                         [(100, 100000)])
        parents = {s.comments['ppid'] for s in found
                   if self.live('forks_keep', s)[0] != 100}
        self.assertEqual(parents, {s.comments['pid'] for s in found
                                   if self.live('forks_keep', s)[0] == 100})

    def test_the_first_process_of_a_namespace(self):
        """Of process ids: it is number 1 there, and not outside."""
        first = ['unshare', '--pid', '--fork', '--kill-child']
        for more in ([], ['--mount-proc']):
            with self.subTest(more):
                self.snapshots = self.folder(f'namespace-{len(more)}')
                self.run_both([*first, *more, program('forks'), 3],
                              only='forks')
                found = [snapshots.load(path)
                         for path in files(self.snapshots)]
                self.assertEqual(sorted(int(s.comments['pid'])
                                        for s in found)[0], 1)
                self.assertEqual(len({s.comments['pid'] for s in found}), 4)
                self.assertEqual(sorted(self.live('forks_keep', s)[0]
                                        for s in found), [1, 2, 3, 100])

    def test_nothing_allocated(self):
        self.run_both([program('silent')])
        snapshot = self.only_snapshot()
        self.assertEqual(snapshot.total('mmap'), snapshots.NOTHING)
        self.assertEqual(snapshot.total('thread'), snapshots.NOTHING)
        self.assertEqual(snapshot.total('heap').inuse_space, 0)
        self.assertEqual(snapshot.mappings[0].file, program('silent'))

    def test_habits_of_hosts(self):
        self.run_both([program('habits')])
        found = files(self.snapshots, command='habits')
        self.assertEqual(reasons(found), ['call:one', 'call:two', 'exit'])

    def test_little_stack(self):
        self.run_both([program('small_stacks')])
        taken = list(map(snapshots.load, files(self.snapshots)))
        self.assertEqual([snapshot.comments['reason'] for snapshot in taken],
                         ['call:from a small stack'] * 11 + ['exit'])
        self.assertEqual(taken[-1].comments['drops'], '0')
        self.assertEqual(self.live('keep', taken[-1]), (12, 1200))

    def test_an_operator_new_of_its_own(self):
        self.run_both([program('own_new')])
        values = self.only_snapshot().through('make_objects')
        self.assertEqual(values, (100, 64000, 60, 38400))

    def test_an_allocator_before_the_agent(self):
        """So it is, too, where a program has its allocator linked in: then
        only mappings and threads are seen, and nothing is harmed."""
        for allocator in ('libjemalloc.so.2', 'libtcmalloc_minimal.so.4',
                          'libmimalloc.so.2'):
            with self.subTest(allocator):
                self.snapshots = self.folder(allocator)
                done = run([program('ledger'), 1, 5000, 'foreign'],
                           self.snapshots, preload_before=[allocator])
                self.assertEqual((done.status, done.stderr), (0, ''))
                last = snapshots.load(files(self.snapshots)[-1])
                self.assertEqual(self.live('heap_malloc', last), (0, 0))
                self.assertGreater(last.total('thread').alloc_objects, 8)

    def test_a_malloc_of_its_own(self):
        """Nothing is invented, and it may insist on having one thread."""
        done = self.run_both([program('own_malloc')])
        self.assertIn('alone: 1\n', done.stdout)
        snapshot = self.only_snapshot()
        self.assertEqual(snapshot.total('heap'), snapshots.NOTHING)
        self.assertEqual(snapshot.total('thread').alloc_objects, 1)
        self.assertEqual(snapshot.comments['heap'], 'not-tracked')
        self.assertTrue(snapshot.comments['allocator'].endswith('/own_malloc'))
        report = subprocess.run([LEAKDIFF, snapshot.path], text=True,
                                capture_output=True, check=True).stdout
        self.assertIn('brings its own malloc', report)

    def test_a_malloc_of_its_own_and_never_a_thread(self):
        """Only the end writes a snapshot."""
        self.run_both([program('own_malloc'), 'alone'])
        self.assertEqual(self.only_snapshot().comments['reason'], 'exit')

    def test_before_and_after_main(self):
        self.run_both([program('early_and_late')])
        snapshot = self.only_snapshot()
        for function, size in (('keep_in_constructor', 222),
                               ('keep_in_thread_data', 333),
                               ('keep_before_libraries', 112)):
            self.assertEqual(self.live(function, snapshot), (1, size))
        # What came too early for a walk of the stack has one frame.
        stack, = [sample.stack for sample in snapshot.samples
                  if sample.stack[0].function == 'keep_before_libraries'
                  and sample.values.inuse_objects]
        self.assertEqual([frame.function for frame in stack],
                         ['keep_before_libraries', '[truncated]'])

    def test_a_host_that_goes_elsewhere(self):
        """As daemons do: other folder, no descriptors; with privileges also
        another root and another user."""
        root = self.folder('root')
        script = ('import os, time\n'
                  'print("ready", flush=True)\n'
                  'os.chdir("/")\n'
                  'if os.geteuid() == 0:\n'
                  f'    os.chroot("{root}")\n'
                  '    os.chdir("/")\n'
                  '    os.setgid(65534)\n'
                  '    os.setuid(65534)\n'
                  'os.closerange(0, 1000)\n'
                  'while True: time.sleep(1)')
        with Server(['/usr/bin/python3', '-c', script],
                    self.snapshots) as server:
            server.wait_output('ready')
            server.wait_for(lambda: not os.listdir(f'/proc/{server.pid}/fd'),
                            'it to close everything')
            snapshot = snapshots.load(server.snapshot())
        self.assertEqual(snapshot.comments['pid'], str(server.pid))

    def test_comments(self):
        done = run([program('puppet')], self.snapshots,
                   stdin='map 40960000\nalloc 1000000\n')
        self.assertEqual((done.status, done.stderr), (0, ''))
        comments = self.only_snapshot().comments
        self.assertEqual(comments['host'], os.uname().nodename)
        self.assertEqual(comments['ppid'], str(os.getpid()))
        self.assertEqual(comments['signal'], 'USR2')
        self.assertEqual(comments['sequence'], '1')
        self.assertIn('libc.so.6', comments['allocator'])
        self.assertGreater(int(comments['rss_bytes']), 1000000)
        self.assertGreater(int(comments['agent_bytes']), 0)
        self.assertRegex(comments['start'],
                         r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')

    def test_files_are_private(self):
        run([program('silent')], self.snapshots)
        path, = files(self.snapshots)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual([entry.name for entry in self.snapshots.iterdir()],
                         [path.name])

    def test_mappings_of_odd_sizes(self):
        done = run([program('puppet')], self.snapshots, stdin='map 10000\n')
        self.assertEqual(done.status, 0)
        values = self.only_snapshot().total('mmap')
        self.assertEqual(values.inuse_objects, 1)
        self.assertIn(values.inuse_space, (10000, 12288))


class Frames(Host):
    def stack_through(self, function, snapshot=None):
        """The stack of the one sample with that function, leaf first."""
        snapshot = snapshot or self.only_snapshot()
        stack, = [sample.stack for sample in snapshot.samples
                  if any(f.function == function for f in sample.stack)]
        return [frame.function for frame in stack]

    def test_the_agent_does_not_appear(self):
        self.run_both([program('endings'), 'return'])
        stack = self.stack_through('endings_alloc')
        self.assertEqual(stack[:2], ['endings_alloc', 'main'])
        for mapping in self.only_snapshot().mappings:
            self.assertNotIn('libleakagent', mapping.file)

    def test_lines(self):
        self.run_both([program('endings'), 'return'])
        report = leakdiff_json(files(self.snapshots)[0])
        row, = [row for row in report['rows']
                if row['callsite']['function'] == 'endings_alloc']
        self.assertEqual((row['after_bytes'], row['after_objects']),
                         (12345, 1))
        source = pathlib.Path(row['callsite']['file'])
        self.assertEqual(source.name, 'endings.c')
        line = source.read_text().splitlines()[row['callsite']['line'] - 1]
        self.assertIn('malloc(12345)', line)

    def test_depth(self):
        # main, descend 1 + FRAMES times, depth_leaf; libc's start-up below.
        for frames, depth, truncated in ((10, 64, False), (200, 64, True),
                                         (200, 256, False), (300, 256, True),
                                         (5, 1, True)):
            with self.subTest(frames=frames, depth=depth):
                self.snapshots = self.folder(f'{frames}-{depth}')
                self.run_both([program('depth'), frames], depth=depth)
                stack = self.stack_through('depth_leaf')
                kept = [name for name in stack if name != '[truncated]']
                self.assertEqual(stack[-1] == '[truncated]', truncated)
                self.assertEqual(stack.count('[truncated]'), truncated)
                if truncated:
                    self.assertEqual(len(kept), depth)
                    self.assertEqual(kept, (['depth_leaf'] +
                                            ['descend'] * depth)[:depth])
                else:
                    self.assertEqual(kept.count('descend'), frames + 1)
                    self.assertIn('main', kept)

    def test_an_interrupted_frame_keeps_its_pc(self):
        self.run_both([program('interrupted')])
        stack = self.stack_through('handle')
        self.assertIn('interrupted_here', stack)
        self.assertNotIn('function_before', stack)
        self.assertEqual(stack[stack.index('interrupted_here') + 1], 'main')

    def test_code_without_a_file(self):
        self.run_both([program('jit')])
        stack = self.stack_through('allocate')
        self.assertEqual(stack[:2], ['allocate', '[jit]'])
        self.assertEqual(stack.count('[jit]'), 1)

    def test_plugins_at_one_address(self):
        done = self.run_both([program('plugins'), program('libplugin_one.so'),
                              program('libplugin_two.so')])
        self.assertEqual(done.stdout, 'same address\n')
        last = snapshots.load(files(self.snapshots)[-1])
        self.assertEqual(self.live('plugin_one_alloc', last),
                         (2, 1001 + 3003))
        self.assertEqual(self.live('plugin_two_alloc', last), (1, 2002))
        report = leakdiff_json(last.path)
        rows = {row['callsite']['function']: row['after_bytes']
                for row in report['rows']}
        self.assertEqual(rows['plugin_one_alloc'], 1001 + 3003)
        self.assertEqual(rows['plugin_two_alloc'], 2002)
