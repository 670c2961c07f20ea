"""Names of a plane's nets across its bands: which nets of different bands are one, and what that shows by itself."""

from collections.abc import Iterable
from typing import Any

from metalrom.signoff.lvs_layout import EDGE


class NetNames:
    """Nets of a plane by the names on them. Bands are handed in from the top of the plane to its bottom."""

    def __init__(self) -> None:
        self._names: list[set[str]] = []
        self._same: list[int] = []
        self._across: dict[str, int] = {}
        self._nameless: list[str] = []

    def of_band(self, circuit: Any) -> dict[str, Any]:
        """The band's nets by their one name. Nets that bands above have joined become one net of the circuit."""
        nets: dict[int, list[Any]] = {}
        for net in list(circuit.each_net()):
            words = net.name.split(",") if net.name else []
            if not words:
                continue
            number = self._number({self._root(self._across[w]) for w in words if w in self._across})
            self._names[number] |= {w for w in words if not w.startswith(EDGE)}
            new = [w for w in words if w.startswith(EDGE) and w not in self._across]
            self._across |= dict.fromkeys(new, number)
            if new and not self._names[number]:
                _, x, y = new[0].rsplit("_", 2)
                self._nameless.append(f"a net without a name crosses rows at ({x}, {y}), database units")
            nets.setdefault(number, []).append(net)
        out: dict[str, Any] = {}
        for number, parts in nets.items():
            net = _joined(circuit, parts)
            own = self._names[self._root(number)]
            if len(own) == 1:
                net.name = next(iter(own))
                out.setdefault(net.name, net)
        return out

    def differences(self, pins: Iterable[str]) -> list[str]:
        """Shorts, opens and missing nets of the whole plane."""
        by_name: dict[str, int] = {}
        for number, names in enumerate(self._names):
            if self._root(number) == number:
                for name in names:
                    by_name[name] = by_name.get(name, 0) + 1
        shorts = [n for i, n in enumerate(self._names) if self._root(i) == i and len(n) > 1]
        out = [f"short: {' and '.join(sorted(names))} are one net" for names in shorts]
        for name in pins:
            if (number := by_name.get(name, 0)) != 1:
                out.append(f"open: {name} is {number} nets" if number else f"the layout has no net {name}")
        return out + self._nameless

    def _number(self, known: set[int]) -> int:
        """The number of a net that nets with these numbers are part of."""
        if not known:
            self._names.append(set())
            self._same.append(len(self._same))
            return len(self._same) - 1
        first, *others = sorted(known)
        for other in others:
            self._names[first] |= self._names[other]
            self._same[other] = first
        return first

    def _root(self, number: int) -> int:
        while self._same[number] != number:
            number = self._same[number]
        return number


def _joined(circuit: Any, nets: list[Any]) -> Any:
    """One net of several: in pairs, since joining takes time by the size of both."""
    while len(nets) > 1:
        for one, other in zip(nets[::2], nets[1::2], strict=False):
            circuit.join_nets(one, other)
        nets = nets[::2]
    return nets[0]
