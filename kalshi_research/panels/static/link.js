// A link to the exchange's own site, and to nowhere else.
const OURS = /^https:\/\/kalshi\.com\/markets\/[a-z0-9][a-z0-9._-]*$/;

export default {
  render({ model, el }) {
    el.classList.add('kr', 'tex2jax_ignore', 'mathjax_ignore');
    el.style.width = 'auto';
    const link = document.createElement('a');
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
    el.append(link);
    const draw = () => {
      const href = model.get('href');
      link.hidden = !OURS.test(href);
      if (link.hidden) link.removeAttribute('href');
      else link.href = href;
      link.textContent = link.hidden ? '' : model.get('text');
    };
    draw();
    model.on('change', draw);
    return () => model.off('change', draw);
  },
};
