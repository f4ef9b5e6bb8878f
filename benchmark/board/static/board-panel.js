/** The panel of charts: tabs, what each chart says, its legend, its static pictures; draws only what is looked at. */
(() => {
  'use strict';

  const { el } = KB;
  const { charts, index } = KB.board;
  const { BOTH, MOST_ROWS } = charts.parts;

  const TABS = {
    forest: { title: 'Gains', text: 'How much two-step gains over imagenet. Line: 95 % interval (dotted: these trainings only). Band: within half a point of nothing. Ticks: the smallest gain these trainings would have found four times in five.' },
    dumbbell: { title: 'Protocols', text: 'Macro-F1 from scratch, from ImageNet and by two-step, with 95 % intervals.' },
    cost: { title: 'Gain and cost', text: 'What a gain costs: time of one two-step training, with the stages before it. The dashed line joins what no other beats, by the estimates alone; rows without a verdict are not on it.' },
    classes: { title: 'By chromosome', text: 'F1 of each of the 24 classes.' },
    stains: { title: 'Q against G', text: 'Each submission once: gain on Q-band across, on G-band upwards, lines: 95 % intervals. Above the dashed diagonal G-band gains more.' },
  };

  const mark = (symbol, colour, hollow) => {
    const shapes = { circle: 'M8 3a5 5 0 1 0 .01 0z', square: 'M3.5 3.5h9v9h-9z', diamond: 'M8 2l6 6-6 6-6-6z', triangle: 'M8 2l6 11H2z', times: 'M3 3l10 10M13 3L3 13' };
    const line = symbol === 'times' || hollow;
    return KB.svg('svg', { viewBox: '0 0 16 16', width: 13, height: 13, 'aria-hidden': 'true' },
      KB.svg('path', { d: shapes[symbol] || 'M8 14L2 3h12z', fill: line ? 'none' : colour, stroke: colour, 'stroke-width': line ? 2.5 : 1 }));
  };

  function legend(chart, track, colours) {
    const entry = (name, symbol, colour) => el('li', {}, mark(symbol, colour), name);
    if (chart === 'dumbbell') {
      return track.protocols.filter((name) => !index.aside.includes(name)).map((name) => entry(name, KB.protocols[name].symbol, colours.protocol[name]));
    }
    if (chart === 'stains') return Object.entries(BOTH).map(([name, [verdict, symbol]]) => entry(name, symbol, colours.verdict[verdict]));
    if (chart === 'classes') return [];
    const verdicts = Object.entries(KB.verdicts).map(([name, look]) => entry(name, look.symbol, colours.verdict[name]));
    if (chart !== 'forest' || !track.longer) return verdicts;
    return [...verdicts, el('li', {}, mark('circle', colours.text, true), 'below, hollow: over equally long training on the target alone')];
  }

  function shownWords(chart, found, all) {
    if (chart === 'cost' || chart === 'stains') {
      return found.of > found.shown ? ` Showing the first ${found.shown.toLocaleString('en')} of ${found.of.toLocaleString('en')}.` : '';
    }
    return all > MOST_ROWS ? ` Showing the first ${found.shown} rows of the view.` : '';
  }

  function mapChoice(state, act) {
    const choice = (value, title) => el('label', { class: 'check' },
      el('input', { type: 'radio', name: 'map', value, checked: state.map === value, onchange: () => act.change({ map: value }) }), title);
    return el('fieldset', { class: 'choice' }, el('legend', { class: 'visually-hidden' }, 'What the colours show'),
      choice('f1', 'F1 of two-step'), choice('gain', 'two-step minus imagenet'));
  }

  /** What the panel needs to be drawn again: changed by `show`, drawn when it is on the screen. */
  let wanted = null;
  let drawing = 0;
  let near = false;

  async function draw() {
    if (!wanted || !near) return;
    const { panel, found, state, act } = wanted;
    const number = ++drawing;
    const chart = TABS[state.chart] ? state.chart : 'forest';
    wanted = null;
    if (chart === 'classes') {
      try {
        await charts.loadClasses(found.track, found.rows);
      } catch (error) {
        panel.replaceChildren(el('p', { class: 'soft' }, `${error.message}.`));
        return;
      }
      if (number !== drawing) return;
    }
    KB.board.hideTip();
    const [scrolled, focused] = [panel.querySelector('.chart-scroll')?.scrollTop ?? 0, document.activeElement?.dataset?.key];
    const wasMap = document.activeElement?.name === 'map';
    const inside = panel.contains(document.activeElement) && focused;
    const scroll = el('div', { class: chart === 'cost' || chart === 'stains' ? 'chart-whole' : 'chart-scroll' });
    const caption = el('figcaption', {}, TABS[chart].text);
    const pictured = found.track.pictures.includes(chart);
    const links = ['png', 'svg'].map((kind) => el('a', { href: `charts/${found.track.label}-${chart}.${kind}` }, kind.toUpperCase()));
    const about = el('div', { class: 'chart-about' }, el('ul', { class: 'keys' }, legend(chart, found.track, KB.colours)));
    if (chart === 'classes') about.prepend(mapChoice(state, act));
    panel.replaceChildren(el('figure', { class: 'chart' }, caption, about, scroll,
      el('p', { class: 'chart-links' }, pictured ? [el('span', {}, 'The whole track as a picture:'), links] : null, el('span', {}, chart === 'classes' ? 'The pages of the submissions hold the same figures.' : 'The table below holds the same figures.'))));
    const drawn = charts[chart]({ rows: found.rows, width: Math.max(280, scroll.clientWidth - 2), colours: KB.colours, track: found.track, map: state.map });
    if (!drawn.items.length) {
      scroll.replaceChildren(el('p', { class: 'soft nothing' }, chart === 'stains' ? 'No submission of this view has a gain on both stains.' : 'No row of this view has what this chart shows.'));
      return;
    }
    caption.append(shownWords(chart, drawn, found.rows.length));
    if (drawn.scale) about.append(charts.ramp(drawn.scale, state.map));
    scroll.replaceChildren(drawn.figure);
    KB.board.answer(drawn.figure, drawn.items, {
      columns: drawn.columns || 1, name: TABS[chart].title, selected: new Set(state.selected), hover: KB.board.light, select: act.select,
    });
    scroll.scrollTop = scrolled;
    if (inside) scroll.querySelector(`.hit[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    if (wasMap) panel.querySelector('input[name="map"]:checked')?.focus();
  }

  function schedule() {
    requestAnimationFrame(() => setTimeout(draw, 0));
  }

  /** Show the chart of a state, as soon as the panel is near the screen. */
  function show(panel, found, state, act) {
    wanted = { panel, found, state, act };
    schedule();
  }

  /** Build the tabs, once. Arrow keys, Home and End move between them. */
  function tabs(list, panel, act) {
    new IntersectionObserver(([entry]) => {
      near = entry.isIntersecting;
      if (near) schedule();
    }, { rootMargin: '300px' }).observe(panel);
    const names = Object.keys(TABS);
    list.replaceChildren(...names.map((name) => el('button', {
      type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': panel.id, onclick: () => act.change({ chart: name }),
    }, TABS[name].title)));
    list.addEventListener('keydown', (event) => {
      const at = [...list.children].indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      const next = list.children[(to + names.length) % names.length];
      next.focus();
      next.click();
    });
  }

  /** Mark the chosen tab. */
  function choose(list, panel, chart) {
    const chosen = TABS[chart] ? chart : 'forest';
    for (const tab of list.children) {
      const on = tab.id === `tab-${chosen}`;
      tab.setAttribute('aria-selected', String(on));
      tab.setAttribute('tabindex', on ? '0' : '-1');
    }
    panel.setAttribute('aria-labelledby', `tab-${chosen}`);
  }

  KB.board.panel = { show, tabs, mark: choose };
})();
