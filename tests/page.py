"""A page of HTML, read as a browser reads it."""

from collections import Counter
from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page holds, as a browser reads it."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], "elements are left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it: there is no end to wait for."""
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Elements end in the order in which they began."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All texts."""
        return " ".join(self.texts)

    def check(self) -> None:
        """Raise unless it needs nothing else, and nobody has to see its plots."""
        assert not self.tags.keys() & {"script", "link", "img", "iframe", "object"}
        assert not [each for each in self.attributes if each[1] in {"src", "href"}]
        assert "@import" not in self.text
        assert "url(" not in self.text
        labels = [each for each in self.attributes if each[:2] == ("svg", "aria-label")]
        assert len(labels) == 2 * self.tags["figure"]
        assert self.tags["table"] >= self.tags["figure"]
