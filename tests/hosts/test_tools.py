"""Compilers, build tools, git, and a debugger at a process that carries the
agent."""

import hashlib
import re

from tests.support.hosts import RealHost, in_any_order
from tests.support.servers import Result, program

C = '''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node { struct node *next; char name[32]; };

int main(void)
{
	struct node *list = NULL;

	for (int i = 0; i < 1000; i++) {
		struct node *node = malloc(sizeof(*node));

		snprintf(node->name, sizeof(node->name), "%d", i);
		node->next = list;
		list = node;
	}
	printf("%s\\n", list->name);
	return 0;
}
'''
CXX = '''
#include <iostream>
#include <map>
#include <regex>
#include <string>

int main()
{
	std::map<std::string, std::vector<int>> table;
	for (int i = 0; i < 1000; i++)
		table[std::to_string(i % 100)].push_back(i);
	std::cout << table.size()
		  << std::regex_replace(" a b", std::regex("[ab]"), "x") << "\\n";
	try { throw std::runtime_error("thrown"); }
	catch (const std::exception &e) { std::cout << e.what() << "\\n"; }
}
'''
CMAKE = '''
cmake_minimum_required(VERSION 3.20)
project(job C CXX)
add_library(part STATIC part.c)
add_executable(one one.c)
add_executable(two two.cc)
target_link_libraries(two part)
'''


class Tools(RealHost):
    def write_sources(self):
        (self.work / 'one.c').write_text(C)
        (self.work / 'two.cc').write_text(CXX)
        (self.work / 'part.c').write_text('int part(void) { return 1; }\n')
        (self.work / 'CMakeLists.txt').write_text(CMAKE)

    def steps(self, directory, *commands, **options):
        """What all of them say, one after the other."""
        seen = ''
        for command in commands:
            done = self.job(command, directory, **options)
            self.assertEqual(done.status, 0, (command, done))
            seen += done.stdout + done.stderr
        return seen

    def digests(self, *names):
        return ''.join(hashlib.sha256((self.work / name).read_bytes())
                       .hexdigest() + '\n' for name in names)

    def test_gcc(self):
        """With precompiled and link-time optimised code; the same result."""
        def session(directory):
            self.write_sources()
            seen = self.steps(
                directory,
                ['gcc', '-O2', '-g', '-Wall', '-c', 'one.c', '-o', 'one.o'],
                ['gcc', '-O2', '-flto', 'one.c', 'part.c', '-o', 'one',
                 '-frandom-seed=1'],
                ['g++', '-O1', 'two.cc', '-o', 'two'],
                ['./one'], ['./two'])
            return Result(0, seen + self.digests('one.o', 'two'), '')
        done = self.both(session, scrub=str)
        self.assertTrue(done.stdout.startswith('999\n100 x x\nthrown\n'))
        for command in 'cc1', 'cc1plus', 'lto1', 'two':
            self.tracked(command, 100)
        one, = self.tracked('one', 1000)
        self.assertIn((1000, 40000), [(s.values.inuse_objects,
                                       s.values.inuse_space)
                                      for s in one.samples])

    def test_cmake(self):
        def session(directory):
            self.write_sources()
            seen = self.steps(directory,
                              ['cmake', '-S', '.', '-B', 'made'],
                              ['cmake', '--build', 'made', '-j', '2'],
                              ['made/two'])
            # Its two jobs end in any order, at any percentage.
            seen = re.sub(r'\[ *\d+%\]', '', seen)
            return Result(0, seen, '')
        self.interval = '2s'
        done = self.both(session, scrub=in_any_order)
        self.assertIn('100 x x', done.stdout)
        self.tracked('cmake', 1000)
        self.tracked('make', 100)

    def test_git(self):
        git = ['git', '-c', 'user.name=x', '-c', 'user.email=x@localhost',
               '-c', 'init.defaultBranch=main']
        dates = {'GIT_AUTHOR_DATE': '2026-01-01T00:00:00Z',
                 'GIT_COMMITTER_DATE': '2026-01-01T00:00:00Z',
                 'GIT_CONFIG_NOSYSTEM': '1'}

        def session(directory):
            (self.work / 'one').mkdir()
            for i in range(300):
                (self.work / 'one' / f'file{i}').write_text(f'{i}\n' * 200)
            one = [*git, '-C', 'one']
            seen = self.steps(
                directory, [*git, 'init', '-q', 'one'], [*one, 'add', '.'],
                [*one, 'commit', '-q', '-m', 'all'],
                [*git, 'clone', '-q', '--no-local', 'one', 'two'],
                [*git, 'clone', '-q', '--bare', 'one', 'three'],
                [*git, '-C', 'two', 'gc', '-q'],
                [*git, '-C', 'two', 'log', '--stat', '--oneline'],
                [*git, '-C', 'two', 'fsck', '--full'],
                [*git, '-C', 'three', 'rev-parse', 'HEAD'], extra=dates)
            return Result(0, seen, '')
        done = self.both(session, scrub=str)
        self.assertIn('300 files changed, 60000 insertions', done.stdout)
        self.tracked('git', 1000)

    def test_gdb(self):
        """Attached to a process that carries the agent, and carrying it itself:
        threads, a call of malloc, a break in it, and the process goes on."""
        def session(directory):
            with self.host([program('puppet')], directory) as puppet:
                puppet.tell('alloc 1000')
                puppet.wait_output('done alloc')
                seen = self.steps(directory, [
                    'gdb', '-q', '-nx', '-batch', '-p', puppet.pid,
                    '-ex', 'print ((void *(*)(long))malloc)(12345) != 0',
                    '-ex', 'break free',
                    '-ex', 'print 6 * 7',
                    '-ex', 'detach'])
                puppet.tell('alloc 777')
                puppet.wait_for(lambda: puppet.read(
                    puppet.output).count('done') == 2, 'an answer')
                self.look_at(puppet.pid)
                puppet.process.stdin.close()
                done = puppet.stop(None)
            results = [line for line in seen.splitlines()
                       if line.startswith('$')]
            return Result(done.status, done.stdout + '\n'.join(results),
                          done.stderr)
        done = self.both(session)
        self.assertIn('$1 = 1\n$2 = 42', done.stdout)
        found = self.tracked('puppet', 3)
        sizes = [s.values.inuse_space for s in found[-1].samples]
        self.assertLessEqual({1000 + 777, 12345}, set(sizes))
        self.tracked('gdb', 1000)
