"""Users come, collect tuples and strings, and are forgotten."""

import random
import sys


def main(steps):
    chance = random.Random(1)
    users = {}
    for step in range(steps):
        key = 'user:%d' % chance.randrange(50000)
        users.setdefault(key, []).append((step, str(step)))
        if len(users[key]) > 4:
            del users[key]
    print(len(users))


main(int(sys.argv[1]))
