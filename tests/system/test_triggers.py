"""What makes the agent write: the signal, the timer, growth, requests. And
what becomes of the files: retention and limits."""

import fcntl
import os
import signal
import time

from tests.support import snapshots
from tests.support.servers import (HostTest, Puppet, Server, files, leakagent,
                                   program, run)


def comments(path):
    return snapshots.load(path).comments


class Signal(HostTest):
    def test_usr2_is_the_default(self):
        with Puppet(self.snapshots) as host:
            host.obey('alloc 1000')
            first = snapshots.load(host.snapshot())
            host.obey('alloc 2000')
            second = snapshots.load(host.snapshot())
            done = host.finish()
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertEqual(first.comments['reason'], 'signal')
        self.assertEqual(first.comments['signal'], 'USR2')
        self.assertEqual(first.through('puppet_alloc').inuse_space, 1000)
        self.assertEqual(second.through('puppet_alloc').inuse_space, 3000)
        self.assertEqual([comments(path)['sequence']
                          for path in files(self.snapshots)], ['1', '2', '3'])

    def test_other_signals(self):
        for name, number in (('RTMIN+3', signal.SIGRTMIN + 3),
                             ('SIGUSR1', signal.SIGUSR1),
                             ('URG', signal.SIGURG),
                             (str(int(signal.SIGWINCH)), signal.SIGWINCH)):
            with self.subTest(name):
                directory = self.folder(name)
                with Puppet(directory, signal=name) as host:
                    host.obey('alloc 1000')
                    os.kill(host.pid, number)
                    path = host.wait_for(lambda: files(directory), name)[0]
                    self.assertEqual(comments(path)['reason'], 'signal')
                    self.assertEqual(host.finish().status, 0)

    def test_no_signal(self):
        for name in ('off', '0'):
            with self.subTest(name):
                with Puppet(self.folder(name), signal=name) as host:
                    host.obey('alloc 1000')
                    self.assertEqual(host.stop(signal.SIGUSR2).status,
                                     -signal.SIGUSR2)

    def test_the_host_takes_it(self):
        for how in ('signal', 'sigaction'):
            with self.subTest(how):
                self.snapshots = self.folder(how)
                self.run_both([program('own_signal'), how])
                path, = files(self.snapshots)
                self.assertEqual(comments(path)['reason'], 'exit')
                self.assertEqual(comments(path)['signal'], 'taken-by-host')

    def test_the_host_gives_it_back(self):
        self.run_both([program('own_signal'), 'for-a-while'])
        with Server([program('own_signal'), 'for-a-while'],
                    self.folder('again')) as host:
            host.wait_output('handler default')
            self.assertEqual(comments(host.snapshot())['signal'], 'USR2')
            host.process.stdin.close()
            self.assertEqual(host.stop(None).status, 0)

    def test_the_host_waits_for_it(self):
        self.run_both([program('own_signal'), 'block-and-wait'])
        self.assertEqual([comments(path)['reason']
                          for path in files(self.snapshots)], ['exit'])


class Timer(HostTest):
    def test_interval(self):
        with Puppet(self.snapshots, interval='50ms', keep=1000) as host:
            host.obey('alloc 1000')
            host.wait_for(lambda: len(files(self.snapshots)) > 3, 'the timer')
            self.assertEqual(host.finish().status, 0)
        found = [comments(path) for path in files(self.snapshots)]
        self.assertEqual({entry['reason'] for entry in found[:-1]}, {'timer'})
        self.assertEqual(found[-1]['reason'], 'exit')
        self.assertEqual([entry['sequence'] for entry in found],
                         [str(n) for n in range(1, len(found) + 1)])

    def test_interval_in_a_forked_child(self):
        command = ('import os, sys\n'
                   'if os.fork(): os.wait(); sys.exit()\n'
                   'sys.stdin.read()')
        with Server(['/usr/bin/python3', '-c', command], self.snapshots,
                    interval='50ms', keep=1000) as host:
            host.wait_for(lambda: len({snapshots.NAME.fullmatch(p.name)['pid']
                                       for p in files(self.snapshots)}) == 2,
                          'files of parent and child')
            host.process.stdin.close()
            self.assertEqual(host.stop(None).status, 0)


class Growth(HostTest):
    def test_growth(self):
        with Puppet(self.snapshots, growth='10M') as host:
            for _ in range(3):
                before = len(files(self.snapshots))
                for _ in range(6):
                    host.obey('alloc 2000000')
                host.wait_for(lambda: len(files(self.snapshots)) > before,
                              'a snapshot because of growth')
            self.assertEqual(host.finish().status, 0)
        found = [snapshots.load(path) for path in files(self.snapshots)]
        self.assertEqual({s.comments['reason'] for s in found[:-1]},
                         {'growth'})
        live = [s.total().inuse_space for s in found[:-1]]
        self.assertGreaterEqual(live[0], 10 << 20)
        for before, after in zip(live, live[1:]):
            self.assertGreaterEqual(after - before, 10 << 20)

    def test_mappings_are_growth_too(self):
        with Puppet(self.snapshots, growth='10M') as host:
            host.obey('map 20000000')
            host.wait_for(lambda: files(self.snapshots), 'growth')
            self.assertEqual(host.finish().status, 0)


class Requests(HostTest):
    def test_snapshot_without_a_signal(self):
        with Puppet(self.snapshots, signal='off') as host:
            host.obey('alloc 54321')
            path = leakagent('snapshot', host.pid).strip()
            snapshot = snapshots.load(path)
            self.assertEqual(snapshot.comments['reason'], 'request')
            self.assertEqual(snapshot.through('puppet_alloc').inuse_space,
                             54321)
            self.assertEqual(files(self.snapshots)[0].samefile(path), True)
            self.assertEqual(host.finish().status, 0)

    def test_off_and_on(self):
        with Puppet(self.snapshots) as host:
            host.obey('alloc 1000')
            leakagent('off', host.pid)
            host.obey('alloc 20000')
            off = snapshots.load(leakagent('snapshot', host.pid).strip())
            leakagent('on', host.pid)
            host.obey('alloc 300000')
            on = snapshots.load(leakagent('snapshot', host.pid).strip())
            host.obey('free')
            done = host.finish()
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertTrue(off.comments['tracking'].startswith('off'))
        self.assertEqual(on.comments['tracking'], 'on')
        self.assertNotIn(20000, [sample.values.inuse_space
                                 for sample in on.samples])
        self.assertIn(on.through('puppet_alloc').inuse_space,
                      (300000, 301000))

    def test_status_says_who_has_the_signal(self):
        with Server([program('own_signal'), 'sigaction'],
                    self.snapshots) as host:
            host.wait_output('handled 3')
            self.assertIn('taken-by-host',
                          leakagent('status', host.pid))

    def test_list(self):
        with Puppet(self.snapshots) as host:
            host.obey('alloc 1')
            self.assertRegex(leakagent('list'),
                             rf'(?m)^\s*{host.pid}\b.*puppet')


class Calls(HostTest):
    def test_reason(self):
        done = self.run_both([program('puppet')],
                             stdin='snapshot deploy\nalloc 5\n')
        self.assertEqual(done.status, 0)
        self.assertEqual([comments(path)['reason']
                          for path in files(self.snapshots)],
                         ['call:deploy', 'exit'])


class Retention(HostTest):
    def sequences(self):
        return [int(snapshots.NAME.fullmatch(path.name)['sequence'])
                for path in files(self.snapshots)]

    def test_keep(self):
        lines = ''.join(f'snapshot n{n}\n' for n in range(1, 101))
        done = run([program('puppet')], self.snapshots, stdin=lines, keep=10,
                   exit='off')
        self.assertEqual((done.status, done.stderr), (0, ''))
        kept = self.sequences()
        self.assertLessEqual(len(kept), 10)
        self.assertGreaterEqual(len(kept), 6)
        self.assertEqual((kept[0], kept[-1]), (1, 100))
        # They cover the whole run: no gap is longer than a third of it.
        self.assertLess(max(b - a for a, b in zip(kept, kept[1:])), 34)

    def test_keep_is_per_process(self):
        for _ in range(2):
            run([program('puppet')], self.snapshots, keep=2,
                stdin='snapshot a\nsnapshot b\nsnapshot c\n')
        self.assertEqual(len(files(self.snapshots)), 4)

    def test_dir_limit(self):
        lines = ''.join(f'snapshot n{n}\n' for n in range(1, 101))
        run([program('puppet')], self.snapshots, stdin='snapshot a')
        one = sum(path.stat().st_size for path in files(self.snapshots))
        limit = 10 * one
        self.snapshots = self.folder('limited')
        note = self.snapshots / 'notes.txt'
        note.write_bytes(b'x' * one)
        done = run([program('puppet')], self.snapshots, stdin=lines,
                   keep=1000, dir_limit=limit)
        self.assertEqual(done.status, 0)
        self.assertEqual(note.stat().st_size, one)
        self.assertTrue(files(self.snapshots))
        self.assertLessEqual(sum(path.stat().st_size
                                 for path in files(self.snapshots)), limit)

    def take_names(self, pid, sequence, start, milliseconds):
        """Files of ours, with every name that might be chosen in that time."""
        ours = self.directory / 'ours'
        ours.write_text('ours')
        names = set()
        for moment in range(start, start + milliseconds):
            stamp = time.strftime('%Y%m%dT%H%M%S', time.gmtime(moment // 1000))
            names.add(f'puppet.{pid}.{stamp}{moment % 1000:03}Z.'
                      f'{sequence}.pb.gz')
        for name in names:
            os.link(ours, self.snapshots / name)
        return names

    def test_a_name_that_is_taken(self):
        with Puppet(self.snapshots) as host:
            host.obey('alloc 1000')
            milliseconds, sequence = 1000, 1
            while True:
                start = int(time.time() * 1000)
                names = self.take_names(host.pid, sequence, start,
                                        milliseconds)
                snapshot = snapshots.load(host.snapshot())
                if snapshot.time_nanos // 1000000 < start + milliseconds:
                    break
                milliseconds *= 2  # it came too late to meet one of ours
                sequence += 1
            self.assertEqual(host.finish().status, 0)
        self.assertGreaterEqual(snapshot.time_nanos // 1000000, start)
        self.assertEqual(snapshot.comments['pid'], str(host.pid))
        self.assertFalse([name for name in names if
                          (self.snapshots / name).read_text() != 'ours'])

    def test_nothing_of_others_is_touched(self):
        name = 'puppet.4190000.20200101T000000000Z.1.pb.gz'
        mine = {name: 'an old snapshot', 'notes.tmp': 'notes',
                'profile.pb.gz.tmp': 'of another tool',
                name.replace('puppet', 'writing') + '.tmp': 'half a snapshot'}
        for file, text in mine.items():
            (self.snapshots / file).write_text(text)
        stale = self.snapshots / (name + '.tmp')
        stale.write_text('half a snapshot')
        # Its writer lives as long as the file is locked.
        with open(self.snapshots / file) as writer:
            fcntl.flock(writer, fcntl.LOCK_EX)
            done = run([program('puppet')], self.snapshots, keep=2,
                       stdin='snapshot a\nsnapshot b\nsnapshot c\n')
        self.assertEqual((done.status, done.stderr), (0, ''))
        self.assertFalse(stale.exists(), "a dead writer's temporary")
        for file, text in mine.items():
            self.assertEqual((self.snapshots / file).read_text(), text)
