// Steps through the ring between a producer and a consumer. The steps are those of the Rust ring, printed by its test into
// ring-steps.json: for each state, whether a push or a pop succeeds, whether it reads the other side's index, and the
// state after it. Added here are the counters and where the cache lines lie.
(() => {
    'use strict';

    const CAPACITY = 4;

    function element(name, attributes, ...children) {
        const made = document.createElement(name);
        for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
        made.append(...children);
        return made;
    }

    // A cache line, by the cores that have a copy. A read needs a copy, a write the only one.
    function access(cores, core, writes) {
        const moves = writes ? cores !== core : !cores.includes(core);
        const after = writes ? core : (cores.includes(core) ? cores : '12');
        return [after, moves];
    }

    function begin() {
        return { at: `0,${CAPACITY},0`, tail: 0, head: 0, lines: { tail: '1', slots: '1', head: '2' }, moves: 0, passed: 0, said: '' };
    }

    function step(states, before, side) {
        const [succeeded, looked, to] = states[before.at][side];
        const now = { ...before, at: to, lines: { ...before.lines } };
        const [core, own, other] = side === 'push' ? ['1', 'tail', 'head'] : ['2', 'head', 'tail'];
        const moved = [];
        const touch = (line, writes) => {
            const [after, moves] = access(now.lines[line], core, writes);
            now.lines[line] = after;
            if (moves) moved.push(line);
        };
        touch(own, false);
        if (looked) touch(other, false);
        const slot = now[own] % CAPACITY;
        if (succeeded) {
            touch('slots', side === 'push');
            touch(own, true);
            now[own] += 1;
            if (side === 'pop') now.passed += 1;
        }
        now.moves += moved.length;
        const did = side === 'push' ? `writes slot ${slot}, then tail` : `takes slot ${slot}, then writes head`;
        const look = looked ? `reads ${other}` : `does not read ${other}`;
        const who = side === 'push' ? 'The producer' : 'The consumer';
        const end = side === 'push' ? 'full' : 'empty';
        const travel = moved.length === 0 ? 'No line moves.' : `Lines that move: ${moved.join(', ')}.`;
        now.said = succeeded ? `${who} ${look}, ${did}. ${travel}` : `${who} reads ${other}: the ring is ${end}. ${travel}`;
        return now;
    }

    function show(place, states) {
        let now = begin();
        const said = element('p', { class: 'said', role: 'status' });
        const picture = element('div', { class: 'ring' });
        const sum = element('p', { class: 'sum' });
        const where = { 1: 'core 1 alone', 2: 'core 2 alone', 12: 'both cores' };

        const line = (name, ...content) => element('div', { class: `line on${now.lines[name]}` },
            element('span', { class: 'what' }, name),
            ...content,
            element('span', { class: 'where' }, where[now.lines[name]]));

        function draw() {
            const [, room, known] = now.at.split(',').map(Number);
            const slots = element('span', { class: 'slots' });
            for (let slot = 0; slot < CAPACITY; slot += 1) {
                let item = '';
                for (let n = now.head; n < now.tail; n += 1) if (n % CAPACITY === slot) item = String(n);
                slots.append(element('span', { class: item === '' ? 'slot' : 'slot full' }, item));
            }
            picture.replaceChildren(
                element('div', { class: 'core' },
                    element('strong', {}, 'core 1: producer'),
                    element('span', {}, `sees room up to ${now.tail + room}`)),
                element('div', { class: 'lines' },
                    line('tail', element('span', { class: 'value' }, String(now.tail))),
                    line('slots', slots),
                    line('head', element('span', { class: 'value' }, String(now.head)))),
                element('div', { class: 'core' },
                    element('strong', {}, 'core 2: consumer'),
                    element('span', {}, `sees items up to ${now.head + known}`)));
            said.textContent = now.said || 'Press a button. Each step is what the ring’s code does.';
            const each = now.passed === 0 ? '' : `, ${(now.moves / now.passed).toFixed(1)} an item`;
            sum.textContent = `Items passed: ${now.passed}. Cache lines moved: ${now.moves}${each}.`;
        }

        const button = (label, act) => {
            const made = element('button', { type: 'button' }, label);
            made.addEventListener('click', () => { act(); draw(); });
            return made;
        };
        const repeat = (side, times) => () => {
            for (let i = 0; i < times; i += 1) now = step(states, now, side);
        };
        place.replaceChildren(
            element('div', { class: 'buttons' },
                button('Push', repeat('push', 1)),
                button('Pop', repeat('pop', 1)),
                button(`Push ${CAPACITY}`, repeat('push', CAPACITY)),
                button(`Pop ${CAPACITY}`, repeat('pop', CAPACITY)),
                button('Start over', () => { now = begin(); })),
            picture, said, sum);
        draw();
    }

    document.querySelectorAll('.step-ring').forEach((place) => {
        show(place, JSON.parse(place.querySelector('script').textContent));
    });
})();
