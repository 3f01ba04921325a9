"""Cards: README files with front matter, and classes that push themselves."""

import json
from pathlib import Path

from huggingface_hub import ModelCard, ModelHubMixin, RepoCard, hf_hub_download, metadata_load, metadata_update

from smoke import api, check, files, make, name, put

CARD = """---
license: mit
tags:
- one
---
# A card
"""


@check()
def load():
    repo = make("card")
    put(repo, "README.md", CARD.encode())
    card = ModelCard.load(repo)
    assert card.data.license == "mit" and card.text.strip() == "# A card"


# Before, the client validates a card on a server of its own choice.
@check(since="2.2")
def push():
    repo = make("card-push")
    RepoCard(CARD).push_to_hub(repo)
    assert api.model_info(repo).card_data.license == "mit"
    metadata_update(repo, {"tags": ["one", "two"]}, overwrite=True)
    assert metadata_load(hf_hub_download(repo, "README.md"))["tags"] == ["one", "two"]
    assert {"one", "two"} <= set(api.model_info(repo).tags)


class Model(ModelHubMixin):
    def __init__(self, size=3):
        self.size = size

    def _save_pretrained(self, save_directory):
        (Path(save_directory) / "weights.json").write_text(json.dumps([self.size] * self.size))

    @classmethod
    def _from_pretrained(cls, *, model_id, revision, cache_dir, force_download, token, local_files_only, **options):
        path = hf_hub_download(model_id, "weights.json", revision=revision, cache_dir=cache_dir)
        return cls(len(json.loads(Path(path).read_text())))


@check()
def a_class_that_pushes_itself():
    repo = name("mixin")
    Model(5).push_to_hub(repo, config={"size": 5})
    assert {"config.json", "weights.json"} <= set(files(repo))
    assert Model.from_pretrained(repo).size == 5
