"""compile.py makes bytecode once for each archive, links it, and runs nothing of a package."""
import os
import pathlib
import subprocess
import sys
import tempfile

COMPILE = sys.argv[1]


def wheel(cache, name, sources):
    """An unpacked wheel in uv's cache."""
    archive = cache / "archive-v0" / name
    (archive / f"{name}-1.dist-info").mkdir(parents=True)
    for path, text in sources.items():
        (archive / path).parent.mkdir(parents=True, exist_ok=True)
        (archive / path).write_text(text)
    return archive


def install(archive, site):
    """As uv does: hard links, those of __pycache__ too."""
    for folder, _, names in os.walk(archive):
        target = site / os.path.relpath(folder, archive)
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.link(os.path.join(folder, name), target / name)


def run(cache, site):
    subprocess.run([sys.executable, "-I", "-S", COMPILE, str(cache), str(site)], check=True)


def pyc(path):
    return path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    cache, site, second = folder / "cache", folder / "site", folder / "second"
    mark = folder / "executed"
    archive = wheel(
        cache,
        "demo",
        {
            "demo/__init__.py": f"open({str(mark)!r}, 'w')\n",
            "demo/broken.py": "def (\n",
            "demo/template.py": "{{ name }}\n",
            "demo/tests/test_x.py": "x = 1\n",
            "evil.pth": f"import os; open({str(mark)!r}, 'w')\n",
        },
    )
    wheel(cache, "other", {"other.py": "x = 1\n"})
    install(archive, site)
    (site / "local.py").write_text("x = 1\n")
    run(cache, site)
    compiled = pyc(archive / "demo/__init__.py")
    assert not mark.exists(), "package code ran"
    assert compiled.samefile(pyc(site / "demo/__init__.py")), "no link in the environment"
    assert pyc(site / "local.py").exists(), "a file that is in no archive"
    assert not pyc(site / "demo/broken.py").exists()
    assert not pyc(site / "demo/tests/test_x.py").exists()
    assert not (site / "other").exists(), "a wheel that is not installed"
    assert pyc(cache / "archive-v0/other/other.py").exists()
    for name in "demo", "other":
        assert (cache / "compiled" / sys.implementation.cache_tag / name).exists()

    # The second environment gets the same bytecode, and nothing is compiled again.
    before = compiled.stat()
    install(archive, second)
    run(cache, second)
    assert pyc(second / "demo/__init__.py").samefile(compiled)
    assert compiled.stat().st_mtime_ns == before.st_mtime_ns

    # Python accepts it: a .pyc that it finds stale would be replaced.
    code = "import sys; sys.path.insert(0, sys.argv[1]); import demo; print(demo.__cached__)"
    subprocess.run([sys.executable, "-I", "-S", "-c", code, str(second)], check=True)
    assert mark.exists() and compiled.stat().st_ino == before.st_ino
    assert pyc(second / "demo/__init__.py").samefile(compiled)
