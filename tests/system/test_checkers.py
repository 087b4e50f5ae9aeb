"""Programs that belong to another tool that watches memory: the agent steps
aside, says so in one line, and the tool finds what it finds without it."""

import pathlib
import re
import subprocess

from tests.support.servers import ROOT, HostTest, files, program, run

SOURCES = ROOT / 'tests' / 'programs'
SAID = (r'^leakagent: (\S+) is not tracked: (\S+) watches its memory '
        r'already: use one of the two\n')
# Where a fault lies is told by address, and through whom its block came.
ADDRESSES = re.compile(r'0x[0-9a-f]+|==\d+==|\(BuildId.*|^ +#.*$', re.M)


class Checkers(HostTest):
    def build(self, compiler, sanitizer, source, *flags):
        path = self.directory / f'{pathlib.Path(source).stem}_{sanitizer}'
        subprocess.run([compiler, '-g', '-O1', '-pthread', f'-I{ROOT}', *flags,
                        f'-fsanitize={sanitizer}', '-o', str(path),
                        str(SOURCES / source)], check=True)
        return path

    def check_aside(self, command, tool, expect, **options):
        """What is said besides the agent's line; it is the same without."""
        plain = run(command, None, **options)
        watched = run(command, self.snapshots, **options)
        said = re.findall(SAID, watched.stderr, re.M)
        # valgrind's program alone, or each process of a program's own.
        self.assertEqual([name for _, name in said], [tool])
        errors = re.sub(SAID, '', watched.stderr, flags=re.M)
        self.assertEqual((plain.status, plain.stdout),
                         (watched.status, watched.stdout), errors)
        self.assertEqual(plain.status, expect, errors)
        self.assertEqual(files(self.snapshots, command=said[0][0]), [])
        return plain.stderr, errors

    def check_sanitizer(self, compiler, sanitizer, tool, expect, *arguments,
                        source='checked.c'):
        path = self.build(compiler if source.endswith('.c') else
                          {'gcc': 'g++', 'clang': 'clang++'}[compiler],
                          sanitizer, source)
        plain, watched = self.check_aside([path, *arguments], tool, expect)
        self.assertEqual(self.summary(plain), self.summary(watched))
        return watched

    def summary(self, report):
        """The lines that say what was found."""
        return [ADDRESSES.sub('', line) for line in report.splitlines()
                if re.search(r'ERROR:|leak of|bytes.* lost in|Invalid write',
                             line)]

    def test_address_sanitizer(self):
        """gcc's runtime is a library, which insists on coming first; clang's
        is part of the program."""
        for compiler in ('gcc', 'clang'):
            with self.subTest(compiler):
                found = self.check_sanitizer(compiler, 'address',
                                             'AddressSanitizer', 1, 'beyond')
                self.assertIn('heap-buffer-overflow', found)
                found = self.check_sanitizer(compiler, 'address',
                                             'AddressSanitizer', 1)
                self.assertIn('1234 byte(s) leaked in 1 alloc', found)

    def test_address_sanitizer_in_cxx(self):
        for compiler in ('gcc', 'clang'):
            with self.subTest(compiler):
                self.check_sanitizer(compiler, 'address', 'AddressSanitizer',
                                     1, 100, source='exceptions.cc')

    def test_thread_sanitizer(self):
        for compiler in ('gcc', 'clang'):
            with self.subTest(compiler):
                self.check_sanitizer(compiler, 'thread', 'ThreadSanitizer', 0)

    def test_memory_sanitizer(self):
        self.check_sanitizer('clang', 'memory', 'MemorySanitizer', 0)

    def test_leak_sanitizer(self):
        for compiler in ('gcc', 'clang'):
            with self.subTest(compiler):
                found = self.check_sanitizer(compiler, 'leak', 'LeakSanitizer',
                                             23)
                self.assertIn('1234 byte(s) leaked in 1 alloc', found)

    def test_undefined_behaviour_sanitizer(self):
        """It watches no memory: the agent tracks on."""
        path = self.build('gcc', 'undefined', 'early_and_late.c')
        self.run_both([path])
        self.assertEqual(
            self.only_snapshot().through('keep_in_constructor', 'heap'),
            (1, 222, 1, 222))

    def test_valgrind(self):
        memcheck = ['valgrind', '--leak-check=full', '--error-exitcode=9']
        found = self.check_aside([*memcheck, program('checked')], 'valgrind',
                                 9)[1]
        self.assertIn('1,234 bytes in 1 blocks are definitely lost', found)
        found = self.check_aside([*memcheck, program('checked'), 'beyond'],
                                 'valgrind', 9)[1]
        self.assertIn('Invalid write of size 1', found)
        self.check_aside(['valgrind', '-q', '--tool=none',
                          program('exceptions'), 20], 'valgrind', 0)

    def test_nothing_is_said_of_programs_that_are_left_alone(self):
        path = self.build('gcc', 'thread', 'early_and_late.c')
        self.run_both([path], only='other')
