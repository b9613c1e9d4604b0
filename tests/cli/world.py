"""A team realm `acme` (alice and eve develop, bob approves and does security), a workspace and its packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockflight.app.demo import PLANTED_NAME, make_workspace
from tests.cli.runner import run

MODEL = "model/model.safetensors"


@dataclass(frozen=True)
class World:
    """Folders of a world.

    `work` is a workspace; `package` its signed package, which development holds; `bare` the same, not signed.
    """

    folder: Path

    @property
    def home(self):
        return self.folder / "home"

    @property
    def work(self):
        return self.folder / "work"

    @property
    def package(self):
        return self.folder / "package"

    @property
    def bare(self):
        return self.folder / "bare"

    def run(self, *words, realm="acme", stdin=b"", **environ):
        """Run a command in the world's folder."""
        settings = {"LOCKFLIGHT_HOME": str(self.home), "LOCKFLIGHT_REALM": realm, **environ}
        return run(*words, stdin=stdin, cwd=self.folder, **settings)

    def ok(self, *words, **options):
        """Run a command that must succeed."""
        done = self.run(*words, **options)
        assert done.code == 0, f"{words}: {done.code}\n{done.out}\n{done.err}"
        return done

    def flip(self, name, offset=-3):
        """Change one bit of a file."""
        path = self.folder / name
        body = bytearray(path.read_bytes())
        body[offset] ^= 1
        path.write_bytes(body)

    def open_config(self):
        """Make the home's configuration one that everybody may write."""
        path = self.home / "config.toml"
        path.write_text("offline = true\n")
        path.chmod(0o666)

    def forget_root(self):
        """Pin another root than that of the realm."""
        path = self.home / "trust.toml"
        lines = path.read_text().splitlines()
        path.write_text(
            "\n".join('root = "sha256:' + "0" * 64 + '"' if x.startswith("root") else x for x in lines)
        )


def build(folder: Path, *, simulator: bool = False) -> World:
    """Make the world with the commands that people type."""
    world = World(folder)
    world.home.mkdir(mode=0o700)
    make_workspace(world.work)
    (world.work / PLANTED_NAME).unlink()
    kind = " --simulator" if simulator else ""
    world.ok(
        f"realm init acme{kind} --member alice=author --member bob=approver,risk-owner --member eve=author"
    )
    world.ok("check work --record --env staging --as alice")
    world.ok("release pack work bare")
    world.ok("sign work --out package --as alice")
    world.ok("promote package --to development --as alice")
    return world
