"""Proxies for trials, in this process: SOCKS5 and PROXY protocol version 2. Each binds the outgoing address that it is told."""
import socket
import struct
import threading


class Proxy:
    """`bind`: the address to connect from, whatever is asked for; None: what the PROXY header says."""

    def __init__(self, serve, bind=None):
        self.serve, self.bind, self.peers = serve, bind, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(client,), daemon=True).start()

    def run(self, client):
        try:
            with client:
                with self.serve(self, client) as upstream:
                    other = threading.Thread(target=pump, args=(upstream, client), daemon=True)
                    other.start()
                    pump(client, upstream)
                    other.join()
        except OSError:
            pass

    def connect(self, peer, source):
        self.peers.append((source, peer))
        return socket.create_connection(peer, timeout=30, source_address=(source, 0))

    def stop(self):
        self.listener.close()


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def exactly(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def socks5(proxy, client):
    version, count = exactly(client, 2)
    exactly(client, count)
    client.sendall(b"\5\0")
    version, command, _, kind = exactly(client, 4)
    host = socket.inet_ntoa(exactly(client, 4))
    port = struct.unpack("!H", exactly(client, 2))[0]
    assert (version, command, kind) == (5, 1, 1)
    upstream = proxy.connect((host, port), proxy.bind)
    bound, bound_port = upstream.getsockname()
    client.sendall(b"\5\0\0\1" + socket.inet_aton(bound) + struct.pack("!H", bound_port))
    return upstream


def proxy_v2(proxy, client):
    head = exactly(client, 16)
    assert head[:12] == b"\r\n\r\n\0\r\nQUIT\n" and head[12:14] == b"\x21\x11", head
    body = exactly(client, struct.unpack("!H", head[14:16])[0])
    source, target = socket.inet_ntoa(body[:4]), socket.inet_ntoa(body[4:8])
    return proxy.connect((target, struct.unpack("!H", body[10:12])[0]), source)
