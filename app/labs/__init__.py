"""The labs, one file each; `LABS` registers them in the order of the navigation."""

from app.labs.base import Lab
from app.labs.deep import DeepLab
from app.labs.double_descent import DoubleDescentLab
from app.labs.dynamics import DynamicsLab
from app.labs.scaling import ScalingLab
from app.labs.spectrum import SpectrumLab

LABS: dict[str, Lab] = {
    lab.name: lab for lab in (SpectrumLab(), DoubleDescentLab(), DynamicsLab(), ScalingLab(), DeepLab())
}
