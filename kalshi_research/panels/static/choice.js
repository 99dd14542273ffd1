// A few choices side by side, one of which holds: radio buttons, which every keyboard knows. Text only.
export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    const group = document.createElement('div');
    group.className = 'kr-choice';
    group.setAttribute('role', 'radiogroup');
    const name = `kr-choice-${Math.random()}`; // each widget has a module of its own
    const inputs = model.get('options').map(([text, value]) => {
      const label = document.createElement('label');
      const input = document.createElement('input');
      input.type = 'radio';
      input.name = name;
      input.value = value;
      input.addEventListener('change', () => {
        model.set('value', value);
        model.save_changes();
      });
      const words = document.createElement('span');
      words.textContent = text;
      label.append(input, words);
      group.append(label);
      return input;
    });
    // The notebook has keys of its own.
    group.addEventListener('keydown', (event) => {
      if (event.key.startsWith('Arrow') || event.key === ' ') event.stopPropagation();
    });
    el.append(group);
    const draw = () => {
      group.setAttribute('aria-label', model.get('label'));
      inputs.forEach((input) => {
        input.checked = input.value === model.get('value');
        input.disabled = model.get('disabled');
      });
    };
    draw();
    model.on('change', draw);
    return () => model.off('change', draw);
  },
};
