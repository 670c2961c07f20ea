"""Lines as scattering parameters with scikit-rf: Touchstone files, and few-pole vector fits as SPICE subcircuits.

A fit goes out as it is or not at all: passivity is never enforced behind the caller's back (enforcing it on a violation
of 7e-12 moved the DC value by 0.5 %). Vector fitting: B. Gustavsen and A. Semlyen, IEEE Trans. Power Delivery 14,
1999, 1052, in scikit-rf's implementation.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import skrf
from numpy.typing import ArrayLike, NDArray
from skrf.vectorFitting import VectorFitting

from interconnect.admittance import admittance
from interconnect.arrays import FloatArray
from interconnect.errors import InputError, SolverError
from interconnect.network import LinearNetwork, NodeList

if TYPE_CHECKING:
    import skrf
    from skrf.vectorFitting import VectorFitting


PASSIVE = 1e-6
"""Excess of a singular value of S over 1 that the fit's own error may explain."""

MAX_ROUNDING = 1e-12
"""Largest difference of a scattering parameter between a Touchstone file and what was to be written."""


def line_parameters(
    network: LinearNetwork, ports: NodeList | int | str, frequencies: ArrayLike, *, z0: float = 50.0, name: str = "line"
) -> skrf.Network:
    """Scattering parameters of a network between its ports.

    S = (1 - z0 Y)(1 + z0 Y)^-1 from the exact admittance. A reference well below the line's resistance
    makes the poles of S those of the driven line, which few real poles fit well and passively.

    Parameters
    ----------
    network : LinearNetwork
        Resistors and capacitors.
    ports : NodeList or int or str
        The ports, in order.
    frequencies : ArrayLike
        Increasing, shape (count,), Hz.
    z0 : float
        Reference impedance, ohm.
    name : str
        Name of the result.

    Returns
    -------
    skrf.Network
        S, shape (count, ports, ports).

    Raises
    ------
    InputError
        For bad frequencies, ports or reference.
    """
    hertz = np.atleast_1d(np.asarray(frequencies, dtype=float))
    if not (np.isfinite(hertz).all() and (np.diff(hertz) > 0).all()):
        raise InputError("frequencies must be finite and increase")
    if not (np.isfinite(z0) and z0 > 0):
        raise InputError(f"the reference impedance must be positive, not {z0!r} ohm")
    y = z0 * admittance(network, ports, hertz)
    unit = np.eye(y.shape[1])
    s = np.linalg.solve(unit + y, unit - y)  # the factors commute
    return skrf.Network(frequency=skrf.Frequency.from_f(hertz, unit="Hz"), s=s, z0=z0, name=name)


def write_touchstone(line: skrf.Network, path: str | Path) -> Path:
    """Write a Touchstone file (.s<ports>p, real and imaginary parts, all digits) and check it by reading it back.

    Parameters
    ----------
    line : skrf.Network
        Scattering parameters.
    path : str or Path
        The file, with the suffix of its number of ports.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        For a wrong suffix, or a file that cannot be written.
    SolverError
        If the file reads back differently.
    """
    path = Path(path)
    ending = f".s{line.nports}p"
    if path.suffix.lower() != ending:
        raise InputError(f"a Touchstone file of {line.nports} ports ends in {ending}", where=str(path))
    text = line.write_touchstone(return_string=True, form="ri", format_spec_A="{:.17e}", format_spec_B="{:.17e}")
    handle, temporary = _beside(path)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
    try:
        back = skrf.Network(temporary)
        same = back.s.shape == line.s.shape and np.abs(back.s - line.s).max() <= MAX_ROUNDING
        if not (same and np.allclose(back.f, line.f, rtol=1e-12) and np.allclose(back.z0, line.z0, rtol=1e-12)):
            raise SolverError(f"{path.name} reads back differently from what was written")
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


@dataclass(frozen=True)
class LineFit:
    """A rational fit of a line with real poles. poles: their number; error: largest |dS| at the given frequencies;
    constant: largest singular value of the constant term; gain: largest singular value of S from DC to a hundred times
    the band; ports: number of ports, p1, p2... in the subcircuit.
    """

    poles: int
    error: float
    constant: float
    gain: float
    ports: int
    fit: VectorFitting = field(repr=False)

    def write_subcircuit(self, path: str | Path, name: str) -> Path:
        """Write the SPICE subcircuit `name` with pins p1, p2...; raises InputError for a bad name or path."""
        if not (name.isascii() and name.replace("_", "a").isalnum() and name[0].isalpha()):
            raise InputError(f"{name!r} is not a valid subcircuit name", hint="letters, digits, underscores")
        path = Path(path)
        handle, temporary = _beside(path)
        os.close(handle)
        try:
            self.fit.write_spice_subcircuit_s(temporary, fitted_model_name=name)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return path


def fit_line(line: skrf.Network, *, error: float = 1e-4, poles: tuple[int, ...] = (4, 5, 6)) -> LineFit:
    """Passive fit of a line with the smallest sufficient number of real poles.

    Parameters
    ----------
    line : skrf.Network
        Scattering parameters.
    error : float
        Largest allowed |dS|.
    poles : tuple[int, ...]
        Numbers of poles to try, in this order.

    Returns
    -------
    LineFit
        The first accurate, stable and passive fit.

    Raises
    ------
    InputError
        For bad arguments.
    SolverError
        If no fit is accurate, stable and passive, with the reason of each.
    """
    if not poles or min(poles) < 1 or not 0 < error < 1:
        raise InputError(f"poles must be positive numbers and the error between 0 and 1, not {poles!r} and {error!r}")
    faults = []
    for count in poles:
        fit = _vector_fit(line, count)
        found = measure_fit(fit, line)
        if found.constant > 1 + PASSIVE:
            faults.append(f"{count} poles: singular value {found.constant:.6g} > 1 of the constant term")
        elif found.gain > 1 + PASSIVE:
            faults.append(f"{count} poles: not passive, singular value {found.gain:.6g} > 1")
        elif not (np.real(fit.poles) < 0).all():
            faults.append(f"{count} poles: unstable")
        elif not found.error <= error:
            faults.append(f"{count} poles: error {found.error:.1e}")
        else:
            return found
    raise SolverError(f"no fit of {line.name} is accurate enough (allowed error {error:g}): " + "; ".join(faults))


def measure_fit(fit: VectorFitting, line: skrf.Network) -> LineFit:
    """Measure a fit against the line: error, singular values of the constant term and over frequency."""
    ports = line.nports
    model = _response(fit, line.f, ports)
    constant = np.asarray(fit.constant_coeff).reshape(ports, ports)
    wide = np.append(0.0, np.geomspace(line.f[line.f > 0].min() / 10, 100 * line.f.max(), 2000))
    return LineFit(
        poles=len(fit.poles),
        error=float(np.abs(model - line.s).max()),
        constant=float(np.linalg.svd(constant, compute_uv=False).max()),
        gain=float(np.linalg.svd(_response(fit, wide, ports), compute_uv=False).max()),
        ports=ports,
        fit=fit,
    )


def _vector_fit(line: skrf.Network, poles: int) -> VectorFitting:
    fit = VectorFitting(line)
    with warnings.catch_warnings():
        # Whether a fit is good or passive is judged here, by its response.
        warnings.simplefilter("ignore")
        fit.vector_fit(n_poles_real=poles, n_poles_cmplx=0, init_pole_spacing="log")
    return fit


def _response(fit: VectorFitting, hertz: FloatArray, ports: int) -> NDArray[np.complex128]:
    """S of a fit, (count, ports, ports), from its poles (conjugate pairs are stored once), residues and constants."""
    s = 2j * np.pi * hertz
    total: Any = np.asarray(fit.constant_coeff)[:, None] + np.asarray(fit.proportional_coeff)[:, None] * s
    for pole, residue in zip(fit.poles, np.asarray(fit.residues).T, strict=True):
        total = total + residue[:, None] / (s - pole)
        if pole.imag:
            total = total + residue.conj()[:, None] / (s - pole.conjugate())
    return np.asarray(np.moveaxis(total.reshape(ports, ports, -1), 2, 0))


def _beside(path: Path) -> tuple[int, str]:
    try:
        return tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"cannot write there ({error.strerror})", where=str(path)) from None
