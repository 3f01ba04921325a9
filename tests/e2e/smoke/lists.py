"""Lists of repositories, and how a client pages through them."""

from huggingface_hub.utils import build_hf_headers
from huggingface_hub.utils._pagination import paginate

from smoke import ENDPOINT, MARK, USER, VERSION, anonymous, api, check, make, name, other, put


def ids(found):
    return [entry.id for entry in found]


@check()
def models():
    made = [make(f"list-{word}") for word in ("one", "two", "three")]
    hidden = make("list-hidden", private=True)
    put(made[1], "README.md", b"---\ntags: [blue-%s]\npipeline_tag: text-generation\n---\n" % MARK.encode())
    word = f"{MARK}-list-"
    assert sorted(ids(api.list_models(search=word))) == sorted(made + [hidden])
    assert sorted(ids(anonymous.list_models(search=word))) == sorted(made)
    assert sorted(ids(other.list_models(search=word, author=USER))) == sorted(made)
    assert ids(api.list_models(author="nobody-at-all", search=word)) == []
    assert ids(api.list_models(filter=f"blue-{MARK}")) == [made[1]]
    assert len(ids(api.list_models(search=word, limit=2))) == 2
    newest = "last_modified" if VERSION >= (1, 0) else "lastModified"
    assert ids(anonymous.list_models(search=word, sort=newest, limit=1)) == [made[1]]
    (found,) = api.list_models(filter=f"blue-{MARK}", full=True)
    assert found.author == USER and not found.private and found.likes == 0
    if VERSION >= (0, 24):
        (found,) = api.list_models(filter=f"blue-{MARK}", expand=["siblings", "cardData"])
        assert [entry.rfilename for entry in found.siblings] == [".gitattributes", "README.md"]
        assert found.card_data.pipeline_tag == "text-generation"


@check()
def datasets_and_spaces():
    data = make("list-data", "dataset")
    space = make("list-space", "space", space_sdk="gradio")
    assert ids(api.list_datasets(author=USER, search=f"{MARK}-list-data")) == [data]
    (found,) = api.list_spaces(author=USER, search=f"{MARK}-list-space", full=True)
    assert (found.id, found.sdk) == (space, "gradio")
    assert ids(api.list_spaces(filter="gradio", search=f"{MARK}-list-space")) == [space]


@check()
def pages_of_two():
    made = [make(f"page-{number}", "dataset") for number in range(5)]
    pages = paginate(f"{ENDPOINT}/api/datasets", params={"search": f"{MARK}-page-", "limit": 2, "sort": "createdAt"},
                     headers=build_hf_headers())
    assert [entry["id"] for entry in pages] == made[::-1]
    pages = paginate(f"{ENDPOINT}/api/datasets/{made[0]}/commits/main", params={"limit": 2}, headers=build_hf_headers())
    assert len(list(pages)) == 1


@check(since="1.11")
def semantic_search():
    repo = make("zebrafish", "space", space_sdk="gradio")
    assert repo in ids(api.search_spaces(f"{MARK}-zebrafish", include_non_running=True))
