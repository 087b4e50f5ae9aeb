"""leakagent run: becomes the program, with the agent; refuses what cannot."""

import os
import pathlib
import shutil
import signal
import subprocess
import unittest

from tests.support.installed import copy_installed
from tests.support.servers import AGENT, ROOT, HostTest

LEAKAGENT = ROOT / 'scripts' / 'leakagent'
NOBODY = 65534
SOURCE = 'int main(void) { return 7; }\n'
ELF_CLASS_AT, ELF_MACHINE_AT = 4, 18


def leakagent(*words, command=LEAKAGENT, user=None, **environment):
    variables = {key: value for key, value in os.environ.items()
                 if not key.startswith('LEAKAGENT_') and key != 'LD_PRELOAD'}
    return subprocess.run([str(command), *map(str, words)], text=True,
                          capture_output=True, timeout=60, user=user,
                          env={**variables, **environment})


def run(*words, lib=AGENT, **options):
    return leakagent('run', '--lib', lib, '--interval', '0', '--exit', 'off',
                     *words, **options)


class RunTest(HostTest):
    def test_becomes_the_program(self):
        process = subprocess.Popen(
            [str(LEAKAGENT), 'run', '--lib', str(AGENT), '--interval', '0',
             '--dir', str(self.snapshots), '--',
             '/bin/sh', '-c', 'echo $$; cat; exit 5'],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(int(process.stdout.readline()), process.pid)
        maps = pathlib.Path(f'/proc/{process.pid}/maps').read_text()
        self.assertIn(str(AGENT.resolve()), maps)
        self.assertEqual(process.communicate('through\n')[0], 'through\n')
        self.assertEqual(process.returncode, 5)

    def test_signals_reach_the_program(self):
        process = subprocess.Popen(
            [str(LEAKAGENT), 'run', '--lib', str(AGENT), '--interval', '0',
             '--exit', 'off', '/bin/sh', '-c', 'echo up; exec sleep 100'],
            text=True, stdout=subprocess.PIPE)
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGTERM)

    def test_options_become_variables(self):
        done = leakagent('run', '--lib', AGENT, '--interval', '3m',
                         '--dir-limit=5M', '--exit', 'off', '--', 'env')
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn('LEAKAGENT_INTERVAL=3m', lines)
        self.assertIn('LEAKAGENT_DIR_LIMIT=5M', lines)
        self.assertIn(f'LD_PRELOAD={AGENT.resolve()}', lines)

    def test_keeps_what_is_preloaded_already(self):
        other = str(next(pathlib.Path('/usr/lib').glob('*/libz.so.1')))
        done = run('env', LD_PRELOAD=other)
        self.assertIn(f'LD_PRELOAD={AGENT.resolve()}:{other}',
                      done.stdout.splitlines())

    def test_words_after_the_program_are_its_own(self):
        done = run('printf', '%s,', '--interval', '--', 'a b', '')
        self.assertEqual(done.stdout, '--interval,--,a b,,')

    def test_scripts_run_with_their_interpreter(self):
        script = self.directory / 'script'
        script.write_text('#!/bin/sh\necho "$LD_PRELOAD" "$@"\nexit 3\n')
        script.chmod(0o755)
        done = run(script, 'x')
        self.assertEqual((done.returncode, done.stdout),
                         (3, f'{AGENT.resolve()} x\n'))


class RefusalTest(HostTest):
    def setUp(self):
        super().setUp()
        (self.directory / 'program.c').write_text(SOURCE)

    def build(self, compiler, *flags):
        path = self.directory / 'program'
        subprocess.run([compiler, *flags, '-o', str(path), 'program.c'],
                       cwd=self.directory, check=True)
        return path

    def script(self, text):
        path = self.directory / 'script'
        path.write_text(text)
        path.chmod(0o755)
        return path

    def assert_refused(self, program, reason, status=126, **options):
        done = run(program, **options)
        self.assertEqual((done.returncode, done.stdout), (status, ''))
        self.assertRegex(done.stderr, rf'\Aleakagent: .*{reason}.*\n\Z')

    def as_nobody(self):
        """Options for a user who may not look into this checkout."""
        if os.geteuid() != 0:
            return {}
        leakagent, library = copy_installed(self.directory)
        return {'user': NOBODY, 'command': leakagent, 'lib': library}

    def test_an_ordinary_program_runs(self):
        self.assertEqual(run(self.build('gcc')).returncode, 7)

    def test_the_loader_as_a_program(self):
        done = run('/lib64/ld-linux-x86-64.so.2', self.build('gcc'))
        self.assertEqual((done.returncode, done.stderr), (7, ''))

    def test_programs_that_are_not_position_independent(self):
        self.assertEqual(run(self.build('gcc', '-no-pie')).returncode, 7)

    def test_static(self):
        self.assert_refused(self.build('gcc', '-static'), 'statically linked')

    def test_static_pie(self):
        self.assert_refused(self.build('gcc', '-static-pie'),
                            'statically linked')

    def test_musl(self):
        self.assert_refused(self.build('musl-gcc'), 'musl')

    def test_another_machine(self):
        path = self.build('gcc')
        image = bytearray(path.read_bytes())
        image[ELF_MACHINE_AT] = 183
        path.write_bytes(image)
        self.assert_refused(path, 'for aarch64, and the agent for x86-64')

    def test_another_class(self):
        path = self.build('gcc')
        image = bytearray(path.read_bytes())
        image[ELF_CLASS_AT] = 1
        image[ELF_MACHINE_AT] = 3
        path.write_bytes(image[:ELF_MACHINE_AT + 2] + bytes(64))
        self.assert_refused(path, 'for 32-bit x86')

    def test_truncated_program(self):
        path = self.build('gcc')
        path.write_bytes(path.read_bytes()[:100])
        self.assert_refused(path, 'neither an ELF program')

    def test_script_of_a_static_interpreter(self):
        static = self.build('gcc', '-static')
        self.assert_refused(self.script(f'#! {static} -x\n'),
                            f'{static} is statically linked')

    def test_script_without_interpreter(self):
        self.assert_refused(self.script('#!/no/such\n'), '/no/such')
        self.assert_refused(self.script('echo hello\n'), '#!')

    def test_scripts_of_themselves(self):
        path = self.directory / 'script'
        self.assert_refused(self.script(f'#!{path}\n'), 'script')

    def test_not_there(self):
        self.assert_refused('no-such-program', 'no such program in PATH', 127)
        self.assert_refused('/no/such/program', 'No such file', 127)

    def test_not_a_program(self):
        self.assert_refused(self.directory, 'not a program file')
        path = self.build('gcc')
        path.chmod(0o644)
        self.assert_refused(path, 'not executable')

    def test_setuid_of_another_user(self):
        self.assert_refused(shutil.which('su'), 'setuid', **self.as_nobody())

    def test_no_agent(self):
        done = leakagent('run', '--lib', self.directory / 'none.so', 'true')
        self.assertEqual(done.returncode, 126)
        self.assertRegex(done.stderr, r'there is no .*none\.so.*--lib')

    def copy_into(self, name):
        return shutil.copy(AGENT, self.folder(name))

    def test_folders_that_preload_cannot_name(self):
        """It would take them for several, or for variables of its own."""
        for name in ('with space', 'with:colon', '$LIB', 'a${ORIGIN}'):
            done = leakagent('run', '--lib', self.copy_into(name), 'true')
            self.assertEqual((done.returncode, done.stdout), (126, ''))
            self.assertIn('space, colon or $', done.stderr)

    def test_folders_that_it_can_name(self):
        for name in ('%s%n', "it's", '"', 'tab\there', 'new\nline', 'übung',
                     '-rf', ';exit', '`false`', '*', '\\'):
            copy = self.copy_into(name)
            done = run('/bin/cat', '/proc/self/maps', lib=copy)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertIn(copy.replace('\n', '\\012'), done.stdout)

    def test_words_are_passed_on_as_they_are(self):
        words = ('a b', "it's", '"', '$HOME', '`id`', '%s%n', '*', '\\', '\n', '',
                 ';exit 3', '--', '-rf', '\x1b')
        done = run('/usr/bin/printf', '%s|', *words)
        self.assertEqual(done.stdout, ''.join(f'{word}|' for word in words))
        for word in words:
            done = leakagent('run', '--lib', AGENT, '--interval', '0',
                             '--exit', 'off', '--only', word, '--',
                             '/usr/bin/printenv', 'LEAKAGENT_ONLY')
            self.assertEqual((done.stdout, done.stderr), (f'{word}\n', ''))

    def test_the_script_by_any_name(self):
        folder = self.folder("of it's $own; `false` %s")
        copy = copy_installed(folder)[0]
        done = leakagent('run', '--lib', AGENT, '--interval', '0',
                         '--exit', 'off', '/bin/echo', 'good', command=copy)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, 'good\n', ''))

    if os.geteuid() == 0:  # nobody else may give these away
        def test_own_setuid_program_runs(self):
            path = self.build('gcc')
            path.chmod(0o4755)
            self.assertEqual(run(path).returncode, 7)

        def test_setgid(self):
            path = self.build('gcc')
            os.chown(path, 0, NOBODY)
            path.chmod(0o2755)
            self.assert_refused(path, 'setgid')

        def test_file_capabilities(self):
            path = self.build('gcc')
            subprocess.run(['setcap', 'cap_net_raw+ep', str(path)], check=True)
            self.assert_refused(path, 'capabilities', **self.as_nobody())


class UsageTest(unittest.TestCase):
    def assert_usage(self, *words, says):
        done = leakagent(*words)
        self.assertEqual((done.returncode, done.stdout), (2, ''))
        self.assertIn(says, done.stderr)

    def test_wrong_usage(self):
        self.assert_usage(says='usage: leakagent run')
        self.assert_usage('fly', says='no command fly')
        self.assert_usage('run', says='needs a program')
        self.assert_usage('run', '--interval', says='needs a value')
        self.assert_usage('run', '-i', '3', 'true', says='no option -i')
        self.assert_usage('run', '--in.terval', '3', 'true', says='no option')
        self.assert_usage('run', '--conf', '/no/such', 'true', says='/no/such')
        self.assert_usage('status', says='needs one pid')
        self.assert_usage('status', '1', '2', says='needs one pid')
        self.assert_usage('status', 'x1', says='x1 is not a pid')
        self.assert_usage('list', '1', says='takes no arguments')

    def test_help(self):
        for words in (['--help'], ['run', '--help']):
            done = leakagent(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertTrue(done.stdout.startswith('usage: leakagent'))

    def test_version(self):
        done = leakagent('--version')
        self.assertRegex(done.stdout, r'\Aleakagent \d+\.\d+\.\d+\n\Z')


if __name__ == '__main__':
    unittest.main()
