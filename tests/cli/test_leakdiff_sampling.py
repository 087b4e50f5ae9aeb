"""Snapshots that hold estimates: how far off they may be, and what of it is
said, ranked and counted."""

import math
import random
import re
import subprocess

from tests.support.pprof import pprof
from tests.support.profiles import (LeakdiffTest, Profile, by_function,
                                    MINUTE, NOON)

MAIN = 'main main.c:9'
KIBI, MEBI = 1 << 10, 1 << 20


def sampled(*comments, interval=512 * KIBI, **options):
    return Profile(period=interval, comments=[
        f'sample_bytes={interval}', *comments], **options)


class Block:
    def __init__(self, size):
        self.size = size
        self.rate = None  # not sampled


class Sampler:
    """What an agent does: a sample every so many bytes on average."""

    def __init__(self, interval, seed):
        self.interval = interval
        self.random = random.Random(seed)
        self.left = self.gap()

    def gap(self):
        return self.random.expovariate(1 / self.interval)

    def allocate(self, count):
        blocks = [Block(self.random.choice((48, 1000, 3000, 20000)))
                  for _ in range(count)]
        for block in blocks:
            self.left -= block.size
            if self.left <= 0:
                block.rate = self.interval
                self.left = self.gap()
        return blocks

    def thin_out(self, blocks, interval):
        """As if those had been sampled at this larger interval."""
        for block in blocks:
            kept = chance(block.size, interval) / \
                (chance(block.size, block.rate) if block.rate else 1)
            block.rate = interval if block.rate is not None and \
                self.random.random() < kept else None
        self.interval = interval


def chance(size, interval):
    return -math.expm1(-size / interval) if interval else 1


class Estimate:
    """Of blocks: (objects, bytes), and their standard errors."""

    def __init__(self, blocks):
        taken = [(block.size, chance(block.size, block.rate))
                 for block in blocks if block.rate is not None]
        self.values = (round(sum(1 / p for _, p in taken)),
                       round(sum(size / p for size, p in taken)))
        self.errors = (
            round(math.sqrt(sum((1 - p) / p**2 for _, p in taken))),
            round(math.sqrt(sum(size**2 * (1 - p) / p**2
                                for size, p in taken))))


class Simulation(LeakdiffTest):
    """Each callsite is one try at the same story, with other samples."""

    TRIES = 400
    INTERVAL = 4096

    def try_out(self, story, old_interval=INTERVAL, new_interval=INTERVAL,
                **other_process):
        """story(sampler) returns the lists of blocks that were live in the
        old snapshot, had been allocated by then, are live in the new one and
        have been allocated by then. Returns {function: row}, and what the
        growth of each truly is."""
        old = sampled(interval=old_interval)
        new = sampled(interval=new_interval, **other_process)
        truth = {}
        sampler = Sampler(old_interval if old_interval > 1 else 0.001, 1)
        for number in range(self.TRIES):
            name = f'f{number}'
            sampler.interval = old_interval if old_interval > 1 else 0.001
            parts = story(sampler)
            for profile, live, allocated in ((old, *parts[:2]),
                                             (new, *parts[2:])):
                profile.sample([f'{name} a.c:{number + 1}', MAIN],
                               live.values, alloc=allocated.values,
                               inuse_error=live.errors,
                               alloc_error=allocated.errors)
            truth[name] = parts
        report = self.json(*self.pair(old, new))
        return report, by_function(report['rows'])
