"""Shells, a terminal multiplexer, a sandbox: programs that are mostly about
other processes, their descriptors, terminals and namespaces."""

from tests.support.hosts import (RealHost, adopt_orphans, endings,
                                 kill_children)
from tests.support.servers import Result, wait_for

SCRIPT = '''
set -o pipefail
declare -A table
for i in {1..3000}; do table[key$i]="value $i"; done
echo ${#table[@]}
first() { local x=$1; (( x > 0 )) && first $((x - 1)); echo -n $x; }
first 50; echo
exec 7>made; echo into a file >&7; exec 7>&-
cat made; ls -l /proc/self/fd | wc -l
diff <(seq 1 10) <(seq 1 11); echo diff said $?
echo one | { read x; echo "read $x"; } | tr a-z A-Z
trap 'echo got USR1' USR1; kill -USR1 $$
trap 'echo got USR2' USR2; kill -USR2 $$
(exit 3); echo $?
sleep 100 & kill $!; wait $!; echo $?
coproc cat; echo through a coprocess >&${COPROC[1]}; read -u ${COPROC[0]} line
echo "$line"
cat <<< "here"
false | true; echo $?
ulimit -n 64; echo $(ulimit -n)
env -i /bin/echo no environment
exit 7
'''


class Bash(RealHost):
    def test_a_long_script(self):
        done = self.both_jobs(['bash', '-s'], SCRIPT, expect=7)
        self.assertIn('got USR1\ngot USR2\n3\n143\nthrough a coprocess',
                      done.stdout)
        self.tracked('bash', 6000)

    def test_its_last_words(self):
        """It replaces itself by the last command of -c."""
        done = self.both_jobs(['bash', '-c', 'x=$(seq 1 2000); exec wc -w <<< '
                               '"$x"'])
        self.assertEqual(done.stdout, '2000\n')
        self.tracked('bash')
        self.tracked('wc')


class Tmux(RealHost):
    def session(self, directory):
        """A server that stays in the foreground, and clients of it."""
        socket = self.work / 'socket'

        def ask(*words):
            done = self.job(['tmux', '-S', socket, *words], directory)
            self.assertEqual((done.status, done.stderr), (0, ''))
            return done.stdout
        with self.host(['tmux', '-S', socket, '-f', '/dev/null', '-D'],
                       directory, extra={'TERM': 'xterm'}) as server:
            server.wait_for(socket.exists, 'its socket')
            ask('new-session', '-d', '-s', 'one', '-x', '100', '-y', '30',
                'sh -c "echo in a window; exec cat"')
            ask('split-window', '-h', '-t', 'one',
                'sh -c "seq 1 500; exec cat"')
            server.wait_for(lambda: '500' in ask('capture-pane', '-p', '-t',
                                                 'one.1'), 'the numbers')
            ask('send-keys', '-t', 'one.0', 'typed', 'Enter')
            server.wait_for(lambda: ask('capture-pane', '-p', '-t',
                                        'one.0').count('typed') == 2, 'an echo')
            self.look_at(server.pid)
            seen = ask('capture-pane', '-p', '-S', '-', '-t', 'one.1')
            seen += ask('capture-pane', '-p', '-t', 'one.0')
            seen += ask('list-panes', '-a')
            ask('kill-server')
            done = server.stop(None)
        return Result(done.status, seen, done.stderr)

    def test_as_a_daemon(self):
        """The server is a child of the first client, and ends with the last
        window."""
        def session(directory):
            tmux = ['tmux', '-S', self.work / 'socket', '-f', '/dev/null']

            def ask(*words):
                done = self.job([*tmux, *words], directory,
                                extra={'TERM': 'xterm'})
                return f'{done.status} {done.stdout}{done.stderr}'
            adopt_orphans()
            self.addCleanup(kill_children)
            # Windows without a name are named after what runs in them just now.
            seen = ask('new-session', '-d', '-n', 'one',
                       'echo hello; read x')
            pid = int(ask('display-message', '-p', '#{pid}').split()[1])
            wait_for(lambda: 'hello' in ask('capture-pane', '-p'), 'its window')
            self.look_inside(pid, directory)
            seen += ask('list-windows') + ask('send-keys', 'Enter')
            return Result(0, seen + endings(), '')
        done = self.both(session)
        self.assertTrue(done.stdout.endswith('0 ended with 0\n'))
        self.assertEqual(self.inside['tmux'], 1)

    def scrub(self, text):
        """Without how long its history is in bytes."""
        return [line.split(' bytes')[0].rpartition(' ')[0] if ' bytes' in line
                else line for line in text.splitlines()]

    def test_windows(self):
        done = self.both(self.session, scrub=self.scrub)
        self.assertIn('in a window\ntyped\ntyped\n', done.stdout)
        self.tracked('tmux', 1000)


class Bwrap(RealHost):
    SHARED = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc',
              '--die-with-parent']

    def run_it(self, *sandbox):
        def session(directory):
            script = ('echo pid $$; ls /proc | grep -c "^[0-9]"; id -u; '
                      'touch /x 2>&1; perl -e \'$x{$_} = $_ for 1 .. 5000; '
                      'print scalar(keys %x), "\n"\'; exit 7')
            place = []
            if directory is not None:
                place = ['--bind', directory, directory]
            return self.job(['bwrap', *self.SHARED, *place, *sandbox,
                             'sh', '-c', script], directory)
        done = self.both(session, expect=7)
        self.assertIn('5000\n', done.stdout)
        self.tracked('perl', 5000)

    def test_namespaces(self):
        self.run_it('--unshare-pid', '--unshare-net', '--unshare-ipc',
                    '--unshare-uts')

    def test_pid_1(self):
        self.run_it('--unshare-pid', '--as-pid-1')

    def test_user_namespace(self):
        self.run_it('--unshare-user', '--uid', '1000')
