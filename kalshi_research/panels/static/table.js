// A table that can be sorted, and whose rows can be chosen with mouse or keyboard. Text nodes only.
const SVG = 'http://www.w3.org/2000/svg';

function spark(values) {
  const known = values.filter((value) => value !== null);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('viewBox', '0 0 100 22');
  svg.setAttribute('preserveAspectRatio', 'none');
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

    const choose = (key) => {
      model.set('selected', key);
      model.save_changes();
    };
    const act = (key) => model.send({ act: key });

    const cell = (column, row, at) => {
      const td = document.createElement('td');
      td.className = column.kind === 'number' ? 'number' : 'text';
      if (column.kind === 'spark') td.append(spark(row.cells[at] || []));
      else if (column.kind === 'action') {
        if (row.cells[at]) {
          const button = document.createElement('button');
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
        text.className = 'clip';
        text.textContent = row.cells[at] ?? '';
        td.title = row.cells[at] ?? '';
        td.append(text);
      }
      return td;
    };

    const draw = () => {
      const columns = model.get('columns');
      const rows = [...model.get('rows')];
      const selected = model.get('selected');
      const top = scroll.scrollTop;
      const focused = el.contains(document.activeElement);
      scroll.style.maxHeight = model.get('height');
      if (sorted) {
        const { at, sign } = sorted;
        rows.sort((a, b) => sign * compare((a.order || a.cells)[at], (b.order || b.cells)[at]));
      }
      const table = document.createElement('table');
      table.setAttribute('role', 'grid');
      table.setAttribute('aria-label', model.get('label'));
      const head = table.createTHead().insertRow();
      columns.forEach((column, at) => {
        const th = document.createElement('th');
        th.className = column.kind === 'number' ? 'number' : '';
        th.scope = 'col';
        if (column.kind === 'spark' || column.kind === 'action') th.textContent = column.label;
        else {
          const button = document.createElement('button');
          const arrow = sorted && sorted.at === at ? (sorted.sign > 0 ? ' ▲' : ' ▼') : '';
          button.textContent = column.label + arrow;
          button.addEventListener('click', () => {
            sorted = { at, sign: sorted && sorted.at === at ? -sorted.sign : 1 };
            draw();
          });
          th.append(button);
        }
        head.append(th);
      });
      const body = table.createTBody();
      rows.forEach((row) => {
        const tr = body.insertRow();
        tr.tabIndex = row.key === selected || (!selected && row === rows[0]) ? 0 : -1;
        tr.dataset.key = row.key;
        tr.setAttribute('aria-selected', String(row.key === selected));
        columns.forEach((column, at) => tr.append(cell(column, row, at)));
        tr.addEventListener('click', () => choose(row.key));
      });
      const nothing = document.createElement('div');
      nothing.className = 'empty';
      nothing.textContent = rows.length ? '' : model.get('empty');
      nothing.hidden = rows.length > 0;
      scroll.replaceChildren(table, nothing);
      scroll.scrollTop = top;
      if (focused) body.querySelector('tr[tabindex="0"]')?.focus({ preventScroll: true });
    };

    scroll.addEventListener('keydown', (event) => {
      const here = event.target.closest('tr[data-key]');
      if (!here) return;
      const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
      if (step && here[step]) {
        event.preventDefault();
        choose(here[step].dataset.key);
        here[step].scrollIntoView?.({ block: 'nearest' });
      } else if (event.key === 'Enter' && event.target === here) choose(here.dataset.key);
    });
    draw();
    model.on('change:rows change:columns change:selected change:height', draw);
    return () => model.off(null, draw);
  },
};
