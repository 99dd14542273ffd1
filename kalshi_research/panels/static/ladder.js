// Both sides of a book around the mid, drawn at most once a frame. Text nodes only.
const digits = (price) => /^\d+\.(\d{1,6})$/.exec(price)?.[1].length ?? 0;

export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    const box = document.createElement('div');
    box.className = 'kr-scroll kr-ladder';
    box.setAttribute('role', 'group');
    el.append(box);
    let due = 0;
    let drawn = 0;

    const head = document.createElement('div');
    head.className = 'head';
    for (let at = 0; at < 3; at += 1) head.append(document.createElement('span'));
    const mid = document.createElement('div');
    mid.className = 'mid';
    const pools = { ask: [], bid: [] };
    const places = { ask: document.createElement('div'), bid: document.createElement('div') };
    box.append(head, places.ask, mid, places.bid);

    const line = () => {
      const row = document.createElement('div');
      row.className = 'row';
      const sides = ['bid', 'ask'].map((side) => {
        const size = document.createElement('div');
        size.className = `size ${side}`;
        size.append(...['i', 'span', 'b'].map((name) => document.createElement(name)));
        return size;
      });
      const price = document.createElement('button');
      price.type = 'button';
      price.className = 'price';
      price.tabIndex = -1;
      // The book may move between press and release: what was pressed is meant.
      let pressed = null;
      const here = () => ({ price: row.dataset.price, side: row.dataset.side });
      price.addEventListener('pointerdown', () => (pressed = here()));
      price.addEventListener('click', ({ detail }) => model.send((detail && pressed) || here()));
      price.addEventListener('focus', () => stop(row));
      row.append(sides[0], price, sides[1]);
      return row;
    };
    const shown = () => [...pools.ask, ...pools.bid].filter((row) => !row.hidden);
    // One stop for the tabulator; arrows go on from there.
    const stop = (row) => {
      [...pools.ask, ...pools.bid].forEach((each) => {
        const tab = each === row ? 0 : -1;
        if (each.children[1].tabIndex !== tab) each.children[1].tabIndex = tab;
      });
    };

    const write = (row, side, [price, size, own, changed], largest, most) => {
      const [left, button, right] = row.children;
      row.dataset.price = price;
      row.dataset.side = side;
      row.classList.toggle('changed', Boolean(changed));
      button.className = `price ${side}`;
      button.textContent = price;
      // Points stand above each other: noughts that nobody sees make up for missing digits.
      const missing = most - digits(price);
      button.dataset.pad = `${missing && missing === most ? '.' : ''}${'0'.repeat(missing)}`;
      const yours = own ? `, ${own} of them yours` : '';
      button.setAttribute('aria-label', `${side} ${price}, ${size} contracts${yours}`);
      const [here, there] = side === 'bid' ? [left, right] : [right, left];
      const [bar, count, mine] = here.children;
      bar.style.width = `${Math.min(100, (100 * Number(size)) / largest)}%`;
      count.textContent = size;
      mine.textContent = own ? `${own} mine` : '';
      there.children[0].style.width = '0';
      there.children[1].textContent = '';
      there.children[2].textContent = '';
    };
    const fill = (side, levels, largest, most) => {
      const pool = pools[side];
      while (pool.length < levels.length) {
        const row = line();
        pool.push(row);
        places[side].append(row);
      }
      pool.forEach((row, at) => {
        const level = levels[at];
        const is = level === undefined ? '' : JSON.stringify([level, largest, most]);
        if (row.is === is) return; // most levels stay as they are
        row.is = is;
        row.hidden = level === undefined;
        if (level !== undefined) write(row, side, level, largest, most);
      });
    };

    const draw = () => {
      due = 0;
      const book = model.get('book');
      const heads = model.get('heads');
      heads.forEach((text, at) => {
        if (head.children[at].textContent !== text) head.children[at].textContent = text;
      });
      box.setAttribute('aria-label', model.get('label'));
      box.style.maxHeight = model.get('height');
      box.classList.toggle('stopped', !book.live);
      const sizes = [...book.asks, ...book.bids].map((level) => String(level[1]));
      const largest = Math.max(1, ...sizes.map(Number));
      const most = Math.max(0, ...[...book.asks, ...book.bids].map(([price]) => digits(price)));
      box.style.setProperty('--digits', Math.max(3, ...sizes.map((text) => text.length)));
      fill('ask', [...book.asks].reverse(), largest, most);
      fill('bid', book.bids, largest, most);
      if (mid.textContent !== book.mid) mid.textContent = book.mid;
      const rows = shown();
      if (!rows.some((row) => row.children[1].tabIndex === 0)) {
        stop(rows.find((row) => row.dataset.side === 'bid') || rows[0]);
      }
      drawn += 1;
      el.dataset.drawn = String(drawn);
    };
    const soon = () => {
      if (!due) due = requestAnimationFrame(draw);
    };

    box.addEventListener('keydown', (event) => {
      const here = event.target.closest('.row');
      const rows = shown();
      const at = rows.indexOf(here);
      const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      event.stopPropagation(); // the notebook has arrows of its own
      rows[to]?.children[1].focus();
    });
    draw();
    model.on('change:book change:heads change:height change:label', soon);
    return () => {
      cancelAnimationFrame(due);
      model.off(null, soon);
    };
  },
};
