"""chromium renders a page: a dozen processes, PartitionAlloc in the executable
(so that only mappings and threads are there to see), threads by the hundred.

Its zygote ends itself when it is not the only thread of its process: the agent's
thread waits until there are others."""

import re

from tests.support.hosts import RealHost

PAGE = '''<html><body><h1 id="title">before</h1><script>
for (let i = 0; i < 1000; i++) {
  const row = document.createElement("p");
  row.textContent = "row " + i;
  document.body.appendChild(row);
}
document.getElementById("title").textContent =
  "made " + document.querySelectorAll("p").length;
</script></body></html>
'''


class Chromium(RealHost):
    interval = '500ms'

    def render(self, *more, **options):
        def session(directory):
            (self.work / 'page.html').write_text(PAGE)
            done = self.job(
                ['/usr/lib/chromium/chromium', '--headless', '--no-sandbox',
                 '--disable-gpu', f'--user-data-dir={self.work}/profile',
                 *more, '--dump-dom', f'file://{self.work}/page.html'],
                directory, **options)
            # On stderr it misses buses, now more, now less often; its
            # profile has other files each time.
            self.assertNotIn('leakagent', re.sub(
                re.escape(str(self.work)), '', done.stderr))
            return done._replace(stderr='')
        done = self.both(session, scrub=str, same_files=False)
        self.assertIn('made 1000', done.stdout)

    def test_all_its_processes(self):
        self.render()
        found = self.tracked('chromium', 0)
        # It kills some of them at its end, now more, now fewer.
        self.assertGreater(len(found), 1)
        self.assertGreater(max(s.total('thread').alloc_objects for s in found),
                           10)

    def test_the_first_process_alone(self):
        self.render(children='off')
        self.tracked('chromium', 0)
