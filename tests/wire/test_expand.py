"""Each field that `expand` names (A6), one by one, on a repository of each kind that has something for it."""
import pytest

from wire import commit_lines, file_line

ALL = {"author", "cardData", "createdAt", "disabled", "gitalyUid", "lastModified", "likes", "private", "resourceGroup",
       "sha", "siblings", "tags", "trendingScore", "usedStorage", "xetEnabled"}
BOTH = ALL | {"downloads", "downloadsAllTime", "gated"}

# What clients may ask for. An answer has what is asked for, …
NAMES = {
    "models": BOTH | {
        "baseModels", "childrenModelCount", "config", "evalResults", "gguf", "inference", "inferenceProviderMapping",
        "library_name", "mask_token", "model-index", "pipeline_tag", "safetensors", "securityRepoStatus", "spaces",
        "transformersInfo", "widgetData"},
    "datasets": BOTH | {"citation", "description", "mainSize", "paperswithcode_id"},
    "spaces": ALL | {"datasets", "models", "region", "runtime", "sdk", "subdomain"},
}
# … but for what nobody here finds out: docs/limits.md has the same list.
UNTOLD = {"baseModels", "childrenModelCount", "citation", "description", "evalResults", "gguf", "gitalyUid", "inference",
          "inferenceProviderMapping", "mainSize", "mask_token", "resourceGroup", "safetensors", "securityRepoStatus",
          "transformersInfo"}

CARDS = {
    "models": "library_name: transformers\npipeline_tag: fill-mask\nmodel-index:\n- name: b\nwidget:\n- text: hi\n",
    "datasets": "paperswithcode_id: squad\n",
    "spaces": "sdk: gradio\nmodels: [me/whole]\ndatasets: [me/whole]\n",
}


@pytest.fixture(scope="module", params=NAMES)
def whole(hub, request):
    """A kind, and the path of a repository of it whose card has a word for each field that comes from cards."""
    kind = request.param
    body = {"name": "whole", "type": kind[:-1], "sdk": "gradio"}
    assert hub.call("POST", "/api/repos/create", "me", body).status == 200
    lines = commit_lines(file_line("README.md", f"---\n{CARDS[kind]}---\n"),
                         file_line("config.json", '{"model_type": "bert"}'))
    path = f"/api/{kind}/me/whole"
    assert hub.call("POST", f"{path}/commit/main", "me", lines).status == 200
    return kind, path


def refused(hub, path, name):
    answer = hub.call("GET", f"{path}?expand={name}")
    assert answer.status == 400, f"{name}: {answer.status}"
    return answer.json()["error"]


def test_an_unknown_one_is_told_all_names(hub, whole):
    kind, path = whole
    names = ", ".join(sorted(NAMES[kind], key=str.lower))
    assert refused(hub, path, "nonsense") == f'"expand" must be one of [{names}]'


def test_those_of_other_kinds_are_unknown(hub, whole):
    kind, path = whole
    for name in set().union(*NAMES.values()) - NAMES[kind]:
        assert refused(hub, path, name) == refused(hub, path, "nonsense")


@pytest.mark.parametrize("revision", ["", "/revision/main"])
def test_each_is_answered_with_itself_alone(hub, whole, revision):
    kind, path = whole
    for name in sorted(NAMES[kind]):
        answer = hub.call("GET", f"{path}{revision}?expand={name}")
        assert answer.status == 200, f"{name}: {answer.body}"
        assert answer.json().keys() == {"_id", "id"} | {name} - UNTOLD, name
        assert answer.json().get(name, "") is not None, name
