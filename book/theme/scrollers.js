// Lets the keyboard into tables and listings that are wider than the page, and names them. Those that fit are no tab stops.

'use strict';

(function scrollers() {
    const regions = [...document.querySelectorAll('main .table-wrapper, main pre > code')];

    // The nearest heading above, for readers who hear the name out of its context.
    function section(element) {
        let heading = '';
        for (const one of document.querySelectorAll('main :is(h1, h2, h3, h4)')) {
            if (one.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING) heading = one.textContent.trim();
            else break;
        }
        return heading;
    }
    function name(element) {
        const caption = element.closest('figure')?.querySelector('figcaption')?.textContent.trim();
        const kind = element.matches('code') ? 'Code' : 'Table';
        return caption ? `${kind}: ${caption}` : `${kind} in “${section(element)}”`;
    }

    function update(element) {
        const wide = element.scrollWidth > element.clientWidth + 1;
        if (wide === element.hasAttribute('tabindex')) return;
        if (wide) {
            element.setAttribute('tabindex', '0');
            element.setAttribute('role', 'group');
            element.setAttribute('aria-label', name(element));
        } else {
            for (const attribute of ['tabindex', 'role', 'aria-label']) element.removeAttribute(attribute);
        }
    }

    const observer = new ResizeObserver((entries) => entries.forEach((entry) => update(entry.target)));
    regions.forEach((region) => observer.observe(region));
    // A font that comes late changes the width of the text and not of its box.
    document.fonts.ready.then(() => regions.forEach(update));
})();
