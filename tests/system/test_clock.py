"""Hosts whose clock is set, back and forwards, while they run: files are named
after it, and nothing else depends on it."""

import time

from tests.support import snapshots
from tests.support.servers import HostTest, Puppet, files, leakdiff_json, program

HOUR = 3600
STEPS = (0, -HOUR, 2 * HOUR, -24 * 365 * 20 * HOUR, 24 * 365 * 50 * HOUR, -1,
         -5 * HOUR, 0)


class Clock(HostTest):
    def setUp(self):
        super().setUp()
        self.clock = self.directory / 'clock'
        self.set(0)

    def set(self, seconds):
        self.clock.write_text(str(seconds))

    def puppet(self, **options):
        return Puppet(self.snapshots, exit='off',
                      preload_after=[program('libfaults.so')],
                      extra={'FAULTS_CLOCK': str(self.clock)}, **options)

    def take_all(self, **options):
        with self.puppet(**options) as puppet:
            for seconds in STEPS:
                self.set(seconds)
                puppet.obey('alloc 1000')
                puppet.obey('snapshot a')
            self.assertEqual(puppet.finish()[0], 0)
        found = files(self.snapshots)
        return [int(snapshots.NAME.fullmatch(path.name)['sequence'])
                for path in found], [snapshots.load(path) for path in found]

    def test_set_between_snapshots(self):
        start = time.time()
        numbers, found = self.take_all(keep=0)
        self.assertEqual(numbers, [*range(1, len(STEPS) + 1)])
        for seconds, snapshot in zip(STEPS, found):
            off = snapshot.time_nanos / 1e9 - start - seconds
            self.assertTrue(-1 < off < time.time() - start + 1, off)
            stamp = time.strftime('%Y%m%dT%H%M%S',
                                  time.gmtime(snapshot.time_nanos // 10**9))
            self.assertIn(stamp, snapshot.path)
        ages = [snapshot.duration_nanos for snapshot in found]
        self.assertEqual(ages, sorted(ages))
        report = leakdiff_json(self.snapshots)
        self.assertEqual([entry['file'] for entry in report['snapshots']],
                         [snapshot.path for snapshot in found])
        self.assertEqual(report['rows'][0]['growth_bytes'],
                         1000 * (len(STEPS) - 1))

    def test_what_stays(self):
        """The first and the last, whatever their names say."""
        numbers, _ = self.take_all(keep=3)
        self.assertEqual(len(numbers), 3)
        self.assertEqual((numbers[0], numbers[-1]), (1, len(STEPS)))

    def test_the_timer_goes_on(self):
        with self.puppet(interval='50ms', keep=0) as puppet:
            for seconds in (0, -HOUR, HOUR):
                self.set(seconds)
                before = len(files(self.snapshots))
                puppet.wait_for(
                    lambda: len(files(self.snapshots)) > before + 2,
                    'the timer')
            self.assertEqual(puppet.finish()[0], 0)
