// What the keyboard does on a page, where mdBook's own scripts leave it out: the button of the table of contents, and arrow
// keys that belong to the thing in focus and not to the book. scrollers.js lets the keyboard into wide tables and listings.

'use strict';

(function skipLink() {
    const text = document.getElementById('text');
    document.querySelector('.skip-link').addEventListener('click', (event) => {
        // Without a change of address, which on the page of missing addresses would lead to another page.
        event.preventDefault();
        text.focus();
        text.scrollIntoView();
    });
})();

(function tableOfContents() {
    const sidebar = document.getElementById('mdbook-sidebar');
    const button = document.getElementById('mdbook-sidebar-toggle');
    const box = document.getElementById('mdbook-sidebar-toggle-anchor');

    const links = () => [...sidebar.querySelectorAll('a')];
    function tell() {
        button.setAttribute('aria-expanded', box.checked);
        sidebar.setAttribute('aria-hidden', !box.checked);
        for (const link of links()) link.setAttribute('tabindex', box.checked ? 0 : -1);
    }
    tell();

    // book.js, which listens to the box, shows and hides the sidebar.
    button.addEventListener('click', (event) => {
        box.checked = !box.checked;
        sidebar.style.display = '';
        box.dispatchEvent(new Event('change'));
        tell();
        // A press of a key has no place on the screen. The contents stand before the button, so the next press of Tab would miss them.
        if (box.checked && event.detail === 0) {
            (sidebar.querySelector('a.active') ?? links()[0])?.focus({ preventScroll: true });
        }
    });
    sidebar.addEventListener('keydown', (event) => {
        // On a wide screen the contents hide nothing, and stay.
        if (event.key === 'Escape' && document.body.clientWidth < 1080) {
            event.stopPropagation();
            button.click();
            button.focus();
        }
    });
})();

(function pageTurns() {
    const owners = [
        'pre', 'table', 'figure', 'details', 'summary', 'button', 'input', 'select', 'textarea', 'svg', 'audio', 'video',
        '[contenteditable]', '[tabindex]:not(main)', '[role="group"]', '[role="region"]',
    ].join(', ');
    const owner = (node) => {
        const element = node instanceof Element ? node : node?.parentElement;
        // The links of the sidebar have a tabindex, too, but no use for an arrow.
        const found = element?.closest(owners);
        return found && !(found.matches('a') && !found.parentElement?.closest(owners));
    };
    // Runs after the handlers of the page's own things, and before that of mdBook, which listens to the document.
    document.body.addEventListener('keydown', (event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        // After a click into code, the text as a whole is in focus, but the caret is there.
        const caret = document.activeElement.matches('body, main') ? document.getSelection()?.anchorNode : null;
        if (event.defaultPrevented || owner(event.target) || owner(caret)) event.stopPropagation();
    });
})();
