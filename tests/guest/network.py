"""The network of a scenario: a bridge in its namespace, and a cable to that of each guest."""

import subprocess

SUBNET = "192.168.50"
BRIDGE = "br0"


def ip(*words: str, inside: str | None = None) -> None:
    """Runs `ip`, in a guest's namespace where one is named."""
    subprocess.run(["ip", *(["-n", inside] if inside else []), *words], check=True)


class Network:
    """Gives each guest a static address; nothing leads out of it."""

    def __init__(self, names: list[str]) -> None:
        others = [name for name in names if name != "openbao"]
        numbers = {"openbao": 2} | {name: 11 + place for place, name in enumerate(others)}
        self.numbers = {name: numbers[name] for name in names}
        ip("link", "set", "lo", "up")
        # Nobody measures or listens here: no spanning tree, no IPv6 addresses, no waiting.
        ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        ip("link", "set", BRIDGE, "up")
        for name in names:
            self._connect(name)

    def address(self, name: str) -> str:
        """A guest's address."""
        return f"{SUBNET}.{self.numbers[name]}"

    def hosts(self) -> str:
        """The text of /etc/hosts."""
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        return "\n".join([*lines, *(f"{self.address(name)} {name}" for name in self.numbers), ""])

    def block(self, name: str) -> None:
        """Drops every packet to and from a guest without an answer."""
        ip("link", "set", self._port(name), "nomaster")

    def unblock(self, name: str) -> None:
        """Undoes `block`."""
        ip("link", "set", self._port(name), "master", BRIDGE)

    def _port(self, name: str) -> str:
        return f"port{self.numbers[name]}"

    def _hardware_address(self, name: str) -> str:
        return f"02:00:00:00:00:{self.numbers[name]:02x}"

    def _connect(self, name: str) -> None:
        ip("netns", "add", name)
        port, mac = self._port(name), self._hardware_address(name)
        peer = ["peer", "name", "eth0", "address", mac, "netns", name]
        ip("link", "add", port, "type", "veth", *peer)
        ip("link", "set", port, "master", BRIDGE, "up")
        ip("link", "set", "lo", "up", inside=name)
        ip("link", "set", "eth0", "up", inside=name)
        ip("address", "add", f"{self.address(name)}/24", "dev", "eth0", inside=name)
        # Known for ever: a blocked neighbour is one that never answers, as it is behind a router,
        # and not one of whom the kernel says after three seconds that there is no such host.
        for other in self.numbers:
            if other != name:
                known = ["lladdr", self._hardware_address(other), "dev", "eth0", "nud", "permanent"]
                ip("neighbour", "add", self.address(other), *known, inside=name)
