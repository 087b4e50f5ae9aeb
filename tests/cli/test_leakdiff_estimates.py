"""Are the errors that leakdiff tells of sampled snapshots right? Simulated
programs, whose true growth is known, are sampled with fixed seeds; each
callsite of a pair of snapshots is one try at the same story."""

import math
import random

from tests.support.profiles import LeakdiffTest, Profile, by_function

MAIN = 'main main.c:9'
TRIES = 300
BLOCKS = 300  # in each part of a story
SIZES = (1000, 2000, 4000)
INTERVAL = 4096
EXACT = 0
FIGURES = ('growth_bytes', 'growth_objects', 'alloc_bytes', 'alloc_objects')


class Block:
    def __init__(self, size):
        self.size = size
        self.rate = None  # the interval it was sampled at; None: it was not


def chance(size, interval):
    return -math.expm1(-size / interval) if interval else 1


class Agent:
    """Samples a byte every so many bytes on average, and so its block."""

    def __init__(self, interval, seed):
        self.random = random.Random(seed)
        self.set_interval(interval)

    def set_interval(self, interval):
        self.interval = interval
        self.left = self.gap()

    def gap(self):
        return self.random.expovariate(1 / self.interval) \
            if self.interval else 0

    def allocate(self, count=BLOCKS):
        blocks = [Block(self.random.choice(SIZES)) for _ in range(count)]
        for block in blocks:
            self.left -= block.size
            if self.left <= 0:
                block.rate = self.interval
                self.left = self.gap()
        return blocks

    def thin_out(self, blocks, interval):
        """Leaves as many as if this had been the interval all along."""
        for block in blocks:
            if block.rate is None:
                continue
            kept = chance(block.size, interval) / chance(block.size,
                                                         block.rate)
            block.rate = interval if self.random.random() < kept else None
        self.set_interval(interval)


class Estimate:
    """Objects and bytes of what was sampled, and their variances."""

    def __init__(self, blocks):
        seen = [(block.size, chance(block.size, block.rate))
                for block in blocks if block.rate is not None]
        self.values = [sum(1 / p for _, p in seen),
                       sum(size / p for size, p in seen)]
        self.variances = [sum((1 - p) / p**2 for _, p in seen),
                          sum(size**2 * (1 - p) / p**2 for size, p in seen)]

    def add(self, other):
        self.values = [a + b for a, b in zip(self.values, other.values)]
        self.variances = [a + b for a, b in zip(self.variances,
                                                other.variances)]

    def rounded(self):
        return [round(value) for value in self.values]

    def errors(self):
        return [round(math.sqrt(variance)) for variance in self.variances]


class Pair:
    """Two snapshots of TRIES callsites, and what is true of each."""

    def __init__(self, old_interval, new_interval, **other_process):
        self.old = self.profile(old_interval)
        self.new = self.profile(new_interval, **other_process)
        self.truth = {}

    def profile(self, interval, **options):
        return Profile(period=interval or 1,
                       comments=[f'sample_bytes={interval}'], **options)

    def add(self, profile, name, live, allocated):
        profile.sample([f'{name} a.c:1', MAIN], live.rounded(),
                       alloc=allocated.rounded(), inuse_error=live.errors(),
                       alloc_error=allocated.errors())

    def expect(self, name, came, went, allocated):
        def size(blocks):
            return sum(block.size for block in blocks)
        self.truth[name] = dict(zip(FIGURES, (
            size(came) - size(went), len(came) - len(went),
            size(allocated), len(allocated))))


def one_process(stays=True, goes=True, comes=True, passes=True,
                old_interval=INTERVAL, new_interval=INTERVAL):
    """Each part is blocks: live in both, in the first, in the second, or in
    none of the two snapshots."""
    pair = Pair(old_interval, new_interval)
    for number in range(TRIES):
        name = f'f{number}'
        agent = Agent(old_interval, number)
        stay = agent.allocate() if stays else []
        go = agent.allocate() if goes else []
        allocated = Estimate(stay + go)
        pair.add(pair.old, name, Estimate(stay + go), allocated)
        if new_interval != old_interval:
            agent.thin_out(stay, new_interval)
        come = agent.allocate() if comes else []
        passing = agent.allocate() if passes else []
        allocated.add(Estimate(come + passing))
        pair.add(pair.new, name, Estimate(stay + come), allocated)
        pair.expect(name, come, go, come + passing)
    return pair


def two_processes():
    pair = Pair(INTERVAL, INTERVAL, pid=2)
    for number in range(TRIES):
        name = f'f{number}'
        before = Agent(INTERVAL, number).allocate()
        after = Agent(INTERVAL, number + TRIES).allocate(2 * BLOCKS)
        pair.add(pair.old, name, Estimate(before), Estimate(before))
        pair.add(pair.new, name, Estimate(after), Estimate(after))
        pair.expect(name, after, before, [])
        pair.truth[name].update(
            alloc_objects=len(after) - len(before),
            alloc_bytes=pair.truth[name]['growth_bytes'])
    return pair


class Estimates(LeakdiffTest):
    def deviations(self, pair, figure):
        """How far off each callsite is, in standard errors. Where there is
        no error there must be no deviation."""
        rows = by_function(self.report['rows'])
        found = []
        for name, truth in pair.truth.items():
            row = rows.get(name)
            off = row[figure] - truth[figure]
            error = row[f'{figure}_error']
            if error:
                found.append(off / error)
            else:
                self.assertLessEqual(abs(off), 1, (name, figure))
        return found

    def assertFair(self, pair, exact=(), safe=()):
        """Within three standard errors in 99 of 100 cases, for all figures.
        The errors of `exact` figures are neither larger nor smaller than they
        should be, those of `safe` ones just not smaller."""
        self.report = self.json(*self.pair(pair.old, pair.new))
        for figure in (*exact, *safe):
            with self.subTest(figure):
                off = self.deviations(pair, figure)
                self.assertGreater(len(off), 0.99 * TRIES)
                inside = sum(abs(z) <= 3 for z in off)
                self.assertGreaterEqual(inside, 0.99 * len(off))
                square = sum(z * z for z in off) / len(off)
                self.assertLess(square, 1.25)
                if figure in exact:
                    self.assertGreater(square, 0.75)
                self.assertUnbiased(pair, figure)

    def assertUnbiased(self, pair, figure):
        total = self.report['total']['heap']
        truth = sum(one[figure] for one in pair.truth.values())
        self.assertLess(abs(total[figure] - truth),
                        3 * total[f'{figure}_error'])

    def test_what_came_and_stayed(self):
        self.assertFair(one_process(goes=False, passes=False), exact=FIGURES)

    def test_what_came_and_went(self):
        self.assertFair(one_process(passes=False), exact=FIGURES)

    def test_what_went(self):
        self.assertFair(one_process(comes=False, passes=False),
                        exact=FIGURES[:2])

    def test_what_passed_through(self):
        self.assertFair(one_process(), exact=FIGURES[2:], safe=FIGURES[:2])

    def test_what_stayed_has_no_error(self):
        pair = one_process(goes=False, comes=False, passes=False)
        rows = self.json(*self.pair(pair.old, pair.new))['rows']
        self.assertEqual(rows, [])  # nothing changed

    def test_two_processes(self):
        self.assertFair(two_processes(), exact=FIGURES)

    def test_a_single_snapshot(self):
        pair = one_process(passes=False, goes=False, stays=False)
        self.report = self.json(self.write('one.pb.gz', pair.new))
        for figure in FIGURES:
            self.assertUnbiased(pair, figure)
        for row in self.report['rows']:
            self.assertEqual(row['growth_bytes_error'],
                             row['after_bytes_error'])
            self.assertEqual(row['growth_objects_error'],
                             row['after_objects_error'])

    def test_exact_until_the_memory_limit(self):
        self.assertFair(one_process(passes=False, old_interval=EXACT),
                        exact=FIGURES)

    def test_coarser_since_the_memory_limit(self):
        self.assertFair(one_process(new_interval=4 * INTERVAL),
                        exact=FIGURES[2:], safe=FIGURES[:2])

    def test_rows_and_totals_add_up(self):
        pair = one_process()
        report = self.json('--by', 'module', *self.pair(pair.old, pair.new))
        sum_row, = report['rows']
        rows = self.json('old.pb.gz', 'new.pb.gz')['rows']
        for figure in FIGURES:
            key = f'{figure}_error'
            root = math.sqrt(sum(row[key]**2 for row in rows))
            self.assertAlmostEqual(sum_row[key] / root, 1, 2)
            self.assertEqual(report['total']['heap'][key], sum_row[key])
