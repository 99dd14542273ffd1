// Text, and nothing but text: what the exchange says never becomes markup.
export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    const shown = document.createElement('p');
    el.append(shown);
    const draw = () => {
      if (model.get('live')) shown.setAttribute('role', 'status');
      else shown.removeAttribute('role');
      shown.className = `kr-text ${model.get('role')}`;
      if (shown.textContent !== model.get('value')) shown.textContent = model.get('value');
    };
    draw();
    model.on('change', draw);
    return () => model.off('change', draw);
  },
};
