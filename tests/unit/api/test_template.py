"""Arguments, identity and severity of templates."""

from __future__ import annotations

import pytest

from canary.api.parse import parse_template
from canary.api.variables import Variable, unknown_variable, variables_in
from tests.unit.api.documents import TEMPLATE, changed

SPEC = parse_template(TEMPLATE).spec


def test_a_metric_has_its_own_identity_or_the_templates():
    errors, share, _ = SPEC.metrics
    assert SPEC.identity_of(errors) == SPEC.identity
    assert SPEC.identity_of(share) == share.identity != SPEC.identity


def test_an_identity_label_has_one_value_or_one_for_each_track():
    assert SPEC.identity is not None
    namespace, pod_hash = SPEC.identity.labels
    assert (namespace.splits_tracks, namespace.stable_text, namespace.canary_text) == (False, *["${namespace}"] * 2)
    assert (pod_hash.splits_tracks, pod_hash.stable_text, pod_hash.canary_text) == (
        True,
        "${stableHash}",
        "${canaryHash}",
    )


def test_an_argument_that_is_not_given_has_its_default():
    assert SPEC.arguments({"job": "shop"}) == {"args.code": "5..", "args.job": "shop"}


def test_an_argument_without_a_default_must_be_given():
    with pytest.raises(ValueError, match="argument 'job' has no default"):
        SPEC.arguments({})


def test_an_argument_that_the_template_does_not_have_is_refused():
    with pytest.raises(ValueError, match="argument 'jop' is not one of the template's: code, job"):
        SPEC.arguments({"job": "shop", "jop": "shop"})


def test_only_a_critical_metric_rolls_back():
    assert [metric.critical for metric in SPEC.metrics] == [True, False, True]


def test_defaults_of_a_metric_are_those_of_the_documents():
    errors = parse_template(changed(TEMPLATE, {"spec.metrics.0.compare": {}})).spec.metrics[0]
    assert (errors.source, errors.interval.seconds) == ("default", 10)
    assert errors.compare is not None
    assert (errors.compare.tolerated_ratio.value, errors.compare.alpha) == (1.5, None)


def test_variables_are_found_in_a_text():
    assert variables_in('a{b="${namespace}-${args.x}",c="$d"}') == ("namespace", "args.x")


@pytest.mark.parametrize("variable", Variable)
def test_every_built_in_variable_is_known(variable):
    assert unknown_variable(variable, frozenset()) is None
