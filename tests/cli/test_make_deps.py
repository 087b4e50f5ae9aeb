"""scripts/install-deps: what it installs, how, and what it says when it can't.

Runs it against stand-ins for dpkg-query, apt-get, sudo and id, so that nothing
on this machine changes.
"""

import os
import re
import subprocess

from tests.support.servers import ROOT, HostTest

SCRIPT = ROOT / 'scripts' / 'install-deps'
BUILD_PACKAGE, CHECK_PACKAGE = 'libunwind-dev', 'redis-server'
BENCH_PACKAGE, HOSTS_PACKAGE = 'heaptrack', 'chromium'

DPKG_QUERY = '''#!/bin/sh
for word; do
    case $word in
    -* | *'{'*) ;;
    %s) ;;
    *) printf '%%s/installed ' "$word" ;;
    esac
done
'''


class DepsTest(HostTest):
    def setUp(self):
        super().setUp()
        self.bin = self.folder('bin')
        self.log = self.directory / 'log'
        self.policy = self.directory / 'policy-rc.d'
        for name in ('sh', 'grep', 'rm', 'chmod', 'ls', 'wc', 'cat', 'true',
                     'mktemp'):
            path = next(p for p in (f'/usr/bin/{name}', f'/bin/{name}')
                        if os.path.exists(p))
            (self.bin / name).symlink_to(path)
        self.stand_in('apt-get', f'echo "$DEBIAN_FRONTEND apt-get $*" '
                      f'>>{self.log}; cat {self.policy} '
                      f'>{self.directory}/policy-then\n')
        self.stand_in('id', 'echo 1000')
        self.missing()

    def stand_in(self, name, body):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\n{body}\n')
        path.chmod(0o755)

    def missing(self, *packages):
        path = self.bin / 'dpkg-query'
        path.write_text(DPKG_QUERY % '|'.join(packages or ['none']))
        path.chmod(0o755)

    def install(self, mode):
        done = subprocess.run([str(SCRIPT), mode], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=60,
                              env={'PATH': str(self.bin),
                                   'POLICY_RC_D': str(self.policy)})
        installed = self.log.read_text() if self.log.exists() else ''
        return done, installed

    def test_nothing_is_missing(self):
        for mode in ('build', 'check', 'bench', 'hosts'):
            done, installed = self.install(mode)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (0, '', ''))
            self.assertEqual(installed, '')

    def test_neither_root_nor_sudo(self):
        self.missing(BUILD_PACKAGE, CHECK_PACKAGE)
        done, installed = self.install('check')
        self.assertEqual((done.returncode, done.stdout, installed),
                         (1, '', ''))
        self.assertRegex(done.stderr, r'\A[^\n]*apt-get install [^\n]*\n\Z')
        self.assertEqual(set(done.stderr.split()[-2:]),
                         {BUILD_PACKAGE, CHECK_PACKAGE})

    def test_building_needs_no_test_packages(self):
        self.missing(BUILD_PACKAGE, CHECK_PACKAGE)
        done, _ = self.install('build')
        self.assertIn(BUILD_PACKAGE, done.stderr)
        self.assertNotIn(CHECK_PACKAGE, done.stderr)

    def test_testing_needs_no_packages_of_the_benchmarks(self):
        self.missing(CHECK_PACKAGE, BENCH_PACKAGE)
        done, _ = self.install('check')
        self.assertNotIn(BENCH_PACKAGE, done.stderr)
        done, _ = self.install('bench')
        self.assertEqual(set(done.stderr.split()[-2:]),
                         {CHECK_PACKAGE, BENCH_PACKAGE})

    def test_testing_needs_no_packages_of_the_real_hosts(self):
        self.missing(CHECK_PACKAGE, HOSTS_PACKAGE)
        done, _ = self.install('check')
        self.assertNotIn(HOSTS_PACKAGE, done.stderr)
        done, _ = self.install('hosts')
        self.assertEqual(set(done.stderr.split()[-2:]),
                         {CHECK_PACKAGE, HOSTS_PACKAGE})

    def test_sudo_that_needs_a_password_is_not_asked(self):
        self.stand_in('sudo', '[ "$1" != -n ] || exit 1; exec "$@"')
        self.missing(BUILD_PACKAGE)
        done, installed = self.install('build')
        self.assertEqual((done.returncode, installed), (1, ''))
        self.assertIn(f'apt-get install --no-install-recommends '
                      f'{BUILD_PACKAGE}', done.stderr)

    def test_not_debian(self):
        (self.bin / 'dpkg-query').unlink()
        done, _ = self.install('build')
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr,
                         rf'\A[^\n]*not Debian[^\n]*{BUILD_PACKAGE}[^\n]*\n\Z')

    def test_wrong_usage(self):
        done, _ = self.install('everything')
        self.assertEqual(done.returncode, 2)

    def as_root(self):
        self.missing(BUILD_PACKAGE)
        self.stand_in('id', 'echo 0')
        return self.install('build')

    def assert_installed(self, done, installed):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(
            installed, r'noninteractive apt-get [^\n]*'
            rf'install --no-install-recommends {BUILD_PACKAGE}\n\Z')

    def test_as_root_services_stay_down(self):
        self.assert_installed(*self.as_root())
        self.assertIn('exit 101',
                      (self.directory / 'policy-then').read_text())
        self.assertFalse(self.policy.exists())

    def test_a_policy_of_the_machine_is_kept(self):
        self.policy.write_text('#!/bin/sh\nexit 101\n')
        self.assert_installed(*self.as_root())
        self.assertEqual(self.policy.read_text(), '#!/bin/sh\nexit 101\n')

    def test_with_sudo(self):
        self.missing(BUILD_PACKAGE)
        self.stand_in('id', 'echo ${ROOT_ID-1000}')
        self.stand_in('sudo', '[ "$1" != -n ] || shift\nROOT_ID=0 exec "$@"')
        self.assert_installed(*self.install('build'))

    def test_a_failing_install_is_tried_again_after_update(self):
        self.stand_in('apt-get', f'echo "$*" >>{self.log}; '
                      f'[ "$(wc -l <{self.log})" -gt 1 ]')
        done, installed = self.as_root()
        verbs = re.findall(r' (update|install)\b', installed)
        self.assertEqual(verbs[-2:], ['update', 'install'])
        self.assertEqual(done.returncode, 0)

    def test_an_install_that_fails_twice(self):
        self.stand_in('apt-get', 'echo no such package; exit 100')
        done, _ = self.as_root()
        self.assertEqual(done.returncode, 1)
        self.assertIn('no such package', done.stderr)
        self.assertIn(f'could not install: {BUILD_PACKAGE}', done.stderr)
        self.assertFalse(self.policy.exists())
