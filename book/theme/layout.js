// Explores a struct's layout: lists fields, and draws where their bytes lie under three rules. It fills each element of
// the class `explore-layout`; without scripts, the page says in its text what the rules do.
//
// The rules are functions of their own, `structLayouts`, so that a check can hold them against the compiler's offsets.
(() => {
    'use strict';

    // Size, alignment and spare values ("niche") of each type on a 64-bit target, and Go's counterpart. A niche is the
    // number of values that no valid value takes, with the place of the number that has them in the type.
    const niche = (spare, at, size) => ({ spare: BigInt(spare), at, size });
    const pointer = niche(1, 0, 8);
    const length = niche(2n ** 63n, 0, 8);
    const number = (size, go) => ({ size, align: size, go: [go, size, size] });
    const types = {
        'u8': number(1, 'uint8'), 'i8': number(1, 'int8'),
        'u16': number(2, 'uint16'), 'i16': number(2, 'int16'),
        'u32': number(4, 'uint32'), 'i32': number(4, 'int32'), 'f32': number(4, 'float32'),
        'u64': number(8, 'uint64'), 'i64': number(8, 'int64'), 'f64': number(8, 'float64'),
        'usize': number(8, 'uint'), 'isize': number(8, 'int'),
        'u128': { size: 16, align: 16, go: ['[2]uint64', 16, 8] },
        'i128': { size: 16, align: 16, go: ['[2]uint64', 16, 8] },
        '()': { size: 0, align: 1, go: ['struct{}', 0, 1] },
        'bool': { size: 1, align: 1, niche: niche(254, 0, 1), go: ['bool', 1, 1] },
        'char': { size: 4, align: 4, niche: niche(2n ** 32n - 0x110000n, 0, 4), go: ['rune', 4, 4] },
        'NonZeroU32': { size: 4, align: 4, niche: niche(1, 0, 4), go: ['uint32', 4, 4] },
        'Option<bool>': { size: 1, align: 1, niche: niche(253, 0, 1), go: ['*bool', 8, 8] },
        'Option<u8>': { size: 2, align: 1, niche: niche(254, 0, 1), go: ['*uint8', 8, 8] },
        'Option<u32>': { size: 8, align: 4, niche: niche(2n ** 32n - 2n, 0, 4), go: ['*uint32', 8, 8] },
        'Option<u64>': { size: 16, align: 8, niche: niche(2n ** 64n - 2n, 0, 8), go: ['*uint64', 8, 8] },
        '&u64': { size: 8, align: 8, niche: pointer, go: ['*uint64', 8, 8] },
        '&str': { size: 16, align: 8, niche: pointer, go: ['string', 16, 8] },
        'Box<u64>': { size: 8, align: 8, niche: pointer, go: ['*uint64', 8, 8] },
        'Option<Box<u64>>': { size: 8, align: 8, go: ['*uint64', 8, 8] },
        'Arc<u64>': { size: 8, align: 8, niche: pointer, go: ['*uint64', 8, 8] },
        'String': { size: 24, align: 8, niche: length, go: ['string', 16, 8] },
        'Vec<u8>': { size: 24, align: 8, niche: length, go: ['[]byte', 24, 8] },
    };

    // Returns what a type's name stands for, or undefined. Arrays are counted.
    function typeOf(name) {
        const array = /^\[(.+);(\d+)\]$/.exec(name);
        if (!array) return Object.hasOwn(types, name) ? { name, ...types[name] } : undefined;
        const of = typeOf(array[1]);
        const count = Number(array[2]);
        if (!of || count > 4096) return undefined;
        return {
            name,
            size: of.size * count,
            align: of.align,
            // Of an array, the compiler uses the first element's.
            niche: count > 0 ? of.niche : undefined,
            go: [`[${count}]${of.go[0]}`, of.go[1] * count, of.go[2]],
        };
    }

    // Reads fields, one a line or separated by commas, with or without the struct around them.
    function parse(text) {
        const inner = text.replace(/\/\/.*$/gm, '').replace(/^[^{]*\{|\}\s*$/g, '');
        const fields = [];
        for (const part of inner.split(/[,\n]/)) {
            const line = part.replace(/^\s*pub(\([a-z]+\))?\s/, '').trim();
            if (!line) continue;
            const found = /^(?:r#)?([A-Za-z_]\w*)\s*:\s*(.+)$/.exec(line);
            if (!found) return { error: `"${line}" is no field: write a name, a colon and a type` };
            const type = typeOf(found[2].replace(/\s+/g, ''));
            if (!type) return { error: `"${found[2]}" is not among the types that this page knows` };
            if (fields.some((field) => field.name === found[1])) {
                return { error: `the field "${found[1]}" stands there twice` };
            }
            fields.push({ name: found[1], type });
        }
        if (fields.length > 64) return { error: 'more than 64 fields' };
        return { fields };
    }

    const up = (n, align) => Math.ceil(n / align) * align;

    // Places fields one after the other, each at the next multiple of its alignment.
    function place(fields) {
        let at = 0;
        let align = 1;
        const placed = fields.map((field) => {
            at = up(at, field.align);
            align = Math.max(align, field.align);
            const offset = at;
            at += field.size;
            return { ...field, offset };
        });
        return { fields: placed, size: up(at, align), align };
    }

    const asRust = (field, number) => ({ ...field.type, name: field.name, number, shown: field.type.name });

    function inGo(field, number) {
        const [shown, size, align] = field.type.go;
        return { name: field.name, number, shown, size, align };
    }

    // Go keeps the order, and adds a byte behind a last field without size, so that its address stays inside.
    function go(fields) {
        const all = fields.map(inGo);
        const last = all.at(-1);
        if (!last || last.size > 0 || all.every((field) => field.size === 0)) return place(all);
        const laid = place([...all, { name: '', shown: '', size: 1, align: 1 }]);
        laid.fields.pop();
        return laid;
    }

    const zeros = (n) => (n === 0 ? 128 : Math.log2(n & -n));

    // The compiler's order as of Rust 1.95: the largest alignment first, where a field whose size is a multiple of a
    // larger power of two counts as aligned to that; then spare values towards one end of the struct.
    function ordered(fields, towardsEnd) {
        const largestAlign = Math.max(1, ...fields.map((field) => field.align));
        const spare = (field) => field.niche?.spare ?? 0n;
        const largestSpare = fields.reduce((most, field) => (spare(field) > most ? spare(field) : most), 0n);
        const group = (field) => {
            const bySize = zeros(Math.max(field.align, field.size));
            if (largestSpare === 0n) return bySize;
            if (!towardsEnd) return Math.min(zeros(largestAlign), bySize);
            return spare(field) === largestSpare ? zeros(field.align) : bySize;
        };
        const inner = (field) => {
            if (!field.niche) return 0;
            return towardsEnd ? -(field.size - field.niche.size - field.niche.at) : field.niche.at;
        };
        const sign = towardsEnd ? 1 : -1;
        const compare = (a, b) => {
            const difference = spare(a) - spare(b);
            const bySpare = difference === 0n ? 0 : (difference > 0n ? sign : -sign);
            return group(b) - group(a) || bySpare || inner(a) - inner(b);
        };
        return [...fields].sort(compare);
    }

    // Returns how many bytes lie before and behind the spare values that an enum around the struct would use.
    function around(laid, towardsEnd) {
        let best;
        for (const field of laid.fields) {
            // Of several that are alike, the one nearest to that end.
            const is = !best || field.niche?.spare > best.niche.spare
                || (towardsEnd && field.niche?.spare === best.niche.spare);
            if (field.niche && is) best = field;
        }
        if (!best) return undefined;
        const head = best.offset + best.niche.at;
        return [head, laid.size - head - best.niche.size];
    }

    function rust(fields) {
        const all = fields.map(asRust);
        const laid = place(ordered(all, false));
        const edges = around(laid, false);
        if (all.length < 2 || !edges || edges[0] === 0 || edges[1] <= 0) return laid;
        const other = place(ordered(all, true));
        const [head] = around(other, true);
        return head > edges[0] && head > edges[1] ? other : laid;
    }

    globalThis.structLayouts = {
        parse,
        types: Object.keys(types),
        c: (fields) => place(fields.map(asRust)),
        rust,
        go,
    };

    if (typeof document === 'undefined') return;

    const LINE = 64;
    const ROW = 8;
    // The most bytes that are drawn.
    const SHOWN = 1024;

    function element(name, attributes, ...children) {
        const made = document.createElement(name);
        for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
        made.append(...children);
        return made;
    }

    // Draws the bytes, a row for every eight: a box for each run of a field's bytes or of padding in a row. A cache line
    // ends after eight rows.
    function picture(laid) {
        const owner = new Array(laid.size).fill(-1);
        laid.fields.forEach((field, number) => owner.fill(number, field.offset, field.offset + field.size));
        const grid = element('div', { class: 'bytes', 'aria-hidden': 'true' });
        for (let at = 0; at < laid.size && at < SHOWN;) {
            let end = at + 1;
            while (end % ROW !== 0 && end < laid.size && owner[end] === owner[at]) end += 1;
            const field = laid.fields[owner[at]];
            const begins = field && at === field.offset;
            const kind = field ? `field s${field.number % 8}` : 'hole';
            const line = at % LINE < ROW && at >= LINE ? ' line' : '';
            const run = element('span', { class: kind + line, style: `grid-column: span ${end - at}` });
            if (begins) run.textContent = field.name;
            grid.append(run);
            at = end;
        }
        return grid;
    }

    function table(laid) {
        const rows = laid.fields.map((field) =>
            element('tr', {},
                element('th', { scope: 'row' }, element('code', {}, field.name)),
                element('td', {}, element('code', {}, field.shown)),
                element('td', {}, String(field.offset)),
                element('td', {}, String(field.size))));
        const head = ['field', 'type', 'offset', 'size'].map((name) => element('th', { scope: 'col' }, name));
        return element('details', {},
            element('summary', {}, 'Offsets'),
            element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows)));
    }

    function panel(title, laid) {
        const used = laid.fields.reduce((sum, field) => sum + field.size, 0);
        const sum = `${laid.size} bytes, aligned to ${laid.align}, padding ${laid.size - used}. `
            + `A thousand of them fill ${Math.ceil(laid.size * 1000 / LINE)} cache lines.`;
        return element('section', { 'data-size': String(laid.size) },
            element('p', { class: 'title' }, title),
            element('p', { class: 'sum' }, sum),
            picture(laid),
            table(laid));
    }

    function explore(place) {
        const id = 'explore-layout-fields';
        const area = element('textarea', { id, rows: '6', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'none' });
        area.value = place.dataset.fields.replaceAll(', ', ',\n');
        const said = element('p', { class: 'said', role: 'status' });
        const shown = element('div', { class: 'layouts' });
        const known = element('details', {},
            element('summary', {}, 'Types that this page knows'),
            element('p', {}, element('code', {}, structLayouts.types.join('  ')), ', and arrays of them, such as ',
                element('code', {}, '[u8; 33]')));
        const draw = () => {
            const { fields, error } = parse(area.value);
            said.textContent = error ?? '';
            area.setAttribute('aria-invalid', String(Boolean(error)));
            if (error) return;
            const laid = { c: structLayouts.c(fields), rust: rust(fields), go: go(fields) };
            shown.replaceChildren(
                panel('repr(C): the order of the source', laid.c),
                panel('repr(Rust): the compiler’s order', laid.rust),
                panel('Go: the order of the source, Go’s types', laid.go));
            said.textContent = `repr(C) ${laid.c.size} bytes, repr(Rust) ${laid.rust.size}, Go ${laid.go.size}`;
        };
        area.addEventListener('input', draw);
        place.replaceChildren(element('label', { for: id }, 'Fields of a struct'), area, said, shown, known);
        draw();
    }

    document.querySelectorAll('.explore-layout').forEach(explore);
})();
