/* The tables and the chart of a comparison. */
const CompareCharts = (() => {
  'use strict';

  const { el } = KB;
  const number = (value, attributes = {}) => el('td', { class: 'num', ...attributes }, value);
  const span = (one, signed) => (one && !Number.isNaN(one.low) ? KB.interval(one.low, one.high, signed) : 'not known');

  const caption = (text) => el('caption', {}, el('span', {}, text));

  /** A link to a submission's page. */
  const link = (one) => el('a', { href: `submissions/${encodeURIComponent(one.name)}.html` }, one.title);

  /**
   * Macro-F1 of both, and the difference.
   * @param {object[]} both name, title, value, interval.
   * @param {object} difference value, interval.
   * @param {string} speaks what the intervals speak of.
   */
  function scores(both, difference, speaks) {
    const row = (head, value, interval, unit) =>
      el('tr', {}, el('th', { scope: 'row' }, head), number(value), number(interval), el('td', {}, unit));
    return el('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Scores' }, el('table', { class: 'data tight' },
      caption(`Macro-F1 over the folds and repeats that both have; intervals at 95 %, ${speaks}.`),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Submission'), el('th', { scope: 'col', class: 'num' }, 'Macro-F1'),
        el('th', { scope: 'col', class: 'num' }, '95 % interval'), el('th', { scope: 'col' }, 'Unit'))),
      el('tbody', {},
        both.map((one) => row([link(one), el('small', {}, one.name)], KB.points(one.value), span(one.interval, false), '%')),
        row(el('strong', {}, 'Difference, first minus second'), el('strong', {}, KB.points(difference.value, true)),
          span(difference.interval, true), 'points'))));
  }

  /** What stands behind the verdict, as a list of facts. */
  const facts = (entries) => el('dl', { class: 'facts' },
    entries.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));

  const look = (one) => {
    if (one.adjusted > Crossed.ALPHA) return 'undecided';
    return one.gain > 0 ? 'better' : 'worse';
  };

  /** Differences by chromosome as a chart: point and interval, one line a class. */
  function chart(found, labels, width) {
    const colours = KB.colours;
    const rows = found.map((one) => ({
      name: labels[one.index], gain: 100 * one.gain, low: 100 * Math.max(one.low, -1), high: 100 * Math.min(one.high, 1),
      whole: one.low <= -1 && one.high >= 1, look: look(one),
    }));
    const reach = Math.max(1, ...rows.flatMap((row) => [Math.abs(row.gain), ...(row.whole ? [] : [Math.abs(row.low), Math.abs(row.high)])]));
    const limits = [-1.05 * reach, 1.05 * reach];
    const colour = (row) => colours.verdict[row.look];
    const plot = Plot.plot({
      width, height: 60 + 20 * rows.length, marginLeft: 34, marginRight: 12, marginTop: 34, style: { fontSize: '12px' },
      x: { label: 'difference in F1, points', labelAnchor: 'center', labelArrow: 'none', ticks: width < 500 ? 5 : 9, domain: limits,
        axis: 'top', grid: true, tickFormat: (tick) => (tick > 0 ? `+${tick}` : String(tick).replace('-', '\u2212')) },
      y: { label: null, domain: rows.map((row) => row.name), tickSize: 0 },
      symbol: { range: ['diamond', KB.verdicts.worse.symbol, 'circle'], domain: ['better', 'worse', 'undecided'] },
      marks: [
        Plot.ruleX([0], { stroke: colours.text }),
        Plot.link(rows.filter((row) => !row.whole), { x1: 'low', x2: 'high', y1: 'name', y2: 'name', stroke: colour, strokeWidth: 2 }),
        Plot.dot(rows, { x: 'gain', y: 'name', fill: colour, symbol: 'look', r: 4.5 }),
      ],
    });
    return KB.picture(plot, 'Difference in F1 of every chromosome class with its interval; the same figures as in the table');
  }

  /** The same as a table. */
  function classes(found, labels, names, f1) {
    const bounds = (one) => (one.low <= -1 && one.high >= 1 ? 'not known' : KB.interval(one.low, one.high, true));
    return el('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Differences by chromosome' },
      el('table', { class: 'data tight dense' },
        caption('F1 in %, difference in points, interval at 95 % for each class alone; p adjusted over the classes (Benjamini-Hochberg).'),
        el('thead', {}, el('tr', {}, ['Chromosome', names.first, names.second, 'Difference', '95 % interval', 'p, adjusted'].map((text, k) =>
          el('th', { scope: 'col', class: k ? 'num' : null }, text)))),
        el('tbody', {}, found.map((one) => el('tr', {},
          el('th', { scope: 'row' }, labels[one.index]), number(KB.points(f1[0][one.index])), number(KB.points(f1[1][one.index])),
          number(el(one.adjusted <= Crossed.ALPHA ? 'strong' : 'span', {}, KB.points(one.gain, true))),
          number(bounds(one)), number(KB.p(one.adjusted, true)))))));
  }

  return { scores, facts, chart, classes };
})();
