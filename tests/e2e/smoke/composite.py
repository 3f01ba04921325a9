"""What clients build out of many calls."""

import tempfile
from pathlib import Path

from huggingface_hub import CommitScheduler

from smoke import api, check, files, make, name


@check()
def commit_scheduler():
    repo = name("scheduler")
    with tempfile.TemporaryDirectory() as folder:
        scheduler = CommitScheduler(repo_id=repo, repo_type="dataset", folder_path=folder, path_in_repo="data", every=60)
        with scheduler.lock:
            (Path(folder) / "log.jsonl").write_text('{"a": 1}\n')
        scheduler.trigger().result()
        scheduler.stop()
    assert files(repo, "dataset") == [".gitattributes", "data/log.jsonl"]


@check(since="0.25", before="2.0")
def upload_large_folder():
    repo = make("large-folder", "dataset")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(120):
            path = Path(folder) / f"part-{number % 3}" / f"{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{number}\n")
        api.upload_large_folder(repo_id=repo, repo_type="dataset", folder_path=folder, num_workers=2,
                                print_report=False)
    assert len(files(repo, "dataset")) == 121
