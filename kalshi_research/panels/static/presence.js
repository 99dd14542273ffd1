// Tells the kernel whether a person can see the panel that this stands in. Draws nothing.
const AGAIN = 30000; // ms
let views = 0;

export default {
  render({ model, el }) {
    el.classList.add('kr');
    const view = `${Date.now()}-${Math.random()}-${(views += 1)}`;
    let inside = true;
    let left = false;
    let said = null;
    const say = (seen) => {
      if (seen !== said) model.send({ view, seen });
      said = seen;
    };
    const look = () => {
      if (!left) say(inside && document.visibilityState === 'visible');
    };
    const gone = () => {
      left = true; // a page that is left becomes hidden after that
      said = null;
      model.send({ view, gone: true });
    };
    const back = () => {
      left = false;
      look();
    };
    // A browser that dies says no goodbye: who can see says so again and again.
    const again = setInterval(() => {
      if (said && !el.closest('.jupyter-widgets-disconnected')) model.send({ view, seen: true });
    }, AGAIN);
    const observer = new IntersectionObserver((entries) => {
      inside = entries.at(-1).isIntersecting;
      look();
    });
    // It is put into its place after it was made; where it never is, it counts as seen.
    let tries = 600;
    const watch = () => {
      const panel = el.closest('.kr-panel');
      if (panel) observer.observe(panel);
      else if ((tries -= 1)) waiting = requestAnimationFrame(watch);
    };
    let waiting = requestAnimationFrame(watch);
    document.addEventListener('visibilitychange', look);
    window.addEventListener('pagehide', gone);
    window.addEventListener('pageshow', back);
    look();
    return () => {
      clearInterval(again);
      cancelAnimationFrame(waiting);
      observer.disconnect();
      document.removeEventListener('visibilitychange', look);
      window.removeEventListener('pagehide', gone);
      window.removeEventListener('pageshow', back);
      gone();
    };
  },
};
