// Text, and nothing but text: what the exchange says never becomes markup.
export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    const shown = document.createElement('p');
    el.append(shown);
    const draw = () => {
      shown.className = `kr-text ${model.get('role')}`;
      shown.textContent = model.get('value');
      if (model.get('live')) shown.setAttribute('aria-live', 'polite');
    };
    draw();
    model.on('change', draw);
    return () => model.off('change', draw);
  },
};
