// Colors code when it comes near the window. mdBook's scripts would color all code of the page at once, each `name` in the text
// included, and hold up everything else for as long. Runs between highlight.js and book.js; the page for printing goes without.

'use strict';

(function highlighting() {
    const color = hljs.highlightBlock;
    const waiting = new Set();
    function show(block) {
        if (!waiting.delete(block)) return;
        observer.unobserve(block);
        color.call(hljs, block);
        // hljs adds a class for the language it has found, and book.js has set the others.
        block.classList.add('hljs');
    }
    const observer = new IntersectionObserver((entries) => {
        for (const entry of entries) if (entry.isIntersecting) show(entry.target);
    }, { rootMargin: '600px' });

    hljs.highlightBlock = (block) => {
        // A name in the text has no language, and keeps its color.
        if (block.parentElement.localName !== 'pre') return;
        waiting.add(block);
        observer.observe(block);
    };
    window.addEventListener('beforeprint', () => waiting.forEach(show));
})();
