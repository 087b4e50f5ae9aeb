"""Interpreters: each runs a script that makes objects, children and, where it
can, threads, that tells which descriptors it has, and that ends with a status
of its own."""

from tests.support.hosts import RealHost

PYTHON = '/usr/bin/python3'


class Perl(RealHost):
    SCRIPT = '''
my %h; $h{$_} = "value $_" x 10 for 1 .. 20000;
my @sorted = sort { $h{$a} cmp $h{$b} } keys %h;
open my $pipe, "-|", "echo from a child" or die; print <$pipe>; close $pipe;
my $pid = fork; if (!$pid) { my @x = map { $_ x 100 } 1 .. 1000; exit 3 }
waitpid $pid, 0; print $? >> 8, "\\n";
local $SIG{ALRM} = sub { print "alarm\\n" }; kill ALRM => $$;
eval { die { code => 4 } }; print $@->{code}, "\\n";
use threads;
my @threads = map { my $n = $_; threads->create(sub {
  my @own = map { "x" x ($_ % 50) } 1 .. 5000; return $n * @own }) } 1 .. 4;
my $sum = 0; $sum += $_->join for @threads; print "$sum\\n";
open my $new, "<", "/dev/null"; opendir my $d, "/proc/self/fd";
print fileno($new), ": ", join(" ", sort readdir $d), "\\n";
print scalar(@sorted), " ", length(join "", values %h), "\\n"; exit 7;
'''

    def test_hashes_children_and_signals(self):
        done = self.both_jobs(['perl', '-e', self.SCRIPT], expect=7, scrub=str)
        self.assertIn('from a child\n3\nalarm\n4\n50000\n3: ', done.stdout)
        self.tracked('perl', 20000)


class Python(RealHost):
    EXTENSION = '''
#include <Python.h>
#include <string.h>

static PyObject *retain(PyObject *self, PyObject *size)
{
	size_t bytes = PyLong_AsSize_t(size);
	(void)self;
	return PyLong_FromVoidPtr(memset(malloc(bytes), 1, bytes));
}

static PyMethodDef methods[] = { { "retain", retain, METH_O, "" }, { 0 } };
static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT, "keeper", "", -1, methods, 0, 0, 0, 0
};

PyMODINIT_FUNC PyInit_keeper(void)
{
	return PyModule_Create(&module);
}
'''
    SETUP = '''
from setuptools import Extension, setup
setup(name="keeper", version="1",
      ext_modules=[Extension("keeper", ["keeper.c"])])
'''
    SCRIPT = '''
import concurrent.futures, ctypes, hashlib, json, keeper, multiprocessing, os
import subprocess, sys, threading

def square(n):
    return n * n

if __name__ == '__main__':
    print(sys.prefix.endswith('/venv'))
    addresses = {keeper.retain(54321) for _ in range(100)}
    with multiprocessing.get_context('fork').Pool(2) as pool:
        print(sum(pool.map(square, range(1000))))
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        print(len(set(threads.map(
            lambda n: hashlib.sha256(b'x' * n).hexdigest(), range(2000)))))
    print(subprocess.check_output(['echo', 'from a child'], text=True))
    print(len(json.dumps({str(n): [n] * 5 for n in range(5000)})))
    try:
        ctypes.CDLL('libnothing.so')
    except OSError as error:
        print(error)
    print(os.open('/dev/null', 0), sorted(os.listdir('/proc/self/fd')))
    sys.exit(len(addresses) - 93)
'''

    def session(self, directory):
        """A virtual environment, and an extension compiled into it."""
        def run(*command):
            done = self.job(command, directory,
                            extra={'PYTHONHASHSEED': '0'})
            self.assertEqual(done.status, 0, done)
        run(PYTHON, '-m', 'venv', '--without-pip',
            '--system-site-packages', 'venv')
        (self.work / 'keeper.c').write_text(self.EXTENSION)
        (self.work / 'setup.py').write_text(self.SETUP)
        (self.work / 'job.py').write_text(self.SCRIPT)
        python = self.work / 'venv' / 'bin' / 'python'
        run(python, 'setup.py', '-q', 'build_ext', '--inplace')
        return self.job([python, 'job.py'], directory)

    def test_venv_and_extension(self):
        done = self.both(self.session, scrub=str, expect=7)
        self.assertTrue(done.stdout.startswith('True\n332833500\n2000\n'))
        # The interpreter calls it in another way once it has warmed up.
        kept = sum(sample.values.inuse_objects
                   for snapshot in self.tracked('python3.11')
                   for sample in snapshot.samples
                   if sample.values.inuse_space ==
                   sample.values.inuse_objects * 54321 > 0)
        self.assertEqual(kept, 100)
        for command in 'x86_64-linux-gnu-gcc-12', 'cc1', 'x86_64-linux-gnu-as':
            self.tracked(command)


class Node(RealHost):
    SCRIPT = '''
const { Worker, isMainThread, parentPort, workerData } =
  require('worker_threads');
const zlib = require('zlib'), crypto = require('crypto');
if (!isMainThread) {
  const kept = [];
  for (let i = 0; i < 50; i++)
    kept.push(Buffer.allocUnsafeSlow(100000).fill(workerData));
  const packed = zlib.deflateSync(Buffer.concat(kept));
  parentPort.postMessage(zlib.inflateSync(packed).length);
} else {
  const workers = [1, 2, 3, 4].map(n => new Promise((done, failed) => {
    const worker = new Worker(__filename, { workerData: n });
    let size;
    worker.on('message', said => { size = said; });
    worker.on('exit', () => done(size)); worker.on('error', failed);
  }));
  Promise.all(workers).then(sizes => {
    console.log(sizes.join(' '));
    const { execSync } = require('child_process');
    console.log(execSync('echo from a child').toString());
    const key = crypto.pbkdf2Sync('a', 'b', 1000, 16, 'sha256');
    console.log(key.toString('hex'));
    let sum = 0;
    for (let i = 0; i < 3e6; i++) sum = (sum + i * 7) % 1000003;
    console.log(sum);
    const fs = require('fs');
    console.log(fs.openSync('/dev/null'));
    const never = new Worker('setInterval(() => {}, 1000)', { eval: true });
    never.on('online', () => never.terminate().then(() => process.exit(7)));
  });
}
'''

    CLUSTER = '''
const cluster = require('cluster'), http = require('http');
const { fork } = require('child_process');
if (process.argv[2] === 'child') {
  process.on('message', text => { process.send(text + '!'); process.exit(3); });
} else if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  let ready = 0, left = 200, sum = 0, over = false;
  setInterval(() => {}, 1000);  // or it ends before the signal comes
  const look = () => {
    if (over || Object.keys(cluster.workers).length) return;
    over = true;
    process.kill(process.pid, 'SIGUSR2');
  };
  // The last of them, either of which it may be, finds no worker left.
  cluster.on('exit', look);
  cluster.on('disconnect', look);
  process.on('SIGUSR2', () => {
    console.log('USR2');
    const child = fork(__filename, ['child']);
    child.on('message', text => console.log(text));
    child.on('exit', code => process.exit(code + 4));
    child.send('said');
  });
  cluster.on('listening', (worker, address) => {
    if (++ready < 2) return;
    const next = () => http.get({ port: address.port, agent: false }, reply => {
      reply.on('data', data => { sum += data.length; });
      reply.on('end', () => {
        if (--left) return next();
        console.log(sum);
        for (const worker of workers) worker.send('end');
      });
    });
    next();
  });
} else {
  const kept = [];
  http.createServer((request, reply) => {
    kept.push(Buffer.allocUnsafeSlow(10000));
    reply.end('x'.repeat(5000));
  }).listen(0, '127.0.0.1');
  process.on('message', () => process.exit(0));
}
'''

    def prepare(self):
        (self.work / 'job.js').write_text(self.SCRIPT)
        (self.work / 'cluster.js').write_text(self.CLUSTER)

    def test_cluster(self):
        """Processes that serve one port, and that talk to each other."""
        done = self.both_jobs(['node', 'cluster.js'], prepare=self.prepare,
                              expect=7, scrub=str)
        self.assertEqual(done.stdout, '1000000\nUSR2\nsaid!\n')
        found = self.tracked('node', 10000)
        self.assertEqual(len({s.comments['pid'] for s in found}), 4)

    def test_worker_threads(self):
        done = self.both_jobs(['node', 'job.js'], prepare=self.prepare,
                              expect=7, scrub=str)
        self.assertIn('5000000 5000000 5000000 5000000\nfrom a child\n',
                      done.stdout)
        self.tracked('node', 10000)


class Ruby(RealHost):
    SCRIPT = '''
kept = (1..20000).map { |n| "value #{n}" * 10 }
threads = 4.times.map do |t|
  Thread.new { (1..2000).map { |n| [n, t] }.to_h.size }
end
puts threads.map(&:value).sum
puts `echo from a child`
pid = fork { exit!(3) }
Process.wait pid
puts $?.exitstatus
require 'digest'; require 'json'
puts Digest::SHA256.hexdigest(JSON.dump(kept))
fiber = Fiber.new { 1000.times { |n| Fiber.yield "x" * n } }
puts 1000.times.sum { fiber.resume.size }
GC.start; GC.compact if GC.respond_to?(:compact)
trap('USR2') { puts 'USR2' }
Process.kill 'USR2', $$
sleep 0.01
def deep(n) = deep(n + 1)
begin; deep(0); rescue SystemStackError; puts 'deep'; end
puts "#{File.open('/dev/null').fileno}: #{Dir.children('/proc/self/fd').sort}"
exit 7
'''

    def test_threads_fibers_and_signals(self):
        done = self.both_jobs(['ruby', '-e', self.SCRIPT], expect=7, scrub=str)
        self.assertTrue(done.stdout.startswith('8000\nfrom a child\n3\n'))
        self.assertIn('499500\nUSR2\ndeep\n', done.stdout)
        self.tracked('ruby3.1', 20000)


class Php(RealHost):
    SCRIPT = '''
$kept = []; for ($i = 0; $i < 50000; $i++) $kept["k$i"] = str_repeat("v$i", 20);
ksort($kept); echo count($kept), " ", md5(serialize($kept)), "\\n";
echo shell_exec("echo from a child");
echo preg_match_all("/k(\\\\d+)/", implode(" ", array_keys($kept))), "\\n";
function gen() { for ($i = 0; $i < 1000; $i++) yield str_repeat("x", $i); }
$n = 0; foreach (gen() as $s) $n += strlen($s); echo $n, "\\n";
$d = scandir("/proc/self/fd"); sort($d); echo implode(" ", $d), "\\n"; exit(7);
'''

    def test_arrays(self):
        # With its own pools, and with a malloc for each object.
        for pools in '1', '0':
            with self.subTest(pools=pools):
                done = self.both_jobs(['php', '-r', self.SCRIPT], expect=7,
                                      scrub=str, extra={'USE_ZEND_ALLOC': pools})
                self.assertTrue(done.stdout.startswith('50000 '))
                self.assertIn('from a child\n50000\n499500\n', done.stdout)
        self.tracked('php8.2', 50000)


class Lua(RealHost):
    SCRIPT = '''
local kept = {}
for i = 1, 50000 do kept[i] = ("value " .. i):rep(5) end
local co = coroutine.wrap(function()
  for i = 1, 10000 do coroutine.yield({ i }) end end)
local sum = 0
for i = 1, 10000 do sum = sum + co()[1] end
print(#kept, sum, select(2, pcall(error, { code = 4 })).code)
local p = io.popen("echo from a child"); io.write(p:read("a")); p:close()
local null <const> = io.open("/dev/null")
p = io.popen("ls /proc/$PPID/fd"); io.write(p:read("a")); p:close()
kept = nil; collectgarbage(); os.exit(7, true)
'''

    def test_strings_and_coroutines(self):
        done = self.both_jobs(['lua5.4', '-'], self.SCRIPT, expect=7,
                              scrub=str)
        self.assertEqual(done.stdout, '50000\t50005000\t4\nfrom a child\n'
                         '0\n1\n2\n3\n4\n')
        self.tracked('lua5.4', 50000)
