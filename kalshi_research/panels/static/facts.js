// Figures with their names. Text nodes only.
export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    const list = document.createElement('dl');
    list.className = 'kr-facts';
    el.append(list);
    const draw = () => {
      const pairs = model.get('pairs');
      list.hidden = pairs.length === 0;
      list.replaceChildren(
        ...pairs.map(([name, value]) => {
          const pair = document.createElement('div');
          const term = document.createElement('dt');
          term.textContent = name;
          const figure = document.createElement('dd');
          figure.textContent = value;
          pair.append(term, figure);
          return pair;
        }),
      );
    };
    draw();
    model.on('change', draw);
    return () => model.off('change', draw);
  },
};
