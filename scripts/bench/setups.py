"""What a program is run with: nothing, the agent, or one of its peers.

Each setup is compared with a base: the same program on the same allocator
without profiling.
"""

import collections
import functools
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get('BUILD', 'build')
PROGRAMS = BUILD / 'tests' / 'programs'
AGENT = BUILD / 'libleakagent.so'
SAMPLE = '512k'

JEMALLOC = '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2'
TCMALLOC = '/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4'
HEAPTRACK = '/usr/lib/heaptrack/libheaptrack_preload.so'

Setup = collections.namedtuple('Setup', 'title base environment')


def agent(**options):
    """With its defaults, whatever this machine's own file of options says."""
    settings = {'conf': ROOT / 'conf' / 'leakagent.ini', 'dir': '{folder}',
                **options}
    return {'LD_PRELOAD': '{agent}', **{f'LEAKAGENT_{key.upper()}': value
                                    for key, value in settings.items()}}


def jemalloc(options=''):
    return {'LD_PRELOAD': JEMALLOC, 'MALLOC_CONF': options}


# heaptrack's script sends its data through a pipe to a second process. Here
# they go nowhere, which costs the program less.
SETUPS = {
    'native': Setup('native', None, {}),
    'forward': Setup('a hook that only forwards', 'native',
                     {'LD_PRELOAD': PROGRAMS / 'libbench_forward.so'}),
    'exact': Setup('leakagent, exact', 'native', agent()),
    'sampled': Setup('leakagent, sampled at 512 KiB', 'native',
                     agent(sample=SAMPLE)),
    'heaptrack': Setup('heaptrack', 'native',
                       {'LD_PRELOAD': HEAPTRACK,
                        'DUMP_HEAPTRACK_OUTPUT': '/dev/null'}),
    'jemalloc': Setup('jemalloc', None, jemalloc()),
    'jemalloc-sampled': Setup(
        'jemalloc, sampled at 512 KiB', 'jemalloc',
        jemalloc('prof:true,prof_prefix:{folder}/je,lg_prof_sample:19')),
    'jemalloc-exact': Setup(
        'jemalloc, exact', 'jemalloc',
        jemalloc('prof:true,prof_prefix:{folder}/je,lg_prof_sample:0')),
    'tcmalloc': Setup('tcmalloc', None, {'LD_PRELOAD': TCMALLOC}),
    'gperftools': Setup('gperftools', 'tcmalloc',
                        {'LD_PRELOAD': TCMALLOC,
                         'HEAPPROFILE': '{folder}/gperftools'}),
}
OURS = ('native', 'forward', 'exact', 'sampled')


def copy_agent(folder, agent_file):
    """The one that is measured, whatever is built meanwhile."""
    (folder / 'agent').mkdir()
    shutil.copy(agent_file, folder / 'agent' / AGENT.name)


def environment(name, folder):
    """What to set for a program, so that it writes into the folder."""
    places = {'{folder}': str(folder),
              '{agent}': str(folder / 'agent' / AGENT.name)}
    return {key: functools.reduce(
                lambda text, place: text.replace(*place), places.items(),
                str(value))
            for key, value in SETUPS[name].environment.items()}


def clean_environment():
    """Ours, without what would reach the programs behind our back."""
    return {key: value for key, value in os.environ.items()
            if not key.startswith(('LEAKAGENT_', 'LD_', 'MALLOC_'))}


def agent_samples(folder):
    """Whether this agent knows the option; if not, it says so."""
    done = subprocess.run(['/bin/true'], capture_output=True, check=True,
                          env={**clean_environment(),
                               **environment('sampled', folder)})
    return not done.stderr
