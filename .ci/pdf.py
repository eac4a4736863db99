"""Checks a PDF of the book against the page that it was printed from.

    python3 pdf.py FILE.pdf paper.html

The outline and the contents list every heading with its page; every internal link leads somewhere; every line of every listing
is there; nothing is cut off at the edge; no page is empty by a third, except before a chapter; the fonts are embedded. Prints a
line for every fault and exits with 1 if there is one.
"""

import re
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path

from pypdf import PdfReader

EMPTY = 1 / 3
"""The share of a page's text area, from the bottom, that may be empty."""
EDGE = 10
"""The outermost millimeters of a page, left and right, in which nothing is printed."""
DPI = 24

pdf, html = sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8")
reader = PdfReader(pdf)
faults = []


def text(markup):
    """The text of HTML, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", markup)).split())


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
printed = subprocess.run(["pdftotext", "-raw", "-enc", "UTF-8", pdf, "-"], capture_output=True, check=True).stdout.decode()
printed = "".join(printed.split())
listings = re.findall(r"<pre\b[^>]*>(.*?)</pre>", html, re.S)
lost = 0
for listing in listings:
    shown = re.sub(r'<span class="boring">.*?</span>', "", listing, flags=re.S)
    for line in unescape(re.sub(r"<[^>]*>", "", shown)).splitlines():
        if "".join(line.split()) not in printed:
            lost += 1
            if lost <= 10:
                faults.append(f"a line of a listing is not there: {line.strip()}")
if lost > 10:
    faults.append(f"and {lost - 10} more lines of listings")
if not listings:
    faults.append("there is no listing")

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

print(f"{len(reader.pages)} pages, {len(marks)} entries of the outline, {links} links, {len(listings)} listings")
for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
