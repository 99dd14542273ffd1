// A table that can be sorted, and whose rows can be chosen with mouse or keyboard. Text nodes only.
const SVG = 'http://www.w3.org/2000/svg';

function spark(values) {
  const known = values.filter((value) => value !== null);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('viewBox', '0 0 100 22');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  if (known.length < 2) return svg;
  const low = Math.min(...known);
  const span = Math.max(Math.max(...known) - low, 0.02);
  const points = values
    .map((value, at) => [(100 * at) / (values.length - 1), value])
    .filter(([, value]) => value !== null)
    .map(([x, value]) => `${x.toFixed(1)},${(20 - (18 * (value - low)) / span).toFixed(1)}`);
  const line = document.createElementNS(SVG, 'polyline');
  line.setAttribute('points', points.join(' '));
  svg.append(line);
  return svg;
}

// Digits behind the point: -1 for what is no number.
function digits(text) {
  const found = /^[^\d]?[^\d]?[\d,]+(?:\.(\d{1,6}))?$/.exec(text ?? '');
  return found ? (found[1] ?? '').length : -1;
}

// What puts the points of a column above each other: noughts that nobody sees.
function padding(text, most) {
  const own = digits(text);
  if (own < 0 || own >= most) return '';
  return `${own ? '' : '.'}${'0'.repeat(most - own)}`;
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === '') return 1;
  if (b === null || b === '') return -1;
  return a < b ? -1 : 1;
}

export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    const scroll = document.createElement('div');
    scroll.className = 'kr-scroll';
    el.append(scroll);
    let sorted = null;
    // A row that is drawn anew between press and release would miss the click.
    let pressed = false;
    let late = false;
    const press = ({ button, target }) => (pressed = button === 0 && target.closest('tr') !== null);
    const release = () => {
      pressed = false;
      if (late) setTimeout(draw);
    };

    const choose = (key) => {
      model.set('selected', key);
      model.save_changes();
    };
    const act = (key) => model.send({ act: key });

    const cell = (column, row, at, most) => {
      const td = document.createElement('td');
      td.className = `${column.kind} ${column.from || ''}`;
      if (column.kind === 'spark') td.append(spark(row.cells[at] || []));
      else if (column.kind === 'action') {
        if (row.cells[at]) {
          const button = document.createElement('button');
          button.type = 'button';
          button.className = 'act';
          button.textContent = row.cells[at];
          button.setAttribute('aria-label', `${row.cells[at]} ${row.label || row.key}`);
          button.addEventListener('click', (event) => {
            event.stopPropagation();
            act(row.key);
          });
          td.append(button);
        }
      } else {
        const text = document.createElement('div');
        text.className = column.kind === 'number' ? 'figure' : 'clip';
        text.textContent = row.cells[at] ?? '';
        if (column.kind === 'number') text.dataset.pad = padding(row.cells[at], most);
        td.title = row.cells[at] ?? '';
        td.append(text);
      }
      return td;
    };

    const header = (column, at) => {
      const th = document.createElement('th');
      th.className = `${column.kind === 'number' ? 'number' : ''} ${column.from || ''}`;
      th.scope = 'col';
      if (column.kind === 'spark') th.textContent = column.label;
      else if (column.kind === 'action') {
        const words = document.createElement('span');
        words.className = 'kr-heard';
        words.textContent = column.label || 'Action';
        th.append(words);
      } else {
        const button = document.createElement('button');
        button.type = 'button';
        const ours = sorted && sorted.at === at;
        button.textContent = column.label + (ours ? (sorted.sign > 0 ? ' ▲' : ' ▼') : '');
        if (ours) th.setAttribute('aria-sort', sorted.sign > 0 ? 'ascending' : 'descending');
        button.addEventListener('click', () => {
          sorted = { at, sign: ours ? -sorted.sign : 1 };
          draw();
        });
        th.append(button);
      }
      return th;
    };

    // Where the keyboard is, in words that outlive the elements.
    const place = () => {
      const here = document.activeElement;
      if (!el.contains(here)) return null;
      const th = here.closest('th');
      const key = here.closest('tr')?.dataset.key;
      return { head: th ? th.cellIndex : -1, key, act: here.classList.contains('act') };
    };
    const back = (table, was) => {
      if (was.head >= 0) return table.tHead.rows[0].cells[was.head]?.querySelector('button');
      const rows = [...table.tBodies[0].rows];
      const row = rows.find((each) => each.dataset.key === was.key) || rows[0];
      return (was.act && row?.dataset.key === was.key && row.querySelector('.act')) || row;
    };
    const stop = (rows, row) => rows.forEach((each) => (each.tabIndex = each === row ? 0 : -1));

    const draw = () => {
      late = pressed;
      if (late) return;
      const columns = model.get('columns');
      const rows = [...model.get('rows')];
      const selected = model.get('selected');
      const top = scroll.scrollTop;
      const was = place();
      scroll.style.maxHeight = model.get('height');
      if (sorted) {
        const { at, sign } = sorted;
        rows.sort((a, b) => sign * compare((a.order || a.cells)[at], (b.order || b.cells)[at]));
      }
      const table = document.createElement('table');
      table.setAttribute('role', 'grid');
      table.setAttribute('aria-label', model.get('label'));
      table.createTHead().insertRow().append(...columns.map(header));
      const body = table.createTBody();
      const most = columns.map(({ kind }, at) =>
        kind === 'number' ? rows.reduce((so, row) => Math.max(so, digits(row.cells[at])), 0) : 0,
      );
      rows.forEach((row) => {
        const tr = body.insertRow();
        tr.tabIndex = -1;
        tr.dataset.key = row.key;
        tr.setAttribute('aria-selected', String(row.key === selected));
        tr.append(...columns.map((column, at) => cell(column, row, at, most[at])));
        tr.addEventListener('click', () => choose(row.key));
      });
      const all = [...body.rows];
      stop(all, all.find((tr) => tr.dataset.key === (was?.key || selected)) || all[0]);
      const nothing = document.createElement('div');
      nothing.className = 'empty';
      nothing.textContent = rows.length ? '' : model.get('empty');
      nothing.hidden = rows.length > 0;
      scroll.replaceChildren(table, nothing);
      scroll.scrollTop = top;
      if (was) back(table, was)?.focus({ preventScroll: true });
    };

    // Arrows move, Enter and the space bar choose: a row that is chosen may lead elsewhere.
    scroll.addEventListener('keydown', (event) => {
      const here = event.target.closest('tr[data-key]');
      if (!here) return;
      const rows = [...here.parentElement.rows];
      const at = rows.indexOf(here);
      const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        event.stopPropagation(); // the notebook has arrows of its own
        if (!rows[to]) return;
        stop(rows, rows[to]);
        rows[to].focus();
      } else if (event.target === here && (event.key === 'Enter' || event.key === ' ')) {
        event.preventDefault();
        choose(here.dataset.key);
      }
    });
    scroll.addEventListener('pointerdown', press);
    window.addEventListener('pointerup', release);
    window.addEventListener('pointercancel', release);
    draw();
    model.on('change:rows change:columns change:selected change:height change:label change:empty', draw);
    return () => {
      window.removeEventListener('pointerup', release);
      window.removeEventListener('pointercancel', release);
      model.off(null, draw);
    };
  },
};
