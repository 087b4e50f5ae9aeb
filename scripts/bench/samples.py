"""What was measured: one record for each run, and what follows from them.

A record is of a group, a case in it (a workload), a setup (native, exact, ...)
and a round, and holds numbers by name. Setups are compared within a round, as
the runs of a round stand next to each other in time, and the median is taken
of the differences.
"""

import collections
import json
import statistics

Spread = collections.namedtuple('Spread', 'median low high runs')


def spread(values):
    """Median, least and greatest; None of nothing."""
    values = list(values)
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values),
                  len(values))


class Samples:
    def __init__(self, records=()):
        self.records = list(records)

    def add(self, group, case, setup, number, numbers):
        self.records.append({'group': group, 'case': case, 'setup': setup,
                             'round': number, **numbers})

    def groups(self):
        return list(dict.fromkeys(r['group'] for r in self.records))

    def cases(self, group):
        return list(dict.fromkeys(r['case'] for r in self.records
                                  if r['group'] == group))

    def by_round(self, group, case, setup, name):
        """{round: number}, without the runs that did not give one."""
        return {r['round']: r[name] for r in self.records
                if (r['group'], r['case'], r['setup']) == (group, case, setup)
                and name in r}

    def spread(self, group, case, setup, name):
        return spread(self.by_round(group, case, setup, name).values())

    def added(self, group, case, setup, base, name):
        """{round: how much more than the base in that round}."""
        values = self.by_round(group, case, setup, name)
        bases = self.by_round(group, case, base, name)
        return {number: values[number] - bases[number]
                for number in values if number in bases}

    def times(self, group, case, setup, base, name):
        """{round: how many times the base in that round}."""
        values = self.by_round(group, case, setup, name)
        bases = self.by_round(group, case, base, name)
        return {number: values[number] / bases[number]
                for number in values if bases.get(number)}


def save(path, facts, samples, failures):
    path.write_text(json.dumps(
        {'facts': facts, 'failures': failures, 'samples': samples.records},
        indent=1) + '\n')


def load(path):
    """(facts, Samples, failures) as saved."""
    with open(path, encoding='utf-8') as file:
        data = json.load(file)
    return data['facts'], Samples(data['samples']), data['failures']
