"""A small file system of a test's own: ext4 in a file, mounted by a loop device."""

import os
import pathlib
import shutil
import subprocess
import tempfile


class Disk:
    """Mounted at .path from construction to remove(). `inodes` bounds how many files it holds."""

    def __init__(self, size_mib=2500, inodes=120_000, template=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="espace-disk-"))
        self.folder.chmod(0o711)
        self.image, self.path = self.folder / "image", self.folder / "mnt"
        self.path.mkdir()
        if template:
            subprocess.run(["cp", "--sparse=always", template, self.image], check=True)
        else:
            with open(self.image, "wb") as image:
                image.truncate(size_mib << 20)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(inodes), self.image], check=True)
        self.mount()
        self.path.chmod(0o711)

    def mount(self, options="loop"):
        subprocess.run(["mount", "-t", "ext4", "-o", options, self.image, self.path], check=True)

    def check(self):
        """Unmounted: mend what is wrong with it. As a machine that was started anew would see it: here some mount
        namespace, of a test beside this one, may still hold what was mounted."""
        assert subprocess.run(["fsck.ext4", "-f", "-y", self.image], capture_output=True).returncode in (0, 1)
        fresh = self.image.with_name("fresh")
        subprocess.run(["cp", "--sparse=always", self.image, fresh], check=True)
        fresh.rename(self.image)

    def unmount(self):
        subprocess.run(["umount", self.path], check=True)

    def fill(self):
        """Take every free block. Root's reserve is 0, so nobody has a block left."""
        with open(self.path / "ballast", "wb", buffering=0) as ballast:
            size = 0
            for piece in (1 << 28, 1 << 20, 1 << 12):
                while True:
                    try:
                        os.posix_fallocate(ballast.fileno(), size, piece)
                    except OSError:
                        break
                    size += piece

    def fill_inodes(self):
        (self.path / "ballast").mkdir()
        number = 0
        try:
            while True:
                os.mknod(self.path / "ballast" / str(number))
                number += 1
        except OSError:
            pass

    def free(self):
        ballast = self.path / "ballast"
        if ballast.is_dir():
            shutil.rmtree(ballast)
        else:
            ballast.unlink(missing_ok=True)

    def remove(self):
        subprocess.run(["umount", self.path], check=False)
        shutil.rmtree(self.folder)
