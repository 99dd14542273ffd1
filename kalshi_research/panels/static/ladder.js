// Both sides of a book around the mid, drawn at most once a frame. Text nodes only.
export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    const box = document.createElement('div');
    box.className = 'kr-scroll kr-ladder';
    box.setAttribute('role', 'group');
    el.append(box);
    let due = false;
    let drawn = 0;

    const line = () => {
      const row = document.createElement('div');
      row.className = 'row';
      const sides = ['bid', 'ask'].map((side) => {
        const size = document.createElement('div');
        size.className = `size ${side}`;
        size.append(document.createElement('i'), document.createElement('span'));
        return size;
      });
      const price = document.createElement('button');
      price.className = 'price';
      price.addEventListener('click', () =>
        model.send({ price: row.dataset.price, side: row.dataset.side }),
      );
      row.append(sides[0], price, sides[1]);
      return row;
    };

    const head = document.createElement('div');
    head.className = 'head';
    for (let at = 0; at < 3; at += 1) head.append(document.createElement('span'));
    const mid = document.createElement('div');
    mid.className = 'mid';
    const pools = { ask: [], bid: [] };
    const places = { ask: document.createElement('div'), bid: document.createElement('div') };
    box.append(head, places.ask, mid, places.bid);

    const fill = (side, levels, largest) => {
      const pool = pools[side];
      while (pool.length < levels.length) {
        const row = line();
        pool.push(row);
        places[side].append(row);
      }
      pool.forEach((row, at) => {
        const level = levels[at];
        row.hidden = level === undefined;
        row.style.display = level === undefined ? 'none' : '';
        if (level === undefined) return;
        const [price, size, own, changed] = level;
        const [left, button, right] = row.children;
        row.dataset.price = price;
        row.dataset.side = side;
        row.classList.toggle('changed', Boolean(changed));
        button.className = `price ${side}`;
        button.textContent = price;
        button.setAttribute(
          'aria-label',
          `${side} ${price}, ${size} contracts${own ? `, ${own} of them yours` : ''}`,
        );
        const [here, there] = side === 'bid' ? [left, right] : [right, left];
        here.firstChild.style.width = `${Math.min(100, (100 * Number(size)) / largest)}%`;
        here.lastChild.textContent = own ? `${size} (${own} mine)` : size;
        here.lastChild.className = own ? 'own' : '';
        there.firstChild.style.width = '0';
        there.lastChild.textContent = '';
      });
    };

    const draw = () => {
      due = false;
      const book = model.get('book');
      model.get('heads').forEach((text, at) => {
        head.children[at].textContent = text;
      });
      box.setAttribute('aria-label', model.get('label'));
      box.style.maxHeight = model.get('height');
      box.classList.toggle('stopped', !book.live);
      const all = [...book.asks, ...book.bids].map((level) => Number(level[1]));
      const largest = Math.max(1, ...all);
      fill('ask', [...book.asks].reverse(), largest);
      fill('bid', book.bids, largest);
      mid.textContent = book.mid;
      drawn += 1;
      el.dataset.drawn = String(drawn);
    };
    const soon = () => {
      if (!due) {
        due = true;
        requestAnimationFrame(draw);
      }
    };

    box.addEventListener('keydown', (event) => {
      const here = event.target.closest('.row');
      if (!here || !['ArrowUp', 'ArrowDown'].includes(event.key)) return;
      event.preventDefault();
      const rows = [...box.querySelectorAll('.row')].filter((row) => !row.hidden);
      const next = rows[rows.indexOf(here) + (event.key === 'ArrowDown' ? 1 : -1)];
      next?.querySelector('button').focus();
    });
    draw();
    model.on('change:book change:heads change:height', soon);
    return () => model.off(null, soon);
  },
};
