"""Java: a just-in-time compiler, its own handlers for SEGV and USR2, a C++
library that a C program opens, threads, collections, buffers off its heap."""

from tests.support.hosts import RealHost

SIZE, COUNT = 1 << 20, 20
SOURCE = '''
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;

public class Job {
    static int depth(int n) { return n == 0 ? 0 : 1 + depth(n - 1); }

    static long work() {
        long sum = 0;
        HashMap<Integer, String> map = new HashMap<>();
        for (int i = 0; i < 200000; i++) {
            map.put(i % 5000, "v" + i);
            sum += map.get(i % 5000).length();
        }
        return sum;
    }

    public static void main(String[] words) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Long>> results = new ArrayList<>();
        for (int i = 0; i < 4; i++) results.add(pool.submit(Job::work));
        long sum = 0;
        for (Future<Long> result : results) sum += result.get();
        pool.shutdown();

        int nulls = 0, overflows = 0;
        for (int i = 0; i < 50000; i++) {
            String text = i % 10 == 0 ? null : "a";
            try { sum += text.length(); }
            catch (NullPointerException e) { nulls++; }
        }
        try { depth(10000000); }
        catch (StackOverflowError e) { overflows++; }

        List<ByteBuffer> kept = new ArrayList<>();
        for (int i = 0; i < COUNT; i++)
            kept.add(ByteBuffer.allocateDirect(SIZE));
        System.gc();
        Process child = new ProcessBuilder("echo", "from a child").start();
        System.out.print(new String(child.getInputStream().readAllBytes()));
        System.out.println(sum + " " + nulls + " " + overflows + " " +
                           child.waitFor());
        // Or else they are closed at some time, by another thread.
        child.getInputStream().close();
        child.getErrorStream().close();
        child.getOutputStream().close();
        String[] open = new java.io.File("/proc/self/fd").list();
        Arrays.sort(open);
        System.out.println(String.join(" ", open));
        System.exit(kept.size() - 13);
    }
}
'''.replace('COUNT', str(COUNT)).replace('SIZE', str(SIZE))


class Java(RealHost):
    def prepare(self):
        (self.work / 'Job.java').write_text(SOURCE)

    def run_it(self, *options):
        def session(directory):
            self.prepare()
            compiled = self.job(['javac', '-J-XX:-UsePerfData', 'Job.java'],
                                directory)
            self.assertEqual((compiled.status, compiled.stderr), (0, ''))
            return self.job(['java', '-XX:-UsePerfData', *options, 'Job'],
                            directory)
        done = self.both(session, scrub=str, expect=7)
        self.assertTrue(done.stdout.startswith(
            'from a child\n5200560 5000 1 0\n0 1 '))
        self.tracked('javac')
        self.tracked('java', 5000)
        self.assertGreaterEqual(self.live_at_end('java'), SIZE * COUNT)

    def test_default(self):
        self.run_it()

    def test_compiled_at_once(self):
        self.run_it('-Xcomp', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC')
