/** What every page shares, as one global: building elements, numbers as text, colours, data, and small services. */
window.KB = (() => {
  'use strict';

  const MINUS = '\u2212';
  const store = new Map();
  const listeners = [];

  /** A triangle that points down: Plot has none. */
  const down = {
    draw(context, size) {
      const half = Math.sqrt(size / Math.sqrt(3));
      context.moveTo(0, half * 1.15);
      context.lineTo(half, -half * 0.6);
      context.lineTo(-half, -half * 0.6);
      context.closePath();
    },
  };

  /** The same, but what a protocol over named sources (`two-step[sim-q]`) has not of its own, it has from the one without. */
  const byBase = (looks) => new Proxy(looks, { get: (own, name) => own[name] ?? own[String(name).split('[')[0]] });

  /** Protocols: the custom property that holds the colour, and the mark of Plot. */
  const protocols = byBase({
    scratch: { colour: '--scratch', symbol: 'circle' },
    imagenet: { colour: '--imagenet', symbol: 'square' },
    'two-step': { colour: '--two-step', symbol: 'diamond' },
    'imagenet-long': { colour: '--imagenet-long', symbol: 'triangle' },
    'two-step-shuffled': { colour: '--two-step-shuffled', symbol: down },
  });

  /** Verdicts, best first: colour of marks, and the mark of Plot. Text takes the class `verdict-<name>`. */
  const verdicts = {
    better: { colour: '--better', symbol: 'diamond' },
    equivalent: { colour: '--equivalent', symbol: 'square' },
    undecided: { colour: '--undecided', symbol: 'circle' },
    worse: { colour: '--worse', symbol: down },
    withheld: { colour: '--withheld', symbol: 'times' },
  };

  /** Give an element attributes and children; texts become text nodes, nothing is read as HTML. */
  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? '' : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined && child !== false) element.append(child);
    }
    return element;
  }

  /** A new HTML element: `KB.el('a', { href, onclick }, 'text', other)`. */
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

  /** A new SVG element. */
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

  /** Make a drawing one image to screen readers, whose parts have no names of their own. */
  function picture(drawing, name) {
    for (const part of drawing.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
    drawing.setAttribute('role', 'img');
    drawing.setAttribute('aria-label', name);
    return drawing;
  }

  /** The address where it is one of the web, else null. */
  function link(address) {
    try {
      return ['http:', 'https:'].includes(new URL(address).protocol) ? address : null;
    } catch {
      return null;
    }
  }

  const signOf = (text) => text.replace('-', MINUS);

  /** Parts of 1 as points with one decimal and a real minus sign. */
  function points(value, signed = false) {
    const rounded = Math.round(1000 * Math.abs(value)) / 10 * Math.sign(value) || 0;
    return signOf((signed && rounded >= 0 ? '+' : '') + rounded.toFixed(1));
  }

  /** `94.5 to 96.0`, or an empty text where there are no bounds. */
  const interval = (low, high, signed = false) =>
    low === null || high === null || low === undefined ? '' : `${points(low, signed)} to ${points(high, signed)}`;

  /** A number with three significant digits, without an exponent. */
  function digits(value) {
    if (!value) return '0';
    const rounded = Number(value.toPrecision(3));
    const decimals = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded)))));
    return signOf(rounded.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }

  /** `p < 0.001`, `p = 0.012`; bare, for a column: `< 0.001`, `0.012`, always three decimals. */
  function p(value, bare = false) {
    if (value < 0.001) return bare ? '< 0.001' : 'p < 0.001';
    return bare ? value.toFixed(3) : `p = ${Number(value.toPrecision(2))}`;
  }

  /** A count with a unit prefix: `4.65 M`. */
  function count(value) {
    for (const [size, unit] of [[1e9, ' G'], [1e6, ' M'], [1e3, ' k']]) {
      if (value >= size) return digits(value / size) + unit;
    }
    return String(value);
  }

  /** Seconds as `38 s`, `2.5 min`, `1.20 h`. */
  function seconds(value) {
    if (value < 60) return `${digits(value)} s`;
    return value < 3600 ? `${digits(value / 60)} min` : `${digits(value / 3600)} h`;
  }

  /** Joules as `950 J`, `1.23 kJ`, `0.500 kWh`. */
  function joules(value) {
    if (value < 1e3) return `${digits(value)} J`;
    return value < 1e6 ? `${digits(value / 1e3)} kJ` : `${digits(value / 3.6e6)} kWh`;
  }

  /** The day of an ISO date. */
  const day = (text) => text.slice(0, 10);

  /** The value of a custom property of the style sheet under the theme of now. */
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** Colours of protocols, verdicts and the page, under the theme of now. */
  function colours() {
    const of = (looks) => Object.fromEntries(Object.entries(looks).map(([name, look]) => [name, token(look.colour)]));
    return {
      protocol: byBase(of(protocols)), verdict: of(verdicts), text: token('--text'), soft: token('--soft'),
      line: token('--line'), back: token('--back'), card: token('--card'), accent: token('--accent'),
    };
  }

  /** Call back when the theme changes, or the window's width. */
  const onLook = (callback) => listeners.push(callback);

  function notify() {
    for (const callback of listeners) callback();
  }

  let width = window.innerWidth;
  let timer = 0;
  window.addEventListener('resize', () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(timer);
    timer = setTimeout(notify, 120);
  });
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', notify);

  /** Load a script of the board's own folder, once; its data is then in `KB.get`. */
  const scripts = new Map();
  function load(source) {
    if (!scripts.has(source)) {
      scripts.set(source, new Promise((done, failed) => {
        const gone = () => {
          scripts.delete(source);
          failed(new Error(`${source} cannot be read`));
        };
        document.head.append(el('script', { src: source, onload: done, onerror: gone }));
      }));
    }
    return scripts.get(source);
  }

  /** Say something to screen readers, by the page's live region `#live`. */
  function announce(text) {
    const region = document.getElementById('live');
    if (region && region.textContent !== text) region.textContent = text;
  }

  /** Put a text on the clipboard; from a disk some browsers only know the old way. */
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = el('textarea', { class: 'visually-hidden' });
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand('copy');
      area.remove();
      return done;
    }
  }

  /** Every `<button data-copy="id">` copies the text of that element and says so. */
  document.addEventListener('click', async (event) => {
    const button = event.target.closest && event.target.closest('[data-copy]');
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const before = button.textContent;
    button.textContent = (await copy(source.textContent.trim())) ? 'Copied' : 'Select and copy by hand';
    setTimeout(() => { button.textContent = before; }, 2000);
  });

  /** The skip link moves the focus and leaves the address alone, which may hold the state of a view. */
  document.querySelector('.skip')?.addEventListener('click', (event) => {
    event.preventDefault();
    document.getElementById('main').focus();
  });

  return {
    el, svg, picture, link, points, interval, digits, p, count, seconds, joules, day, token, onLook, load, announce, copy,
    protocols, verdicts,
    get colours() { return colours(); },
    put: (name, data) => store.set(name, data),
    get: (name) => store.get(name),
  };
})();
