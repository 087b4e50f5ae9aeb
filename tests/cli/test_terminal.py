"""Foreign text on its way to a terminal: names in snapshots and of programs,
values of options, what a hostile process says of itself. None of it may command
the terminal, or hide and reorder what stands beside it."""

import json
import os
import subprocess

from tests.support.profiles import LeakdiffTest, Profile
from tests.support.servers import (ROOT, HostTest, Server, environment, program,
                                   run)

MAIN = 'main src/main.c:9'
LEAKAGENT = ROOT / 'scripts' / 'leakagent'
# C0, C1 in UTF-8, overrides, isolates, marks and what has no width.
EVIL = ('f\x1b]0;owned\x07\x9b31m\r\u202eg\u2066h\u061c\ufeffi')
UNSAFE = '[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069\ufeff]'
# C1 in Latin-1, which is no UTF-8.
EVIL_BYTES = EVIL.encode() + b'\x9b31m'


class Reports(LeakdiffTest):
    def files(self):
        return self.pair(
            Profile(), Profile(command=f'x{EVIL}', host=EVIL).sample(
                [f'{EVIL} a\x1bb.c:1', f'{EVIL}2', MAIN],
                (1, 9)))

    def test_for_people(self):
        files = self.files()
        for arguments in (('--force', *files), files[1:],
                          ('--format', 'folded', '--force', *files),
                          ('--format', 'csv', '--force', *files)):
            with self.subTest(arguments):
                text = self.output(*arguments)
                self.assertNotRegex(text, UNSAFE)
                self.assertRegex(text, r'f\\x1b\][0;,]+owned\\x07\\xc2\\x9b31m')

    def test_json_says_what_it_was(self):
        text = self.output('--format', 'json', '--force', *self.files())
        self.assertNotRegex(text, UNSAFE)
        row, = json.loads(text)['rows']
        self.assertEqual(row['callsite']['function'], EVIL)

    def test_names_that_are_no_utf8(self):
        path = self.folder / 'one.pb.gz'
        data = Profile().sample(['fooXbar', MAIN], (1, 9)).bytes()
        path.write_bytes(data.replace(b'fooXbar', b'foo\x9bbar'))
        for form in ('text', 'csv', 'folded'):
            self.assertIn('foo\\x9bbar', self.output('--format', form, path))


class Options(LeakdiffTest):
    def test_values_that_are_wrong(self):
        good = self.write('one.pb.gz', Profile().sample(['f', MAIN], (1, 9)))
        for arguments in ([EVIL], ['--' + EVIL], ['--top', EVIL, good],
                          ['--by', EVIL, good], ['--kind', EVIL, good],
                          ['--min', EVIL, good], ['--sort', EVIL, good],
                          ['--sample', EVIL, good], ['--format', EVIL, good],
                          ['--focus', '(' + EVIL, good],
                          ['--fail-over', EVIL, good],
                          ['--wrappers', EVIL, good],
                          ['-o', EVIL + '/x', good]):
            with self.subTest(arguments):
                done = self.leakdiff(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ''))
                self.assertRegex(done.stderr, r'\Aleakdiff: [^\n]+\n\Z')
                self.assertNotRegex(done.stderr, UNSAFE)

    def test_wrong_lines_in_lists(self):
        good = self.write('one.pb.gz', Profile().sample(['f', MAIN], (1, 9)))
        path = self.folder / 'wrappers'
        path.write_text(f'fine\n{EVIL} {EVIL}\nbad{EVIL}:\n')
        done = self.leakdiff('--wrappers', path, good)
        self.assertNotRegex(done.stdout + done.stderr, UNSAFE)


class Leakagent(HostTest):
    def leakagent(self, *words):
        done = subprocess.run([LEAKAGENT, *words], text=True,
                              encoding='utf-8', errors='surrogateescape',
                              capture_output=True, timeout=60,
                              env=environment())
        self.assertNotRegex(done.stdout + done.stderr, UNSAFE)
        self.assertNotRegex(done.stdout + done.stderr, '[\udc80-\udcff]')
        return done

    def test_arguments_that_are_wrong(self):
        folder = self.folder(EVIL)
        for words, status in (
                ([EVIL], 2), (['run', '--' + EVIL], 2),
                (['run', '--' + EVIL, '3', 'true'], 2), (['run', '-' + EVIL], 2),
                (['run', '--conf', EVIL, 'true'], 2),
                (['run', '--lib', EVIL, 'true'], 126),
                (['run', EVIL], 127), (['run', './' + EVIL], 127),
                (['run', folder], 126), (['status', EVIL], 2),
                ([EVIL_BYTES], 2), (['status', EVIL_BYTES], 2),
                # Some shells' echo would make an escape sequence of it.
                (['run', r'--\033[2J', 'x'], 2), ([r'\033[2J\07'], 2)):
            with self.subTest(words):
                done = self.leakagent(*words)
                self.assertEqual((done.returncode, done.stdout), (status, ''))
                self.assertRegex(done.stderr, r'\Aleakagent: [^\n]+\n\Z')

    def test_letters_are_left_as_they_are(self):
        done = self.leakagent('run', '--conf', '/übung/漢', 'true')
        self.assertIn('/übung/漢', done.stderr)

    def test_names_of_programs(self):
        copy = self.directory / EVIL
        copy.symlink_to(program('puppet'))
        host = self.enterContext(Server([copy], self.snapshots))
        host.tell('alloc 1000')
        host.wait_output('done')
        self.assertIn('f\\x1b]0;owned\\x07\\xc2', self.leakagent('list').stdout)
        self.leakagent('status', str(host.pid))

    def test_pages_of_hostile_processes(self):
        for manner in ('hostile', 'foreign'):
            host = self.enterContext(Server([program('fake_agent'), manner]))
            host.wait_output('ready')
            for verb in ('list', 'status', 'snapshot'):
                done = self.leakagent(verb, *[str(host.pid)][:verb != 'list'])
                self.assertIn(done.returncode, (0, 1), done)


class Agent(HostTest):
    """What the agent itself says."""

    def said(self, **options):
        done = run(['/bin/true'], self.snapshots, **options)
        self.assertEqual(done.status, 0)
        self.assertRegex(done.stderr, r'\Aleakagent: ')
        self.assertNotRegex(done.stderr, UNSAFE)
        return done.stderr

    def test_values_of_options(self):
        for key in ('interval', 'signal', 'exit', 'keep', 'memory', 'sample'):
            with self.subTest(key):
                self.assertIn('f\\x1b]0;owned\\x07\\xc2\\x9b31m\\x0d\\xe2\\x80',
                              self.said(**{key: EVIL}))
        self.said(**{EVIL.replace('\r', ''): '1'})

    def test_folders_and_files(self):
        self.said(dir=self.directory / EVIL / 'absent')
        self.said(conf=self.directory / EVIL)

    def test_lines_of_files(self):
        conf = self.directory / f'conf{EVIL}'
        conf.write_text(f'{EVIL}\n{EVIL} = 1\ninterval = {EVIL}\n{"x" * 999}\n')
        self.assertGreaterEqual(self.said(conf=conf).count('leakagent: '), 4)

    def test_bytes_that_are_no_text(self):
        extra = {'LEAKAGENT_KEEP': os.fsdecode(EVIL_BYTES)}
        self.assertIn('i\\x9b31m', self.said(extra=extra))

    def test_letters_are_left_as_they_are(self):
        self.assertIn('/übung/漢', self.said(dir='/übung/漢'))
