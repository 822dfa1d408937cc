"""The description of a network: it validates, passes the variance on, and stays in range."""

import numpy as np
import pytest
from naive import chain_numbers

from rmtcore import ACTIVATIONS, Activation, Layer, Network, Population, spectrum

IDENTITY = Population.identity(100)


def test_a_network_without_layers_is_the_linear_model():
    network = Network(IDENTITY, samples=200)
    assert network.layers == ()
    assert network.feature_dim == 100
    assert network.moments() == ()
    assert (network.noise, network.ridge) == (0, 0)
    assert not network.blind()


def test_the_feature_dimension_is_the_last_width():
    assert Network(IDENTITY, [Layer(70, "tanh"), Layer(30, "relu")], samples=50).feature_dim == 30


def test_a_layer_takes_a_name_or_an_activation_of_ones_own():
    own = Activation("half", lambda t: 0.5 * t)
    assert Layer(10, own).activation is own
    assert Layer(10, "relu").activation is ACTIVATIONS["relu"]
    linear = Network(IDENTITY, [Layer(80, own)], samples=50)
    assert linear.moments()[0].variance == pytest.approx(0.25)
    assert linear.moments()[0].mu_star2 == 0


@pytest.mark.parametrize("matrix", ["covariance", "gram"])
def test_an_activation_of_ones_own_gives_the_law_of_the_named_one(matrix):
    own = Activation("bent", lambda t: np.maximum(t, 0.0), breaks=(0.0,))
    laws = [spectrum(Network(IDENTITY, [Layer(150, phi)] * 2, samples=200), matrix=matrix) for phi in (own, "relu")]
    np.testing.assert_allclose(laws[0].bulks, laws[1].bulks, rtol=1e-8)
    np.testing.assert_allclose(laws[0].density, laws[1].density, rtol=1e-6, atol=1e-9)


def test_the_variance_travels_up_the_layers():
    """Each layer sees the variance that the one below puts out; the first sees tr C / p."""
    population = Population.atoms([1, 5], [0.5, 0.5], 100)
    network = Network(population, [Layer(80, "relu"), Layer(60, "tanh"), Layer(40, "sign")], samples=50)
    variance = 3.0
    for index, (layer, moments) in enumerate(zip(network.layers, network.moments(), strict=True)):
        assert network.input_variance(index) == pytest.approx(variance, rel=1e-14)
        assert moments == layer.activation.moments(variance)
        variance = moments.variance
    # a relu halves the second moment: variance q (1/2 - 1/(2 pi))
    assert network.moments()[0].variance == pytest.approx(3 * (0.5 - 0.5 / np.pi))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_normalised_layers_keep_variance_one_at_any_depth(name):
    network = Network(Population.atoms([1, 5], [0.5, 0.5], 100), [Layer(100, name, normalise=True)] * 10, samples=200)
    variance = 3.0
    for moments in network.moments():
        raw = ACTIVATIONS[name].moments(variance)
        assert moments.variance == 1
        assert moments.mu1**2 * variance + moments.mu_star2 == pytest.approx(1, rel=1e-12)
        assert moments.mean == pytest.approx(raw.mean / np.sqrt(raw.variance))
        variance = 1.0
    law = spectrum(network)
    assert law.health.certified
    assert law.integral(lambda x: x) == pytest.approx(1, rel=1e-4)


def test_unnormalised_he3_at_depth_ten_is_refused_and_the_layer_named():
    """Its variance goes as 6 q^3: 6, 1296, 1e10, 1e31, 1e94, 1e283."""
    with pytest.raises(ValueError, match=r"layer \d+ \(he3\).*normalise=True"):
        Network(IDENTITY, [Layer(100, "he3")] * 10, samples=100)
    assert Network(IDENTITY, [Layer(100, "he3", normalise=True)] * 10, samples=100).feature_dim == 100


@pytest.mark.parametrize("name", ["cos", "ternary"])
def test_a_variance_that_dies_out_is_refused_and_the_layer_named(name):
    """cos on a small argument is a constant, ternary a zero: nothing is left to normalise either."""
    small = Population.atoms([1e-5], [1], 100)
    layers = [Layer(100, name)] * 8
    with pytest.raises(ValueError, match=rf"layer \d+ \({name}\)"):
        Network(small, layers, samples=100)


@pytest.mark.parametrize("normalise", [False, True])
def test_a_layer_that_puts_out_nothing_cannot_be_normalised(normalise):
    """ternary at variance 1e-4: P(|t| > 0.6) = exp(-1800) is zero in floating point."""
    with pytest.raises(ValueError, match=r"layer 1 \(ternary\)"):
        Network(Population.atoms([1e-4], [1], 100), [Layer(100, "ternary", normalise=normalise)], samples=100)


@pytest.mark.parametrize(("name", "depth"), [("cos", 8), ("cos", 7), ("he2", 9), ("he3", 4), ("sigmoid", 10)])
def test_what_is_accepted_has_a_law_however_far_its_scale_has_run(name, depth):
    """Either a ValueError that names the layer, or a sound law: never a NaN or a negative edge."""
    refused = ""
    try:
        network = Network(IDENTITY, [Layer(100, name)] * depth, samples=200)
    except ValueError as error:
        refused = str(error)
    if refused:
        assert f"({name})" in refused
        return
    law = spectrum(network)
    variance = network.moments()[-1].variance
    assert law.health.certified
    assert np.all(law.bulks >= 0)
    assert law.integral(lambda x: x) == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize("name", ["abs", "cos", "he2"])
def test_an_even_layer_forgets_everything_below_it(name):
    """mu1 = 0: the law is that of white noise of variance mu*^2, whatever the data and the layers below."""
    forgetful = Network(
        Population.toeplitz(0.8, 100), [Layer(50, "tanh"), Layer(80, name), Layer(120, "relu")], samples=200
    )
    assert forgetful.blind()
    variance = forgetful.moments()[1].mu_star2
    fresh = Network(Population.atoms([variance], [1], 80), [Layer(120, "relu")], samples=200)
    ours, theirs = spectrum(forgetful), spectrum(fresh)
    np.testing.assert_allclose(ours.bulks, theirs.bulks, rtol=1e-12)
    np.testing.assert_allclose(ours.density, theirs.density, rtol=1e-9, atol=1e-12)


def test_the_chain_holds_the_numbers_of_the_theory():
    population = Population.spiked([7.0], 100)
    for names in (["tanh", "relu"], ["identity", "sign"], ["relu", "abs", "softplus"], []):
        widths = [60, 250, 130]
        network = Network(
            population,
            [Layer(width, name, normalise=name == "relu") for width, name in zip(widths, names, strict=False)],
            samples=90,
        )
        s, m, layers, n = chain_numbers(network)
        chain = network.chain()
        np.testing.assert_allclose(chain.s, s, rtol=1e-12)
        np.testing.assert_allclose(chain.m, m, rtol=1e-12)
        found = np.array([chain.a, chain.nu, chain.d]).T
        np.testing.assert_allclose(found, np.reshape(layers, (len(layers), 3)), rtol=1e-10)
        assert chain.n == n == 90


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Layer(0, "relu"), ["width", ">= 1", "Got 0"]),
        (lambda: Layer(2.5, "relu"), ["width", "integer", "Got 2.5"]),
        (lambda: Layer("wide", "relu"), ["width", "integer", "Got 'wide'"]),
        (lambda: Layer(10, "rleu"), ["activation", "relu", "Got 'rleu'"]),
        (lambda: Layer(10, None), ["activation", "Got None"]),
        (lambda: Network(IDENTITY, samples=0), ["samples", ">= 1", "Got 0"]),
        (lambda: Network(IDENTITY, samples=10.5), ["samples", "integer", "Got 10.5"]),
        (lambda: Network(IDENTITY, samples=10, noise=-1), ["noise", "range [0", "Got -1"]),
        (lambda: Network(IDENTITY, samples=10, noise=float("nan")), ["noise", "finite", "Got nan"]),
        (lambda: Network(IDENTITY, samples=10, ridge=-0.5), ["ridge", "range [0", "Got -0.5"]),
        (lambda: Network(IDENTITY, samples=10, ridge=float("inf")), ["ridge", "finite", "Got inf"]),
        (lambda: Network(IDENTITY, samples=10, ridge="big"), ["ridge", "numeric", "Got 'big'"]),
    ],
)
def test_errors_name_the_argument_what_is_allowed_and_what_was_given(build, words):
    with pytest.raises(ValueError, match=r".") as caught:
        build()
    message = str(caught.value)
    for word in words:
        assert word in message


def test_the_number_of_samples_must_be_said():
    with pytest.raises(TypeError, match="samples"):
        Network(IDENTITY)


def test_a_network_and_a_layer_cannot_be_changed():
    network = Network(IDENTITY, [Layer(10, "relu")], samples=10)
    with pytest.raises(AttributeError):
        network.samples = 20
    with pytest.raises(AttributeError):
        network.layers[0].width = 20
