"""What every part of the smoke script shares: the client's version, the table of checks, what to
assert with. Runs unchanged under each client from 0.20 on, so it uses what all of them have."""

import contextlib
import os

import huggingface_hub
from huggingface_hub import HfApi

USER = os.environ["SMOKE_USER"]
ORG = os.environ["SMOKE_ORG"]  # which the user administers and the other may read
OTHER_TOKEN = os.environ["SMOKE_OTHER_TOKEN"]  # of somebody who owns nothing
ENDPOINT = os.environ["HF_ENDPOINT"]

CHECKS = []


def parts(version):
    return tuple(int(part) for part in version.split("."))


VERSION = parts(huggingface_hub.__version__)
MARK = os.environ["SMOKE_MARK"]  # part of each name, since all clients meet the same hub

api = HfApi()
anonymous = HfApi(token=False)
other = HfApi(token=OTHER_TOKEN)


def check(since="0", before="99"):
    """A check for the clients from `since` on and before `before`: what it calls exists in these."""

    def add(function):
        if parts(since) <= VERSION < parts(before):
            CHECKS.append(function)
        return function

    return add


def name(word):
    return f"{USER}/{MARK}-{word}"


def make(word, kind="model", **options):
    """A fresh repository for one check."""
    api.create_repo(name(word), repo_type=kind, **options)
    return name(word)


def put(repo, path, content, kind="model", **options):
    return api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo, repo_type=kind, **options)


def files(repo, kind="model", **options):
    return sorted(api.list_repo_files(repo, repo_type=kind, **options))


def head(repo, kind="model"):
    return api.repo_info(repo, repo_type=kind).sha


@contextlib.contextmanager
def raises(kind, status=None, says=""):
    """The block must raise `kind`, from an answer of that status, with that text."""
    try:
        yield
    except kind as error:
        if status is not None:
            assert error.response.status_code == status, error
        assert says in str(error), error
    else:
        raise AssertionError(f"no {kind}")
