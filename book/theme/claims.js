// The page of every claim: controls that show the claims of one verdict, machine, kind or chapter. The address keeps the
// choice, as in claims.html#verdict=fails&machine=zen5, so that a filtered list can be linked.

(() => {
    'use strict';

    const tables = [...document.querySelectorAll('table.claims')];
    // On the page that prints the whole book, the tables are whole.
    if (tables.length === 0 || location.pathname.endsWith('/print.html')) {
        return;
    }
    const rows = tables.flatMap(table => [...table.tBodies[0].rows]);
    const cells = row => [...row.querySelectorAll('td[data-machine]')];

    const distinct = values => [...new Set(values)].map(value => [value, value]);
    const chapters = tables.map(table => {
        const heading = table.closest('.scroll').previousElementSibling;
        return [table.tBodies[0].rows[0].dataset.chapter, heading.textContent];
    });
    const choices = {
        verdict: ['Verdict', distinct(rows.flatMap(cells).map(cell => cell.dataset.verdict))],
        machine: ['Machine', distinct(cells(rows[0]).map(cell => cell.dataset.machine))],
        kind: ['Proof', distinct(rows.map(row => row.dataset.kind))],
        chapter: ['Chapter', chapters],
    };

    const form = document.createElement('form');
    form.className = 'claims-filter';
    form.setAttribute('aria-label', 'Filter the claims');
    const selects = {};
    for (const [name, [label, options]] of Object.entries(choices)) {
        const select = document.createElement('select');
        select.name = name;
        select.add(new Option('any', ''));
        for (const [value, text] of options) {
            select.add(new Option(text, value));
        }
        const wrapper = document.createElement('label');
        wrapper.append(label + ' ', select);
        form.append(wrapper);
        selects[name] = select;
    }
    const all = document.createElement('button');
    all.type = 'reset';
    all.textContent = 'Show all';
    const count = document.createElement('p');
    count.setAttribute('role', 'status');
    form.append(all, count);
    tables[0].closest('.scroll').previousElementSibling.before(form);

    // A verdict without a machine may be that of any; a machine without a verdict has measured the claim.
    function matches(row, { verdict, machine, kind, chapter }) {
        const judged = cell => (verdict ? cell.dataset.verdict === verdict : cell.dataset.verdict !== 'not measured');
        return (!kind || row.dataset.kind === kind)
            && (!chapter || row.dataset.chapter === chapter)
            && ((!verdict && !machine)
                || cells(row).some(cell => (!machine || cell.dataset.machine === machine) && judged(cell)));
    }

    function show() {
        const chosen = Object.fromEntries(Object.entries(selects).map(([name, select]) => [name, select.value]));
        let shown = 0;
        for (const table of tables) {
            let any = false;
            for (const row of table.tBodies[0].rows) {
                row.hidden = !matches(row, chosen);
                any ||= !row.hidden;
                shown += !row.hidden;
            }
            const region = table.closest('.scroll');
            region.hidden = !any;
            region.previousElementSibling.hidden = !any;
        }
        count.textContent = shown === rows.length ? `All ${shown} claims` : `${shown} of ${rows.length} claims`;
    }

    // Reads the choice from the address. A value that is no option counts as none, and so does an anchor. The browser does not
    // scroll to a row that a choice hides at that moment, as in claims.html#cite-ID.
    function read() {
        const wanted = new URLSearchParams(location.hash.slice(1));
        for (const [name, select] of Object.entries(selects)) {
            select.value = wanted.get(name) ?? '';
            if (select.selectedIndex < 0) {
                select.value = '';
            }
        }
        show();
        rows.find(row => row.id === location.hash.slice(1))?.scrollIntoView();
    }

    function choose() {
        const chosen = Object.entries(selects).filter(([, select]) => select.value);
        const query = chosen.map(([name, select]) => `${name}=${encodeURIComponent(select.value)}`).join('&');
        // No new entry in the history: Back leads to the page before.
        history.replaceState(null, '', query ? `#${query}` : location.pathname + location.search);
        show();
    }

    form.addEventListener('change', choose);
    // The controls are reset after the event.
    form.addEventListener('reset', () => setTimeout(choose));
    form.addEventListener('submit', event => event.preventDefault());
    addEventListener('hashchange', read);
    read();
})();
