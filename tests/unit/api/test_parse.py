"""What is read, and what is refused with which sentence."""

from __future__ import annotations

import pytest

from canary.api.parse import parse_rollout, parse_template, problems_of
from canary.errors import SpecInvalid
from tests.unit.api.documents import BAD, BAD_BY_PARSER_ALONE, GOOD, SMALLEST, Document, changed, not_served_documents

NOT_SERVED = not_served_documents()


def parse(document: Document):
    return parse_rollout(document) if document["kind"] == "Rollout" else parse_template(document)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_document_is_read_and_written_back_as_it_was(name):
    document = GOOD[name]
    read = parse(document)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == document


@pytest.mark.parametrize("name", [*BAD, *BAD_BY_PARSER_ALONE])
def test_a_bad_document_is_refused_with_a_sentence(name):
    bad = (BAD | BAD_BY_PARSER_ALONE)[name]
    with pytest.raises(SpecInvalid) as refused:
        parse(bad.document)
    assert bad.said in str(refused.value)


@pytest.mark.parametrize("name", NOT_SERVED)
def test_what_is_not_served_is_refused_by_name(name):
    bad = NOT_SERVED[name]
    with pytest.raises(SpecInvalid) as refused:
        parse(bad.document)
    assert str(refused.value).endswith(bad.said)


def test_the_sentence_names_the_object():
    with pytest.raises(SpecInvalid, match=r"^Rollout shop/checkout: spec\.service is missing$"):
        parse_rollout(changed(SMALLEST, {"spec": {k: v for k, v in SMALLEST["spec"].items() if k != "service"}}))


def test_several_mistakes_are_counted():
    with pytest.raises(SpecInvalid, match=r"spec\.workload is missing \(and 2 more\)$"):
        parse_rollout(changed(SMALLEST, {"spec": {}}))


def test_a_list_whose_only_item_is_wrong_is_not_called_too_short():
    labels = {"labels": [{"name": "app", "stable": "a", "canary": "b"}]}
    metric = {"name": "errors", "counter": {"bad": "x", "total": "y"}, "compair": {}}
    template = {
        "apiVersion": "canary.delivery/v1alpha1",
        "kind": "ClusterAnalysisTemplate",
        "metadata": {"name": "http"},
        "spec": {"identity": labels, "metrics": [metric]},
    }
    assert problems_of(template) == ("spec.metrics[0].compair is not a field; did you mean compare?",)
    template["spec"] = {"identity": labels, "metrics": []}
    (none_at_all,) = problems_of(template)
    assert none_at_all.startswith("spec.metrics: tuple should have at least 1 item")


def test_a_rollout_is_no_template():
    with pytest.raises(SpecInvalid, match="the kind of a template is AnalysisTemplate or ClusterAnalysisTemplate"):
        parse_template(SMALLEST)


def test_metadata_and_status_may_have_what_this_version_does_not_know():
    document = changed(SMALLEST, {"metadata.managedFields": [{}], "status": {"phase": "Stable", "ofTomorrow": 1}})
    assert parse_rollout(document).status.phase == "Stable"
