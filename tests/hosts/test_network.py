"""Servers and clients of other protocols: TLS, HTTP, DNS, MQTT, memcached."""

import os
import signal
import socket
import struct

from tests.support.hosts import RealHost, in_any_order
from tests.support.servers import Result, free_port


class Network(RealHost):
    def setUp(self):
        super().setUp()
        self.port = free_port()

    def step(self, directory, *command, stdin='', expect=0):
        done = self.job(command, directory, stdin)
        self.assertEqual(done.status, expect, done)
        return done.stdout + done.stderr

    def test_openssl_and_curl(self):
        """s_server serves a page by TLS; curl fetches it, s_client connects."""
        def session(directory):
            (self.work / 'page').write_text('a page by TLS\n')
            self.step(directory, 'openssl', 'req', '-x509', '-newkey',
                      'rsa:2048', '-nodes', '-keyout', 'key', '-out', 'cert',
                      '-subj', '/CN=localhost', '-days', '2', '-addext',
                      'subjectAltName=IP:127.0.0.1,DNS:localhost')
            seen = self.step(directory, 'openssl', 'x509', '-in', 'cert',
                             '-noout', '-subject')
            with self.host(['openssl', 's_server', '-accept',
                            f'127.0.0.1:{self.port}', '-key', 'key', '-cert',
                            'cert', '-WWW', '-quiet'], directory,
                           port=self.port) as server:
                self.look_at(server.pid)
                self.look_inside(server.pid, directory)
                address = f'https://127.0.0.1:{self.port}'
                seen += self.step(directory, 'curl', '-sS', '--cacert', 'cert',
                                  *[f'{address}/page'] * 5)
                # Names are looked up in threads.
                page = f'https://localhost:{self.port}/page'
                seen += self.step(directory, 'curl', '-sS4Z',
                                  '--no-progress-meter', '--cacert', 'cert',
                                  *[page] * 20)
                seen += self.step(directory, 'curl', '-sS',
                                  f'{address}/page', expect=60)
                seen += self.step(
                    directory, 'openssl', 's_client', '-connect',
                    f'127.0.0.1:{self.port}', '-CAfile', 'cert', '-quiet',
                    '-verify_return_error', stdin='GET /page HTTP/1.0\r\n\r\n')
                done = server.stop()
            return Result(done.status, seen, done.stderr)
        done = self.both(session, expect=-signal.SIGTERM)
        self.assertEqual(done.stdout.count('a page by TLS\n'), 26)
        self.tracked('openssl', 1000)
        self.assertEqual(self.inside['openssl'], 1)
        self.tracked('curl', 100)

    def query(self, name, stream=False):
        """The address that DNS gives for a name; by a stream, which has a
        process of its own."""
        labels = b''.join(bytes([len(part)]) + part.encode()
                          for part in name.split('.'))
        question = struct.pack('>6H', 4711, 256, 1, 0, 0, 0) + labels + bytes(
            [0, 0, 1, 0, 1])
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        length = struct.pack('>H', len(question)) if stream else b''
        with socket.socket(socket.AF_INET, kind) as client:
            client.settimeout(30)
            client.connect(('127.0.0.1', self.port))
            client.sendall(length + question)
            reply = client.recv(4096)[len(length):]
        status = reply[3] & 15
        return f'{name} {status} {reply[-4:].hex() if not status else ""}\n'

    def dnsmasq(self, hosts):
        return ['dnsmasq', '-C', '/dev/null', '-R', '-h', '-H', hosts, '-p',
                self.port, '-a', '127.0.0.1', '-z', '--local=/test/',
                '--user=' + ('root' if not os.geteuid() else ''),
                f'--pid-file={self.work}/pid']

    def test_dnsmasq_as_a_daemon(self):
        def session(directory):
            hosts = self.work / 'hosts'
            hosts.write_text('10.1.2.3 one.test\n')
            return self.daemon(
                [*self.dnsmasq(hosts), f'--log-facility={self.work}/log'],
                directory, self.port, lambda: self.query('one.test'))
        done = self.both(session)
        self.assertEqual(done.stdout, 'one.test 0 0a010203\nended with 0\n')
        self.assertEqual(self.inside['dnsmasq'], 1)

    def test_dnsmasq(self):
        """It has its own use for HUP, USR1 and USR2."""
        def session(directory):
            hosts = self.work / 'hosts'
            hosts.write_text(''.join(f'10.0.{i // 250}.{i % 250} h{i}.test\n'
                                     for i in range(2000)))
            with self.host([*self.dnsmasq(hosts), '-k', '--log-facility=-',
                            '--log-queries'], directory) as server:
                server.wait_for(lambda: 'read ' in server.read(server.errors),
                                'its names')
                seen = ''.join(self.query(f'h{i}.test')
                               for i in range(0, 2000, 20))
                seen += ''.join(self.query(f'h{i}.test', stream=True)
                                for i in range(5))
                self.look_at(server.pid)
                hosts.write_text('10.9.9.9 another.test\n')
                os.kill(server.pid, signal.SIGUSR1)
                server.wait_for(lambda: 'queries forwarded' in
                                server.read(server.errors), 'its figures')
                os.kill(server.pid, signal.SIGUSR2)
                os.kill(server.pid, signal.SIGHUP)
                server.wait_for(lambda: ' - 1 names' in
                                server.read(server.errors), 'its new names')
                seen += self.query('another.test') + self.query('gone.test')
                self.look_inside(server.pid, directory)
                done = server.stop()
            return Result(done.status, seen, done.stderr)
        # Its cache is told in columns, in an order of its own.
        done = self.both(session, scrub=in_any_order)
        self.assertIn('another.test 0 0a090909\ngone.test 3 \n', done.stdout)
        self.tracked('dnsmasq', 2000)
        self.assertEqual(self.inside['dnsmasq'], 1)

    def test_mosquitto(self):
        def session(directory):
            with self.host(['mosquitto', '-p', str(self.port)], directory,
                           port=self.port) as server:
                self.look_at(server.pid)
                at = ['-h', '127.0.0.1', '-p', self.port]
                seen = ''
                for i in range(10):
                    seen += self.step(directory, 'mosquitto_pub', *at, '-q',
                                      '1', '-r', '-t', f'topic/{i}', '-m',
                                      f'message {i}' * 1000)
                seen += self.step(directory, 'mosquitto_sub', *at, '-t',
                                  'topic/#', '-C', '10')
                self.look_inside(server.pid, directory)
                done = server.stop()
            lines = [line for line in done.stderr.splitlines()
                     if 'connect' not in line]
            return Result(done.status, seen, '\n'.join(lines))
        self.both(session, scrub=in_any_order)
        self.tracked('mosquitto', 100)
        self.assertEqual(self.inside['mosquitto'], 1)
        self.tracked('mosquitto_sub', 10)

    def test_mosquitto_as_a_daemon(self):
        def session(directory):
            path = self.work / 'configuration'
            path.write_text(f'listener {self.port} 127.0.0.1\n'
                            f'allow_anonymous true\n'
                            f'user {"root" if not os.geteuid() else ""}\n'
                            f'pid_file {self.work}/pid\n'
                            f'log_dest file {self.work}/log\n')
            at = ['-h', '127.0.0.1', '-p', self.port, '-t', 'topic']
            return self.daemon(
                ['mosquitto', '-d', '-c', path], directory, self.port,
                lambda: self.step(directory, 'mosquitto_pub', *at, '-r', '-m',
                                  'said') +
                self.step(directory, 'mosquitto_sub', *at, '-C', '1'))
        done = self.both(session)
        self.assertEqual(done.stdout, 'said\nended with 0\n')
        self.assertEqual(self.inside['mosquitto'], 1)

    def store(self):
        """1,000 values in memcached, by five connections."""
        seen = ''
        for _ in range(5):
            with socket.create_connection(('127.0.0.1', self.port),
                                          30) as client:
                for i in range(200):
                    client.sendall(b'set key%d 0 0 1000\r\n' % i +
                                   b'v' * 1000 + b'\r\n')
                    seen += client.recv(100).decode()
        return seen

    def memcached(self, *more):
        user = ['-u', 'nobody'] if os.geteuid() == 0 else []
        return ['memcached', '-l', '127.0.0.1', '-p', self.port, '-t', '2',
                '-m', '64', *user, *more]

    def test_memcached_as_a_daemon(self):
        def session(directory):
            return self.daemon(self.memcached('-d', '-P', self.work / 'pid'),
                               directory, self.port, self.store)
        done = self.both(session)
        self.assertEqual(done.stdout, 'STORED\r\n' * 1000 + 'ended with 0\n')
        self.assertEqual(self.inside['memcached'], 1)

    def test_memcached(self):
        def session(directory):
            with self.host(self.memcached(), directory,
                           port=self.port) as server:
                seen = self.store()
                self.look_at(server.pid)
                self.look_inside(server.pid, directory)
                done = server.stop()
            return Result(done.status, seen, done.stderr)
        done = self.both(session)
        self.assertEqual(done.stdout, 'STORED\r\n' * 1000)
        self.tracked('memcached', 10)
        self.assertEqual(self.inside['memcached'], 1)
