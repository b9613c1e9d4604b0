"""Base images that container build recipes name, and whether a digest pins them."""

from __future__ import annotations

import re

from lockflight.core.records import dataclass

#: Lines and images that are looked at; recipes are short.
MAX_LINES = 20_000
MAX_IMAGES = 100

_FROM = re.compile(r"(?i)^\s*FROM\s+((?:--\S+\s+)*)(\S+)(?:\s+AS\s+(\S+))?\s*$")
_IMAGE = re.compile(r"([a-z0-9][A-Za-z0-9._/:-]{0,200})@(sha256:[0-9a-f]{64})")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,300}")


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image that is pinned by digest, as a reference of a release."""

    name: str
    uri: str
    digest: str
    where: str


@dataclass(frozen=True, slots=True)
class BaseImages:
    """Pinned images, and a sentence for each that is not.

    Names are unique, as references must be.
    """

    pinned: tuple[BaseImage, ...] = ()
    notes: tuple[str, ...] = ()

    def plus(self, other: BaseImages) -> BaseImages:
        """Both together; the same image once, another image of the same name under a name of its own."""
        pinned = list(self.pinned)
        for image in other.pinned:
            if (
                any((i.uri, i.digest) == (image.uri, image.digest) for i in pinned)
                or len(pinned) >= MAX_IMAGES
            ):
                continue
            name, n = image.name, 1
            while any(i.name == name for i in pinned):
                n += 1
                name = f"{image.name}-{n}"
            pinned.append(BaseImage(name, image.uri, image.digest, image.where))
        return BaseImages(tuple(pinned), (self.notes + other.notes)[:MAX_IMAGES])


def base_images(recipe: str, text: str) -> BaseImages:
    """The base images of one recipe.

    Args:
        recipe: its name, for messages.
        text: Dockerfile text; stages that it builds itself and `scratch` are no base images.
    """
    found = BaseImages()
    stages: set[str] = {"scratch"}
    for number, line in enumerate(text.splitlines()[:MAX_LINES], 1):
        match = _FROM.match(line)
        if match is None:
            continue
        image, stage = match[2], (match[3] or "").lower()
        where = f"{recipe!a}, line {number}"
        if image.lower() not in stages:
            found = found.plus(_judge(image, where))
        stages.add(stage)
    return found


def _judge(image: str, where: str) -> BaseImages:
    pinned = _IMAGE.fullmatch(image)
    if pinned is not None:
        uri = pinned[1]
        name = uri.rsplit("/", 1)[-1].partition(":")[0]
        return BaseImages((BaseImage(name, uri, pinned[2], where),))
    shown = image if _PLAIN.fullmatch(image) else "named by a variable"
    note = f"{where}: the base image {shown} is not pinned. Write FROM image@sha256:<digest>, then name it here under"
    return BaseImages(notes=(f"{note} [[references]] with the role image-base.",))
