"""Web servers and a proxy, each with its own way of making processes or
threads, and of starting anew without losing a connection."""

import os
import shutil
import signal

from tests.support.hosts import (RealHost, descriptors, fetch,
                                 in_any_order)
from tests.support.servers import Result, children_of, free_ports, wait_for

PAGE = 'a page\n' * 10
NGINX = shutil.which('nginx')  # it starts itself anew by that path
MODULES = '/usr/lib/apache2/modules'


def no_connections(pid):
    """Its descriptors otherwise: it keeps some, now more, now less."""
    return sorted(what for _, what in descriptors(pid) if 'socket' not in what)


def no_pages(pid):
    """Its descriptors otherwise: it keeps those of pages for a while."""
    return [entry for entry in descriptors(pid) if '/pages/' not in entry[1]]


class WebServer(RealHost):
    def setUp(self):
        super().setUp()
        self.port, self.second = free_ports(2)

    def configure(self, text, **words):
        for name in ('pages', 'logs', 'cache'):
            folder = self.work / name
            folder.mkdir()
            folder.chmod(0o777)
        (self.work / 'pages' / 'index.html').write_text(PAGE)
        path = self.work / 'configuration'
        path.write_text(text.format(work=self.work, port=self.port,
                                    second=self.second, **words))
        return path

    def logged(self):
        """What it wrote into its log."""
        return (self.work / 'logs' / 'error').read_text()

    def children(self, server, count):
        server.wait_for(lambda: len(children_of(server.pid)) >= count,
                        f'{count} children')
        return children_of(server.pid)

    def other_children(self, server, old):
        """When it has started anew."""
        server.wait_for(lambda: set(children_of(server.pid)) - set(old),
                        'new processes')


class Apache(WebServer):
    CONFIGURATION = '''
ServerRoot {work}
ServerName localhost
PidFile {work}/pid
Listen 127.0.0.1:{port}
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule env_module {modules}/mod_env.so
LoadModule {cgi}_module {modules}/mod_{cgi}.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule deflate_module {modules}/mod_deflate.so
LoadModule filter_module {modules}/mod_filter.so
{socket}
User {user}
Group {group}
DocumentRoot {work}/pages
ErrorLog {work}/logs/error
ScriptAlias /script {work}/pages/script
SetOutputFilter DEFLATE
StartServers {servers}
MaxConnectionsPerChild {most}
'''

    def configured(self, mpm, cgi, servers, most, socket=''):
        root = os.geteuid() == 0
        path = self.configure(
            self.CONFIGURATION, mpm=mpm, cgi=cgi, modules=MODULES,
            servers=servers, most=most, socket=socket,
            user='www-data' if root else f'#{os.getuid()}',
            group='www-data' if root else f'#{os.getgid()}')
        script = self.work / 'pages' / 'script'
        script.write_text('#!/bin/sh\nprintf "Content-Type: text/plain\n'
                          '\n"; echo "a script: $REQUEST_METHOD"\n')
        script.chmod(0o755)
        return path

    def run_it(self, *how):
        def session(directory):
            path = self.configured(*how)
            with self.host(['apache2', '-f', path, '-DFOREGROUND'], directory,
                           port=self.port) as server:
                old = self.children(server, 2)
                self.look_inside(server.pid, directory)
                seen = fetch(self.port, times=150)
                seen += fetch(self.port, '/script', times=5)
                self.look_at(server.pid, below=True)
                os.kill(server.pid, signal.SIGUSR1)  # start anew, gracefully
                self.other_children(server, old)
                seen += fetch(self.port, times=100)
                seen += fetch(self.port, '/missing')
                done = server.stop()
            self.assertNotIn('exit signal', self.logged())
            return Result(done.status, seen, done.stderr)
        done = self.both(session)
        self.assertIn(f'/: [{"200 " + PAGE!r}]', done.stdout)
        self.assertGreater(self.inside['apache2'], 2)
        found = self.tracked('apache2', 100)
        self.assertGreater(len({s.comments['pid'] for s in found}), 2)

    def test_prefork(self):
        self.run_it('prefork', 'cgi', 3, 40)

    def test_event(self):
        self.run_it('event', 'cgid', 2, 0, f'ScriptSock {self.work}/socket')

    def test_as_a_daemon(self):
        """Started, and told to start anew, by its own program."""
        def session(directory):
            path = self.configured('prefork', 'cgi', 2, 0)

            def talk():
                seen = fetch(self.port, '/script')
                done = self.job(['apache2', '-f', path, '-k', 'graceful'],
                                directory)
                seen += done.stdout + done.stderr
                wait_for(lambda: self.logged().count('resuming') == 2,
                         'its new start')
                return seen + fetch(self.port, times=20)
            return self.daemon(['apache2', '-f', path, '-k', 'start'],
                               directory, self.port, talk)
        done = self.both(session)
        self.assertIn('ended with 0\n', done.stdout)
        self.assertGreaterEqual(self.inside['apache2'], 2)


class Nginx(WebServer):
    CONFIGURATION = '''
daemon {daemon};
env LD_PRELOAD; env LEAKAGENT_DIR; env LEAKAGENT_CONF;
worker_processes 2;
pid {work}/pid;
error_log {work}/logs/error error;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {work}/cache/body;
    proxy_temp_path {work}/cache/proxy;
    fastcgi_temp_path {work}/cache/fastcgi;
    uwsgi_temp_path {work}/cache/uwsgi;
    scgi_temp_path {work}/cache/scgi;
    proxy_cache_path {work}/cache/pages keys_zone=pages:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{second}; proxy_cache pages;
                      proxy_cache_valid 200 1h; gzip on; }}
    }}
    server {{ listen 127.0.0.1:{second}; root {work}/pages; }}
}}
'''

    def session(self, directory):
        path = self.configure(self.CONFIGURATION, daemon='off')
        with self.host(['nginx', '-c', path, '-e', 'stderr'], directory,
                       port=self.port) as server:
            # The cache's manager and loader, too.
            old = self.children(server, 3)
            seen = fetch(self.port, times=100)
            self.look_at(server.pid)
            self.look_inside(server.pid, directory)
            os.kill(server.pid, signal.SIGHUP)
            self.other_children(server, old)
            seen += fetch(self.port, times=100)
            seen += fetch(self.port, '/missing')
            done = server.stop(signal.SIGQUIT)
        self.assertNotIn('exited on signal', self.logged())
        return Result(done.status, seen, done.stderr)

    def test_a_cache_and_a_new_start(self):
        done = self.both(self.session)
        self.assertIn(f'/: [{"200 " + PAGE!r}]', done.stdout)
        found = self.tracked('nginx', 50)
        self.assertGreater(self.inside['nginx'], 3)
        # Two workers, twice, and the others that look after the cache.
        self.assertGreaterEqual(len({s.comments['pid'] for s in found}), 6)

    def test_as_a_daemon(self):
        """It replaces its program on USR2, which inherits its connections by
        the numbers of their descriptors."""
        def session(directory):
            path = self.configure(self.CONFIGURATION, daemon='on')

            def talk():
                old = int((self.work / 'pid').read_text())
                wait_for(lambda: len(children_of(old)) >= 4, 'its workers')
                seen = fetch(self.port, times=20)
                os.kill(old, signal.SIGUSR2)
                wait_for((self.work / 'pid.oldbin').exists, 'the new program')
                wait_for((self.work / 'pid').exists, 'its pid')
                self.look_inside(old, directory)
                os.kill(old, signal.SIGQUIT)
                wait_for(lambda: not (self.work / 'pid.oldbin').exists(),
                         'the end of the old one')
                return seen + fetch(self.port, times=20)
            return self.daemon([NGINX, '-c', path, '-e', 'stderr'],
                               directory, self.port, talk,
                               stop=signal.SIGQUIT)
        done = self.both(session)
        self.assertIn('ended with 0\n', done.stdout)
        self.assertGreater(self.inside['nginx'], 9)


class Lighttpd(WebServer):
    CONFIGURATION = '''
server.document-root = "{work}/pages"
server.port = {port}
server.bind = "127.0.0.1"
server.errorlog = "{work}/logs/error"
server.pid-file = "{work}/pid"
server.max-worker = {workers}
server.modules = ("mod_indexfile", "mod_deflate", "mod_cgi")
index-file.names = ("index.html")
deflate.mimetypes = ("text/")
deflate.cache-dir = "{work}/cache"
cgi.assign = (".sh" => "/bin/sh")
'''

    def configured(self, workers):
        path = self.configure(self.CONFIGURATION, workers=workers)
        (self.work / 'pages' / 'script.sh').write_text(
            'printf "Content-Type: text/plain\n\n"; echo a script\n')
        return path

    def test_as_a_daemon(self):
        def session(directory):
            return self.daemon(['lighttpd', '-f', self.configured(2)],
                               directory, self.port,
                               lambda: fetch(self.port, times=20) +
                               fetch(self.port, '/script.sh'), each=no_pages)
        done = self.both(session)
        self.assertIn('ended with 0\n', done.stdout)
        self.assertEqual(self.inside['lighttpd'], 3)

    def session(self, directory):
        path = self.configured(0)
        with self.host(['lighttpd', '-D', '-f', path], directory,
                       port=self.port) as server:
            seen = fetch(self.port, times=100)
            seen += fetch(self.port, '/script.sh', times=5)
            self.look_at(server.pid, no_pages)
            self.look_inside(server.pid, directory)
            done = server.stop(signal.SIGINT)
            seen += self.logged()
        return Result(done.status, seen, done.stderr)

    def test_pages_and_scripts(self):
        done = self.both(self.session)
        self.assertIn("/script.sh: ['200 a script\\n']", done.stdout)
        self.tracked('lighttpd', 100)
        self.assertEqual(self.inside['lighttpd'], 1)


class Haproxy(WebServer):
    CONFIGURATION = '''
global
    nbthread 2
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
listen front
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{second}
listen back
    bind 127.0.0.1:{second}
    http-request return status 200 content-type text/plain lf-string "%[path]"
'''

    def session(self, directory):
        """A master that replaces its program on USR2, and its workers."""
        path = self.configure(self.CONFIGURATION)
        with self.host(['haproxy', '-W', '-db', '-f', path], directory,
                       port=self.port) as server:
            old = self.children(server, 1)
            seen = fetch(self.port, '/one', times=100)
            self.look_at(server.pid)
            os.kill(server.pid, signal.SIGUSR2)
            self.other_children(server, old)
            # Which descriptors it has now depends on when the old worker ended.
            seen += fetch(self.port, '/two', times=100)
            self.look_inside(server.pid, directory)
            done = server.stop(signal.SIGUSR1)
        return Result(done.status, seen, done.stderr)

    def test_master_and_workers(self):
        done = self.both(self.session, scrub=in_any_order)
        self.assertIn("/two: ['200 /two']", done.stdout)
        self.tracked('haproxy', 500)
        self.assertGreaterEqual(self.inside['haproxy'], 2)

    def test_as_a_daemon(self):
        def session(directory):
            path = self.configure(self.CONFIGURATION)
            return self.daemon(['haproxy', '-D', '-f', path, '-p',
                                self.work / 'pid'], directory, self.port,
                               lambda: fetch(self.port, '/one', times=20),
                               stop=signal.SIGUSR1, each=no_connections)
        done = self.both(session)
        self.assertIn('ended with 0\n', done.stdout)
        self.assertEqual(self.inside['haproxy'], 1)
