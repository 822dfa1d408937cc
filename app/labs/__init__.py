"""The labs, one file each; `LABS` registers them in the order of the navigation."""

from app.labs.base import Lab
from app.labs.deep import DeepLab
from app.labs.double_descent import DoubleDescentLab
from app.labs.dynamics import DynamicsLab
from app.labs.equivalents import EquivalentsLab
from app.labs.home import HomeLab
from app.labs.kernels import KernelsLab
from app.labs.linearisation import LinearisationLab
from app.labs.matrix import MatrixLab
from app.labs.real_data import RealDataLab
from app.labs.scaling import ScalingLab
from app.labs.spectrum import SpectrumLab

_ALL: tuple[Lab, ...] = (
    HomeLab(),
    SpectrumLab(),
    DoubleDescentLab(),
    DynamicsLab(),
    ScalingLab(),
    EquivalentsLab(),
    LinearisationLab(),
    KernelsLab(),
    DeepLab(),
    RealDataLab(),
    MatrixLab(),
)
LABS: dict[str, Lab] = {lab.name: lab for lab in _ALL}
