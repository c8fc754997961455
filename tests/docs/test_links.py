"""Links between the repository's own documents lead somewhere."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.sources import ROOT, Snippet, headings_of, links_of, our_files


def dead_links(documents: list[Path]) -> list[Snippet]:
    """Relative links whose file, or whose heading in it, is not there."""
    return [link for document in documents for link in links_of(document) if not _leads_somewhere(link)]


def _leads_somewhere(link: Snippet) -> bool:
    if "://" in link.text or link.text.startswith("mailto:"):
        return True
    name, _, anchor = unquote(link.text).partition("#")
    target = link.path if not name else (link.path.parent / name)
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in headings_of(target))


def test_no_link_is_dead() -> None:
    documents = [path for path in our_files() if path.suffix == ".md"]
    assert ROOT / "README.md" in documents
    found = [str(link) for link in dead_links(documents)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("link", ["gone.md", "there.md#gone", "#gone", "gone/", "../gone.png"])
def test_dead_links_are_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "there.md").write_text("# A heading, there\n")
    document = tmp_path / "document.md"
    document.write_text(f"# Top\n\ntext [a]({link}) ![b](there.md)\n")
    assert [(found.line, found.text) for found in dead_links([document])] == [(3, link)]


def test_living_links_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, there\n")
    document = tmp_path / "document.md"
    document.write_text(
        "# Top\n[a](there.md#a-heading-there) [b](#top) [c](https://x.example/) `[d](gone.md)`\n"
    )
    assert dead_links([document]) == []
