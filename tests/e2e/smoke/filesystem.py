"""HfFileSystem: files of a repository as fsspec sees them."""

from huggingface_hub import HfFileSystem

from smoke import check, files, head, make, put, raises


def open_system():
    return HfFileSystem(skip_instance_cache=True)


@check()
def reading():
    repo = make("fs", "dataset")
    for path in ("a.csv", "dir/b.csv", "dir/deep/c.json"):
        put(repo, path, f"0123456789 {path}".encode(), "dataset")
    root, system = f"datasets/{repo}", open_system()
    assert sorted(system.ls(root, detail=False)) == [f"{root}/.gitattributes", f"{root}/a.csv", f"{root}/dir"]
    assert system.find(root) == [f"{root}/{path}" for path in (".gitattributes", "a.csv", "dir/b.csv", "dir/deep/c.json")]
    assert system.glob(f"{root}/**/*.json") == [f"{root}/dir/deep/c.json"]
    assert system.glob(f"{root}/*.csv") == [f"{root}/a.csv"]
    assert system.exists(f"{root}/dir/b.csv") and not system.exists(f"{root}/dir/none")
    assert system.isdir(f"{root}/dir") and system.isfile(f"{root}/a.csv")
    assert system.info(f"{root}/a.csv")["size"] == len("0123456789 a.csv")
    assert not system.exists("datasets/me/never-made")
    with raises(FileNotFoundError):
        system.ls(f"{root}/none")


@check()
def a_block_in_the_middle():
    repo = make("fs-seek", "dataset")
    put(repo, "a.bin", bytes(range(256)) * 4096, "dataset")
    with open_system().open(f"datasets/{repo}/a.bin", "rb", block_size=1 << 16) as file:
        file.seek(300_000)
        assert file.read(4) == bytes((300_000 + i) % 256 for i in range(4))
        file.seek(-3, 2)
        assert file.read() == b"\xfd\xfe\xff"


@check()
def writing():
    repo = make("fs-write", "dataset")
    root, system = f"datasets/{repo}", open_system()
    with system.open(f"{root}/new/file.txt", "w") as file:
        file.write("written\n")
    assert open_system().read_text(f"{root}/new/file.txt") == "written\n"
    system.cp_file(f"{root}/new/file.txt", f"{root}/copy.txt")
    assert open_system().cat(f"{root}/copy.txt") == b"written\n"
    system.rm(f"{root}/new", recursive=True)
    assert files(repo, "dataset") == [".gitattributes", "copy.txt"]


@check()
def at_a_revision():
    repo = make("fs-revision", "dataset")
    put(repo, "a", b"1", "dataset")
    first = head(repo, "dataset")
    put(repo, "a", b"2", "dataset")
    system = open_system()
    assert system.cat(f"datasets/{repo}@{first}/a") == b"1"
    assert system.cat(f"datasets/{repo}@main/a") == b"2"
    assert not system.exists(f"datasets/{repo}@nope/a")
