"""A TCP hop that can be cut: while it is cut nothing passes in either direction and nobody is told, as when a cable is out."""
import selectors
import socket
import threading

CHUNK = 65536


class Cut:
    """Listens on `address` (127.0.0.1, a free port) and connects everything to `target`."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.is_cut = threading.Event()
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.peers = {}
        self.wake_in, self.wake_out = socket.socketpair()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.wake_in, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def cut(self):
        self.is_cut.set()

    def mend(self):
        self.is_cut.clear()

    def stop(self):
        self.stopping = True
        self.wake_out.send(b"x")
        self.thread.join(5)
        for s in [*self.peers, self.listener, self.wake_in, self.wake_out]:
            s.close()

    def accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(self.target, timeout=5)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[one] = other
            self.selector.register(one, selectors.EVENT_READ)

    def drop(self, one):
        other = self.peers.pop(one, None)
        for s in (one, other):
            if s is not None:
                self.peers.pop(s, None)
                self.selector.unregister(s)
                s.close()

    def run(self):
        while not self.stopping:
            if self.is_cut.is_set():
                # Nothing is read: the bytes wait in the kernel, as they would in the network.
                self.wake_in.settimeout(0.05)
                try:
                    self.wake_in.recv(1)
                except OSError:
                    pass
                continue
            for key, _ in self.selector.select(0.05):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is self.wake_in or key.fileobj not in self.peers:
                    continue
                else:
                    self.pass_on(key.fileobj)

    def pass_on(self, one):
        try:
            data = one.recv(CHUNK)
            if data:
                self.peers[one].sendall(data)
            else:
                self.drop(one)
        except OSError:
            self.drop(one)
