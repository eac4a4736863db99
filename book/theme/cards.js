// Cards: opens the one that the address names, and adds buttons that copy commands.

(() => {
    'use strict';

    function openTarget() {
        if (!location.hash.startsWith('#claim-')) {
            return;
        }
        const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
        const fold = card && card.querySelector(':scope > details');
        if (fold) {
            fold.open = true;
        }
    }

    // Selects the command, for browsers that do not let a page write to the clipboard.
    function select(code) {
        const range = document.createRange();
        range.selectNodeContents(code);
        const selection = getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
    }

    function addCopyButton(code) {
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'copy';
        button.textContent = 'Copy';
        // A status is read out when its text changes; the button's own text is not.
        const status = document.createElement('span');
        status.setAttribute('role', 'status');
        status.className = 'copied';
        button.addEventListener('click', async () => {
            let said = ' Copied';
            try {
                await navigator.clipboard.writeText(code.textContent);
            } catch {
                select(code);
                said = ' Selected';
            }
            status.textContent = said;
            setTimeout(() => (status.textContent = ''), 2000);
        });
        code.after(button, status);
    }

    document.querySelectorAll('.claim .prove code, .claim .runs code, .strip .command, .live .command')
        .forEach(addCopyButton);
    openTarget();
    addEventListener('hashchange', openTarget);
})();
