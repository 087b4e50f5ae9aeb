"""tests/run itself: what fails must count as failed, and nothing may hang."""

import os
import subprocess
import sys

from tests.support.servers import ROOT, HostTest

CMOCKA = '''
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void good(void **state) { (void)state; }
static void bad(void **state) { (void)state; assert_int_equal(1, 2); }
static void skipped(void **state) { (void)state; skip(); }
static void crash(void **state) { (void)state; *(volatile int *)8 = 1; }
static void leave(void **state) { (void)state; exit(0); }

int main(void)
{
    const struct CMUnitTest tests[] = { CASES };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
'''


class RunnerTest(HostTest):
    def run_files(self, *paths, options=()):
        done = subprocess.run(
            [str(ROOT / 'tests' / 'run'), *options, *map(str, paths)],
            capture_output=True, text=True, timeout=60,
            env=self.environment())
        return done.returncode, done.stdout

    def environment(self):
        """So that what it counts is not among the figures of these tests."""
        return dict(os.environ, BUILD=str(self.directory / 'build'))

    def cmocka(self, *cases):
        source = self.directory / 'made_test.c'
        source.write_text(CMOCKA)
        path = source.with_suffix('')
        cases = ', '.join(f'cmocka_unit_test({case})' for case in cases)
        subprocess.run(['cc', '-w', f'-DCASES={cases}', '-o', str(path),
                        str(source), '-lcmocka'], check=True)
        return path

    def python(self, body, head=''):
        path = self.directory / 'test_made.py'
        lines = ''.join(f'    {line}\n' for line in body.splitlines())
        path.write_text(f'import os, subprocess, time, unittest\n{head}\n'
                        f'class Made(unittest.TestCase):\n{lines}')
        return path

    def assert_total(self, path, passed, failed, says=''):
        status, output = self.run_files(path)
        self.assertEqual(output.splitlines()[-1],
                         f'{passed} passed, {failed} failed')
        self.assertEqual(status, 1 if failed else 0)
        self.assertIn(says, output)

    def test_cmocka(self):
        self.assert_total(self.cmocka('good', 'good'), 2, 0)
        self.assert_total(self.cmocka('good', 'bad'), 1, 1, '0x1 != 0x2')
        self.assert_total(self.cmocka('skipped', 'good'), 1, 1)
        self.assert_total(self.cmocka('crash', 'good'), 1, 1, 'Segmentation')
        self.assert_total(self.cmocka('good', 'leave'), 1, 1, 'all planned')

    def test_python(self):
        self.assert_total(self.python('def test(self): pass'), 1, 0)
        self.assert_total(
            self.python('def test(self): self.assertEqual(1, 2)'), 0, 1,
            'AssertionError: 1 != 2')
        self.assert_total(
            self.python('def test(self): self.skipTest("no tool")'), 0, 1,
            'skipped: no tool')
        self.assert_total(
            self.python('def test(self):\n'
                        '    with self.subTest(i=1): self.fail("sub")\n'
                        'def test_2(self): pass'), 1, 1, 'sub')
        self.assert_total(
            self.python('def setUp(self): raise OSError("set up")\n'
                        'def test(self): pass'), 0, 1, 'set up')
        self.assert_total(self.python('pass', 'import nowhere'), 0, 1,
                          'nowhere')
        self.assert_total(self.python('def test(self): os._exit(0)\n'
                                      'def test_2(self): pass'), 0, 1)

    def test_what_hangs_is_killed_with_its_children(self):
        mark = self.directory / 'pid'
        path = self.python(
            'def test_1(self): pass\n'
            'def test_2(self):\n'
            '    child = subprocess.Popen(["sleep", "1000"],\n'
            '                             start_new_session=True)\n'
            f'    open("{mark}.new", "w").write(str(child.pid))\n'
            f'    os.rename("{mark}.new", "{mark}")\n'
            '    time.sleep(1000)')
        script, limit = path.read_text(), 1
        while not mark.exists():  # or it was killed before it came to hang
            path.write_text(f'TIMEOUT = {limit}\n{script}')
            status, output = self.run_files(path)
            self.assertIn('ran past its time limit', output)
            limit *= 2
        self.assertEqual(output.splitlines()[-1], '1 passed, 1 failed')
        self.assertEqual(status, 1)
        self.assertFalse(self.lives(mark.read_text()))

    def lives(self, pid):
        try:
            with open(f'/proc/{pid}/stat') as file:
                return file.read().rpartition(')')[2].split()[0] != 'Z'
        except OSError:
            return False

    def test_selection(self):
        path = self.python('def test_this(self): pass\n'
                           'def test_that(self): pass')
        status, output = self.run_files(path, options=('-k', 'that', '-v'))
        self.assertEqual(status, 0)
        self.assertIn('ok Made.test_that', output)
        self.assertNotIn('test_this', output)
        status, _ = self.run_files('no-such-test')
        self.assertNotEqual(status, 0)

    def figures(self):
        """The rows of the table, as {what: (times, broken)}."""
        done = subprocess.run(
            [sys.executable, '-m', 'tests.support.figures'], cwd=ROOT,
            capture_output=True, text=True, check=True, timeout=60,
            env=self.environment())
        rows = [line.strip('| ').split(' | ')
                for line in done.stdout.splitlines()[2:]]
        return {what: (times, broken) for what, times, broken in rows}

    def test_figures(self):
        """What a file counts replaces what its last run counted; children
        count, too; of a part nothing is counted."""
        head = 'from tests.support import figures'
        first = self.python('def test(self):\n'
                            '    figures.count("kills", 1000)\n'
                            '    if not os.fork():\n'
                            '        figures.count("kills", 234, 1)\n'
                            '        os._exit(0)\n'
                            '    os.wait()\n'
                            '    figures.ran("true"), figures.ran("sh")\n',
                            head)
        for options in (), (), ('-k', 'test'):
            self.run_files(first, options=options)
            self.assertEqual(self.figures(), {
                'test cases': ('1', '0'), 'kills': ('1,234', '1'),
                'real programs that carried the agent': ('2', '0'),
                'behaviours: a host program in a case of its own':
                ('2', '0')})
        second = first.rename(self.directory / 'test_other.py')
        second.write_text(second.read_text().replace(
            '"sh")', '"ls"); self.fail("so")'))
        self.python('def test(self): pass')
        self.run_files(first, second)
        self.assertEqual(self.figures(), {
            'test cases': ('2', '1'), 'kills': ('1,234', '1'),
            'real programs that carried the agent': ('2', '2'),
            'behaviours: a host program in a case of its own': ('2', '2')})

    def test_nothing_run_is_no_success(self):
        status, output = self.run_files(self.python('pass'))
        self.assertEqual((status, output), (1, '0 passed, 0 failed\n'))
