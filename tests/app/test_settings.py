import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.labs import LABS
from app.settings import Schema, Setting

EVERY = [
    pytest.param(lab, setting, id=f"{name}-{setting.name}")
    for name, lab in LABS.items()
    for setting in lab.schema.settings
]
NUMBERS = [case for case in EVERY if case.values[1].kind in ("number", "integer")]
SCHEMAS = pytest.mark.parametrize("schema", [lab.schema for lab in LABS.values()], ids=list(LABS))

UNREADABLE = [
    math.nan, "nan", "NaN", "text", "", None, True, False, [], [1.0], (2,), {}, {"a": 1}, "1,5", "0x10", "½", "--1",
    "x" * 100_000, object(), b"\xff", "<script>alert(1)</script>", "1; drop table", "\x00", "١٢x", 1j,
]  # fmt: skip


def allowed(setting, value):
    """Whether the rest of the program may see this value."""
    if value is None:
        return bool(setting.follows)
    if setting.kind == "flag":
        return isinstance(value, bool)
    if setting.kind == "choice":
        return value in dict(setting.choices)
    kind = int if setting.kind == "integer" else (int, float)
    return isinstance(value, kind) and not isinstance(value, bool) and setting.low <= value <= setting.high


def another(setting):
    """A value that is not the default."""
    if setting.kind == "flag":
        return not setting.default
    if setting.kind == "choice":
        return next(key for key, _ in setting.choices if key != setting.default)
    return setting.high if setting.default != setting.high else setting.low


def values_of(setting):
    """What a visitor may choose; None for those that follow."""
    if setting.kind == "flag":
        values = st.booleans()
    elif setting.kind == "choice":
        values = st.sampled_from([key for key, _ in setting.choices])
    elif setting.kind == "integer":
        values = st.integers(int(setting.low), int(setting.high))
    else:
        values = st.floats(setting.low, setting.high).map(lambda raw: setting.read(raw, None)[0])
    return st.none() | values if setting.follows else values


def all_values(schema):
    return st.fixed_dictionaries({setting.name: values_of(setting) for setting in schema.settings})


# ---- one setting, any value ----
@pytest.mark.parametrize(("lab", "setting"), EVERY)
def test_what_cannot_be_read_keeps_the_present_value_and_says_so(lab, setting):
    present = another(setting)
    for raw in UNREADABLE:
        if setting.follows and raw in (None, ""):
            continue
        if setting.kind == "flag" and isinstance(raw, bool):
            continue
        values, notices = lab.schema.update(lab.schema.defaults() | {setting.name: present}, {setting.name: raw})
        assert values[setting.name] == present, raw
        assert len(notices) == 1, raw
        assert notices[0].startswith(setting.label)
        assert len(notices[0]) < 200


@pytest.mark.parametrize(("lab", "setting"), NUMBERS)
def test_what_lies_outside_becomes_the_nearest_bound_and_says_so(lab, setting):
    span = setting.high - setting.low
    for raw, bound in [
        *(
            (low, setting.low)
            for low in (setting.low - 0.01 * span, setting.low - 1e-6 * span, -1e9, -1e308, -math.inf)
        ),
        *(
            (high, setting.high)
            for high in (setting.high + 0.01 * span, setting.high + 1e-6 * span, 1e9, 1e308, math.inf)
        ),
    ]:
        for form in (raw, str(raw), f" {raw} "):
            values, notices = lab.schema.update(lab.schema.defaults(), {setting.name: form})
            assert values[setting.name] == bound
            assert allowed(setting, values[setting.name])
            assert len(notices) == 1
            assert notices[0].startswith(f"{setting.label} must be {setting.show(setting.low)} to ")


@pytest.mark.parametrize(("lab", "setting"), NUMBERS)
def test_an_integer_too_large_for_a_float_does_no_harm(lab, setting):
    for raw in (10**400, -(10**400), "9" * 400, "1e999"):
        value, notice = setting.read(raw, setting.low)
        assert allowed(setting, value)
        assert notice.startswith(setting.label)


@pytest.mark.parametrize(("lab", "setting"), EVERY)
def test_bounds_defaults_and_choices_themselves_are_allowed_without_a_notice(lab, setting):
    if setting.kind == "choice":
        offered = [key for key, _ in setting.choices]
    else:
        offered = [True, False, "1", "0", "true", "off"] if setting.kind == "flag" else [setting.low, setting.high]
    for raw in [*offered, setting.default]:
        value, notice = setting.read(raw, another(setting))
        assert notice == ""
        assert allowed(setting, value)
    assert setting.read(setting.default, another(setting)) == (setting.default, "")


@pytest.mark.parametrize(("lab", "setting"), NUMBERS)
def test_numbers_are_quantised_and_stay_inside(lab, setting):
    @given(st.floats(setting.low, setting.high))
    def check(raw):
        value, notice = setting.read(raw, setting.low)
        assert notice == ""
        assert allowed(setting, value)
        if setting.kind == "integer":
            assert abs(value - raw) <= 0.5
        else:
            assert value == float(f"{raw:.4g}")
            assert abs(value - raw) <= 5.01e-4 * abs(raw)
        assert setting.read(value, None) == (value, "")  # a second reading changes nothing more

    check()


def test_four_significant_digits():
    setting = Setting("a", "A", "number", 1.0, low=0.0, high=1e5)
    assert setting.read(0.123456, 0.0)[0] == 0.1235
    assert setting.read("12345.6", 0.0)[0] == 12350.0
    assert setting.read(1 / 3, 0.0)[0] == 0.3333


def test_a_setting_that_follows_is_cleared_by_none_and_by_an_empty_text():
    number = Setting("own", "Own", "number", None, follows="all")
    choice = Setting("own", "Own", "choice", None, choices=(("a", "A"),), follows="all")
    for setting in (number, choice):
        assert setting.read(None, setting.low) == (None, "")
        assert setting.read("", setting.low) == (None, "")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=3),
    )
)
def test_whatever_arrives_what_comes_out_is_allowed(raw):
    for lab in LABS.values():
        values, notices = lab.schema.update(lab.schema.defaults(), dict.fromkeys(lab.schema.by_name, raw))
        assert all(allowed(setting, values[setting.name]) for setting in lab.schema.settings)
        assert all(isinstance(notice, str) for notice in notices)


# ---- the schema ----
@SCHEMAS
def test_the_schema_is_sound(schema):
    json.dumps(schema.describe(), allow_nan=False)
    for setting in schema.settings:
        assert setting.label
        assert setting.help, f"{setting.name} does not say what it is"
        assert not setting.log or setting.low > 0
        assert setting.low < setting.high
        for name, values in setting.when.items():
            other = schema.by_name[name]
            assert all(allowed(other, value) for value in values)
        if setting.follows:
            leader = schema.by_name[setting.follows]
            assert setting.default is None
            assert (setting.kind, setting.low, setting.high, setting.choices) == (
                leader.kind, leader.low, leader.high, leader.choices,
            )  # fmt: skip
        else:
            assert allowed(setting, setting.default)


def test_two_settings_cannot_share_a_name():
    with pytest.raises(ValueError, match="share a name"):
        Schema([Setting("a", "A", "flag", True), Setting("a", "B", "flag", True)])


@SCHEMAS
def test_unknown_names_are_ignored(schema):
    changes = {"nothing": 1, "__class__": "x", "": 2, 3: 4, None: 5}
    assert schema.update(schema.defaults(), changes) == (schema.defaults(), [])


@SCHEMAS
def test_an_update_leaves_what_it_was_given_alone(schema):
    given_values = schema.defaults()
    name = schema.settings[0].name
    values, _ = schema.update(given_values, {name: another(schema.settings[0])})
    assert given_values == schema.defaults()
    assert values[name] != given_values[name]


@SCHEMAS
def test_resolved_fills_what_follows_and_nothing_else(schema):
    following = [setting for setting in schema.settings if setting.follows]
    for setting in following:
        leader = schema.by_name[setting.follows]
        values = schema.defaults() | {leader.name: another(leader)}
        assert schema.resolved(values)[setting.name] == another(leader)
        assert schema.resolved(values | {setting.name: another(setting)})[setting.name] == another(setting)
    resolved = schema.resolved(schema.defaults())
    assert None not in resolved.values()
    names = {setting.name for setting in schema.settings if not setting.follows}
    assert {name: resolved[name] for name in names} == {name: schema.defaults()[name] for name in names}


def test_zero_and_no_are_values_of_their_own_where_a_setting_follows():
    schema = Schema(
        [
            Setting("all", "All", "number", 2.0, low=0.0, high=3.0),
            Setting("own", "Own", "number", None, low=0.0, high=3.0, follows="all"),
        ]
    )
    assert schema.resolved({"all": 2.0, "own": 0.0})["own"] == 0.0


# ---- the link ----
@SCHEMAS
def test_a_link_brings_every_value_back(schema):
    @given(all_values(schema))
    def check(values):
        query = schema.to_query(values)
        assert schema.from_query(query) == (values, [])
        assert schema.from_query("?" + query) == (values, [])
        assert len(query) < 2000  # what every browser and proxy takes

    check()


@SCHEMAS
def test_the_defaults_need_no_query(schema):
    assert schema.to_query(schema.defaults()) == ""
    for setting in schema.settings:
        query = schema.to_query(schema.defaults() | {setting.name: another(setting)})
        assert query.startswith(f"{setting.name}=")
        assert "&" not in query


@SCHEMAS
def test_a_link_that_is_too_long_is_not_read(schema):
    setting = schema.settings[0]
    query = f"{setting.name}={another(setting)}&x=" + "y" * 4000
    values, notices = schema.from_query(query)
    assert values == schema.defaults()
    assert len(notices) == 1
    assert "too long" in notices[0]


@SCHEMAS
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "&&&",
        "=",
        "a",
        "%",
        "%zz=%zz",
        "%00=%ff",
        "a=1&a=2",
        ";;;",
        "theme=dark",
        "?" * 50,
        "<script>",
        "\ud800",
    ],
)
def test_garbage_gives_the_defaults_in_silence(schema, query):
    assert schema.from_query(query) == (schema.defaults(), [])


@SCHEMAS
def test_of_a_name_given_twice_the_last_counts(schema):
    setting = next(one for one in schema.settings if one.kind == "number" and not one.follows)
    values, notices = schema.from_query(f"{setting.name}={setting.high}&{setting.name}={setting.low}")
    assert (values[setting.name], notices) == (setting.low, [])


@SCHEMAS
@given(text=st.text(max_size=200))
def test_any_text_as_a_link_gives_allowed_values(schema, text):
    values, _ = schema.from_query(text)
    assert all(allowed(setting, values[setting.name]) for setting in schema.settings)


@pytest.mark.parametrize(("lab", "setting"), [case for case in EVERY if case.values[1].follows])
def test_a_notice_does_not_speak_of_none(lab, setting):
    _, notices = lab.schema.update(lab.schema.defaults(), {setting.name: "text"})
    assert "None" not in notices[0]
