"""Checks a PDF of the book against the page that it was printed from.

    python3 pdf.py FILE.pdf paper.html

The title page and the footers say what they should; the outline and the contents list every heading with its page; every internal
link leads somewhere; every line of every listing is there; a card is on one page, with its sentence, its value, its verdicts and its
command, and so are the drawings of a figure and each of its tables; a solution begins below its title; figures have the drawings
that are made for paper; the appendix is the short one, with every claim; nothing is cut off at the edge; no page is empty by a
third, except before a chapter; the fonts are embedded. Prints a line for every fault and exits with 1 if there is one.
"""

import re
import subprocess
import sys
import tempfile
import unicodedata
from html import unescape
from pathlib import Path

from pypdf import PdfReader

EMPTY = 1 / 3
"""The share of a page's text area, from the bottom, that may be empty."""
EDGE = 10
"""The outermost millimeters of a page, left and right, in which nothing is printed."""
DPI = 24
FOOTER = 781
"""The upper edge of the footer, in points from the top of the page."""
MOST = 10
"""The number of faults of one kind that are named."""

pdf, html = sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8")
reader = PdfReader(pdf)
faults = []


def text(markup):
    """The text of HTML, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", markup)).split())


def flat(shown):
    """Text without white space, which a page has wherever a line ends, and without ligatures."""
    return "".join(unicodedata.normalize("NFKC", shown).split())


def words(markup):
    """The text of HTML as `flat` has it."""
    return flat(unescape(re.sub(r"<[^>]*>", "", markup)))


def printed_pages(*options):
    """The text of each page as `flat` has it."""
    out = subprocess.run(["pdftotext", *options, "-enc", "UTF-8", pdf, "-"], capture_output=True, check=True).stdout.decode()
    return [flat(page) for page in out.split("\f")[:-1]]


def report(found):
    """Adds the faults of one kind, the first few by name."""
    faults.extend(found[:MOST])
    if len(found) > MOST:
        faults.append(f"and {len(found) - MOST} more like the last")


def page_of(destination):
    return reader.get_destination_page_number(destination) + 1


def outline(items, level=1):
    for item in items:
        if isinstance(item, list):
            yield from outline(item, level + 1)
        else:
            yield level, " ".join(item.title.split()), page_of(item)


# The contents, as the reader sees them.
entry = re.compile(
    r'<li class="level-(\d)"><a href="#([^"]*)"><span class="name">(.*?)</span><span class="number">(\d+)</span></a></li>', re.S
)
contents = [(int(level), text(name), int(page), anchor) for level, anchor, name, page in entry.findall(html)]
marks = list(outline(reader.outline))
if len(contents) < 3:
    faults.append(f"the contents have only {len(contents)} entries")
if len(marks) != len(contents):
    faults.append(f"the outline has {len(marks)} entries, and the contents have {len(contents)}")
for (_, name, page, _), (_, mark, at) in zip(contents, marks):
    if (name, page) != (mark, at):
        faults.append(f"the contents have `{name}` on page {page}, and the outline `{mark}` on page {at}")
        break

# Links.
named = reader.named_destinations
links = 0
for number, page in enumerate(reader.pages, 1):
    for note in page.get("/Annots", None) or []:
        note = note.get_object()
        if note.get("/Subtype") != "/Link":
            continue
        links += 1
        action = note.get("/A", {})
        action = action.get_object() if hasattr(action, "get_object") else action
        target = note.get("/Dest", action.get("/D"))
        address = str(action.get("/URI", ""))
        if address and not re.match(r"(https?|mailto):", address):
            faults.append(f"page {number}: a link leads to {address}")
        elif not address and isinstance(target, str) and target.lstrip("/") not in named and target not in named:
            faults.append(f"page {number}: a link leads to `{target}`, which is nowhere")
        elif not address and target is None:
            faults.append(f"page {number}: a link without a target")
internal = set(re.findall(r' href="#([^"]*)"', html))
for anchor in sorted(internal):
    if f'id="{anchor}"' not in html:
        faults.append(f"`#{anchor}` is linked and is nowhere")
if links < len(contents):
    faults.append(f"only {links} links")

# Listings. Lines may be broken, and a page may end between two, so white space does not count.
texts = printed_pages("-raw")
printed = "".join(texts)
listings = re.findall(r"<pre\b[^>]*>(.*?)</pre>", html, re.S)
lost = []
for listing in listings:
    shown = re.sub(r'<span class="boring">.*?</span>', "", listing, flags=re.S)
    for line in unescape(re.sub(r"<[^>]*>", "", shown)).splitlines():
        if flat(line) not in printed:
            lost.append(f"a line of a listing is not there: {line.strip()}")
report(lost)
if not listings:
    faults.append("there is no listing")

# The title page, and the footers: the book, the chapter and the page; on the contents, the page alone.
title_page = words(html.split('<section class="title-page">')[1].split("</section>")[0])
if texts[0] != title_page or not title_page:
    faults.append(f"the title page says `{texts[0]}`, not `{title_page}`")
titles = {}
for number, left, middle in re.findall(r'@page c(\d+) \{ @bottom-left \{ content: "(.*?)"; \} @bottom-center \{ content: "(.*?)"; \} \}', html):
    titles[number] = flat(re.sub(r"\\(3c |.)", lambda found: "<" if found[1] == "3c " else found[1], unescape(left + middle)))
page_of_heading = {anchor: page for _, _, page, anchor in contents}
opens = {}
for number, first in re.findall(r'<section class="bound" style="page: c(\d+)">.*?<h2\b[^>]* id="([^"]*)"', html, re.S):
    opens[page_of_heading[first]] = titles[number]
footers = printed_pages("-layout", "-x", "0", "-y", str(FOOTER), "-W", "596", "-H", str(842 - FOOTER))
expected, wrong = "", []
for number, footer in enumerate(footers, 1):
    expected = opens.get(number, expected)
    if footer != (f"{expected}{number}" if number > 1 else ""):
        wrong.append(f"page {number}: the footer is `{footer}`, not that of `{expected}`")
report(wrong)
if len(opens) < 3:
    faults.append(f"the footers name only {len(opens)} chapters")

# Cards. Their anchors have pages, because the appendix links to them.
cards = re.findall(r'<article class="claim\b[^"]*" id="(claim-[^"]*)">(.*?)</article>', html, re.S)
page_of_anchor = {key.lstrip("/"): page_of(destination) for key, destination in named.items()}
wrong = []
for anchor, card in cards:
    summary = re.search(r"<summary>(.*?)</summary>", card, re.S)[1]
    parts = re.split(r'(?=<span class="(?:kind|value|chip|unfold)\b)', summary)
    shown = [part for part in parts if re.match(r'<span class="(?:kind|value|chip)\b', part)]
    if not any(part.startswith('<span class="chip') for part in shown):
        wrong.append(f"{anchor} has no verdict")
    # What is for screen readers alone is not on paper.
    shown = [re.sub(r'<span class="word">.*?</span>', "", part) for part in shown]
    shown += re.findall(r'<p class="says">(.*?)</p>', card, re.S)
    shown += re.findall(r'<div class="prove">(.*?)</div>', card, re.S)
    page = page_of_anchor.get(anchor)
    missing = [text(part) for part in shown if page is None or words(part) not in texts[page - 1]]
    if missing or len(shown) < 4:
        wrong.append(f"page {page}: {anchor} lacks {', '.join(f'`{part}`' for part in missing) or 'a part'}")
report(wrong)
if len(cards) < 3:
    faults.append(f"only {len(cards)} cards")

# Solutions: the title, and right below it how the solution begins.
solutions = re.findall(r'<details class="solution" open>\s*<summary>(.*?)</summary>\s*<(?:p|pre)\b[^>]*>(.*?)</(?:p|pre)>', html, re.S)
report([f"a solution does not begin below its title: {title}: {text(start)[:60]}" for title, start in solutions
      if not any(words(title) + words(start)[:20] in page for page in texts)])
if len(solutions) != html.count('<details class="solution"') or not solutions:
    faults.append(f"{len(solutions)} solutions begin with text")

# Figures. A panel alone has a drawing for each width, of which paper takes the wide one.
figures = re.findall(r'<figure class="measurement"(.*?)</figure>', html, re.S)
figures = [figure if 'class="panels several"' in figure else re.sub(r'<svg class="chart narrow".*?</svg>', "", figure, flags=re.S)
           for figure in figures]
wrong = []
for figure in figures:
    title = text(re.search(r"<strong>(.*?)</strong>", figure, re.S)[1])
    panels = "".join(re.findall(r'<div class="panel"[^>]*>(.*?)</div>', figure, re.S))
    tables = re.findall(r"<table>(.*?)</table>", figure, re.S)
    for what, part in [("the drawings", panels)] + [("a table", table) for table in tables]:
        if not any(words(part) in page for page in texts):
            wrong.append(f"no page has {what} of a figure as a whole: {title}: {text(part)[:60]}")
report(wrong)
whole = "".join(words(figure.split(">", 1)[1]) for figure in figures)
labels = {words(label) for figure in figures for label in re.findall(r'<text [^>]*class="axis"[^>]*>(.*?)</text>', figure)}
report([f"`{label}` is drawn {printed.count(label)} times, not {whole.count(label)}" for label in sorted(labels)
      if printed.count(label) != whole.count(label)])
if not labels:
    faults.append("there is no figure")

# The appendix in short form.
listed = re.search(r'<table class="all-claims">(.*?)</table>', html, re.S)
rows = re.findall(r'<tr\b[^>]*><td>(.*?<a href="#(claim-[^"]*)">.*?)</td>', listed[1] if listed else "", re.S)
if {anchor for _, anchor in rows} != {anchor for anchor, _ in cards}:
    faults.append(f"the appendix lists {len(rows)} claims, and there are {len(cards)} cards")
last = [(name, page) for level, name, page, _ in contents if level == 2][-2:]
if [name for name, _ in last] != ["Every claim", "The machines"]:
    faults.append(f"the appendix ends with {last}, not with the claims and the machines in short form")
report([f"the appendix lacks a claim: {text(row)}" for row, _ in rows if not any(words(row) in page for page in texts[last[0][1] - 1:])])

# Pages as they look.
starts = {page for level, _, page, _ in contents if level <= 2}
front = min(starts, default=1)
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["pdftoppm", "-r", str(DPI), "-gray", pdf, f"{folder}/p"], check=True)
    pages = sorted(Path(folder).iterdir())
    for number, file in enumerate(pages, 1):
        header, pixels = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", file.read_bytes()), None
        data = file.read_bytes()
        width, height = int(header[1]), int(header[2])
        rows = [data[header.end() + y * width:header.end() + (y + 1) * width] for y in range(height)]
        edge = int(EDGE / 25.4 * DPI)
        if any(min(row[:edge] + row[-edge:]) < 160 for row in rows):
            faults.append(f"page {number}: something reaches the edge")
        top, bottom = int(18 / 25.4 * DPI), height - int(20 / 25.4 * DPI)
        inked = [y for y in range(top, bottom) if min(rows[y]) < 200]
        empty = (bottom - (inked[-1] if inked else top)) / (bottom - top)
        before_a_chapter = number + 1 in starts or number == len(pages) or number < front
        if empty > EMPTY and not before_a_chapter:
            faults.append(f"page {number}: empty by {empty:.0%}")

fonts = subprocess.run(["pdffonts", pdf], capture_output=True, check=True).stdout.decode().splitlines()[2:]
for font in fonts:
    embedded = font.split()[-5]
    if embedded != "yes":
        faults.append(f"a font is not embedded: {font.split()[0]}")

print(f"{len(reader.pages)} pages, {len(marks)} entries of the outline, {links} links, {len(listings)} listings, {len(cards)} cards, "
      f"{len(solutions)} solutions, {len(figures)} figures")
for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
