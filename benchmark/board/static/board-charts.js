/** The five charts of the board, drawn by Observable Plot from the rows of the view. */
(() => {
  'use strict';

  const { points, svg } = KB;
  const MOST_ROWS = 40;
  const MOST_DOTS = 2000;
  const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text);
  const nameOf = ({ title, target }, most) => `${shorten(title, Math.max(6, most - target.length - 3))} → ${target}`;
  const hundred = (value) => (value === null ? null : 100 * value);

  const signed = (value) => `${value > 0 ? '+' : ''}${value}`.replace('-', '−');
  const TIMES = [1, 2, 5, 10, 20, 60, 120, 300, 600, 1200, 3600, 7200, 18000, 36000, 86400, 172800, 432000];
  const time = (value) => (value < 60 ? `${value} s` : value < 3600 ? `${value / 60} min` : `${value / 3600} h`);

  /** Words on one gain, for a tip and for a screen reader. */
  function gainWords({ gain }) {
    const bounds = gain.low === null ? 'no interval' : `95 % interval ${KB.interval(gain.low, gain.high, true)}`;
    const note = gain.interval === 'trainings and groups' ? '' : ' (these trainings only)';
    const p = gain.p === null ? '' : `, adjusted ${KB.p(gain.p)}`;
    const longer = gain.longer && `over longer training ${points(gain.longer.value, true)} (${KB.interval(gain.longer.low, gain.longer.high, true) || 'no interval'})${gain.longer.interval === 'groups' ? ' (these trainings only)' : ''}, ${gain.longer.verdict}`;
    return [`${points(gain.value, true)} points, ${gain.verdict}${p}`, bounds + note, ...(longer ? [longer] : [])];
  }

  const scoreWords = (row, name) => {
    const score = row.scores[name];
    if (!score || score.value === null) return `${name}: ${score ? 'failed' : 'not run'}`;
    return `${name}: ${points(score.value)} % (${KB.interval(score.low, score.high) || 'no interval'})`;
  };

  const item = (element, row, lines) =>
    ({ element, key: row.key, lines: [`${row.title} → ${row.target}`, ...lines], label: `${row.title} on ${row.target}: ${lines.join('; ')}` });

  /** Size and texts of a chart that has one line a row; narrow ones put the name above its line. */
  function lines(rows, width, lineHeight) {
    const narrow = width < 620;
    const height = narrow ? lineHeight + 16 : lineHeight;
    const left = narrow ? 8 : Math.min(260, Math.round(width * 0.3));
    const most = Math.floor((narrow ? width - 110 : left - 12) / 6.6);
    return {
      narrow, left, height: height * rows.length + 52, step: height, down: narrow ? 7 : 0,
      names: (right) => Plot.text(rows, {
        y: 'key', text: (row) => nameOf(row, most), frameAnchor: 'left', textAnchor: narrow ? 'start' : 'end',
        dx: narrow ? 0 : -10, dy: narrow ? 4 - height / 2 + 6 : 0, fontSize: 12, fill: 'currentColor',
      }),
      y: { type: 'band', domain: rows.map((row) => row.key), axis: null, padding: 0 },
    };
  }

  /** A transparent bar over each row's line, to point at. */
  function bands(figure, rows, words, { left = 0 } = {}) {
    const y = figure.scale('y');
    const width = Number(figure.getAttribute('width'));
    return rows.map((row) => item(svg('rect', { x: left, width: width - left, y: y.apply(row.key), height: y.bandwidth }), row, words(row)));
  }

  const settings = (width, more) => ({
    width, style: { background: 'transparent', fontSize: '12px', fontFamily: 'inherit', overflow: 'visible' }, ...more,
  });

  function forest({ rows, width, colours }) {
    const found = rows.filter((row) => row.gain).slice(0, MOST_ROWS);
    const controlled = found.filter((row) => row.gain.longer);
    const size = lines(found, width, controlled.length ? 36 : 24);
    const whole = (row) => row.gain.interval === 'trainings and groups';
    const span = (some, more) => Plot.ruleY(some, {
      y: 'key', x1: (row) => hundred(row.gain.low), x2: (row) => hundred(row.gain.high), stroke: (row) => colours.verdict[row.gain.verdict], strokeWidth: 2.5, dy: size.down, ...more,
    });
    const detectable = found.filter((row) => row.gain.smallest !== null && row.gain.verdict !== 'withheld');
    const below = size.down + 10;
    const verdictOf = (row) => colours.verdict[row.gain.longer.verdict];
    const longerSpan = (all) => Plot.ruleY(controlled.filter(({ gain: { longer } }) => longer.low !== null && (longer.interval === 'trainings and groups') === all), {
      y: 'key', x1: (row) => hundred(row.gain.longer.low), x2: (row) => hundred(row.gain.longer.high), stroke: verdictOf, strokeWidth: 1.2, dy: below,
      ...(all ? {} : { strokeDasharray: '2,3' }),
    });
    const ends = found.flatMap(({ gain }) => [gain, ...(gain.longer ? [gain.longer] : [])])
      .flatMap(({ value, low, high }) => [value, low ?? value, high ?? value].map(hundred));
    const reach = [Math.min(-1, ...ends), Math.max(1, ...ends)];
    const tick = (sign) => Plot.tickX(detectable.filter((row) => hundred(row.gain.smallest) < reach[sign < 0 ? 0 : 1] * sign), {
      y: 'key', x: (row) => sign * hundred(row.gain.smallest), stroke: colours.soft, strokeWidth: 1.5, dy: size.down,
      insetTop: size.step / 2 - 5, insetBottom: size.step / 2 - 5,
    });
    const figure = Plot.plot(settings(width, {
      height: size.height, marginLeft: size.left, marginRight: size.narrow ? 12 : 120, marginTop: 40, marginBottom: 12,
      x: { domain: reach, nice: true, axis: 'top', label: 'gain of two-step over imagenet, points', labelAnchor: 'center', tickFormat: signed, labelArrow: 'none' },
      y: size.y, symbol: { domain: Object.keys(KB.verdicts), range: Object.values(KB.verdicts).map((look) => look.symbol) },
      marks: [
        Plot.rect([0], { x1: -0.5, x2: 0.5, fill: colours.verdict.equivalent, fillOpacity: 0.14 }),
        Plot.gridX({ stroke: colours.line, strokeOpacity: 1 }), Plot.ruleX([0], { stroke: colours.text }),
        tick(1), tick(-1),
        span(found.filter(whole)), span(found.filter((row) => !whole(row) && row.gain.low !== null), { strokeDasharray: '2,3' }),
        Plot.dot(found, { y: 'key', dy: size.down, x: (row) => hundred(row.gain.value), symbol: (row) => row.gain.verdict, r: 5, fill: (row) => (row.gain.verdict === 'withheld' ? 'none' : colours.verdict[row.gain.verdict]), stroke: (row) => colours.verdict[row.gain.verdict], strokeWidth: 1.5 }),
        longerSpan(true), longerSpan(false),
        Plot.dot(controlled, { y: 'key', dy: below, x: (row) => hundred(row.gain.longer.value), symbol: (row) => row.gain.longer.verdict, r: 3.5, fill: colours.back, stroke: verdictOf, strokeWidth: 1.5 }),
        size.names(),
        Plot.text(found, {
          y: 'key', text: (row) => `${points(row.gain.value, true)}  ${row.gain.verdict}`, frameAnchor: 'right', textAnchor: size.narrow ? 'end' : 'start',
          dx: size.narrow ? 0 : 12, dy: size.narrow ? 4 - size.step / 2 + 6 : 0, fill: (row) => KB.token(`--${row.gain.verdict}-text`), fontSize: 12, fontWeight: 600,
        }),
      ],
    }));
    return { figure, items: bands(figure, found, gainWords), shown: found.length };
  }

  function dumbbell({ rows, width, colours, track }) {
    const found = rows.filter((row) => Object.values(row.scores).some((score) => score && score.value !== null)).slice(0, MOST_ROWS);
    const size = lines(found, width, 26);
    const arms = track.protocols.filter((name) => !KB.board.index.aside.includes(name));
    const dots = found.flatMap((row) => arms.filter((name) => row.scores[name] && row.scores[name].value !== null)
      .map((name) => ({ row, key: row.key, name, ...row.scores[name] })));
    const joins = found.map((row) => ({ key: row.key, values: dots.filter((dot) => dot.row === row).map((dot) => 100 * dot.value) }))
      .filter(({ values }) => values.length > 1);
    const offset = (name) => 5 * (arms.indexOf(name) - (arms.length - 1) / 2);
    const marks = arms.flatMap((name) => {
      const own = dots.filter((dot) => dot.name === name);
      const dy = offset(name) + size.down;
      return [
        Plot.link(own.filter((dot) => dot.low !== null), { x1: (d) => 100 * d.low, x2: (d) => 100 * d.high, y1: 'key', y2: 'key', dy, stroke: colours.protocol[name], strokeWidth: 2, strokeOpacity: 0.55 }),
        Plot.dot(own, { x: (d) => 100 * d.value, y: 'key', dy, r: 4.5, symbol: KB.protocols[name].symbol, fill: colours.protocol[name] }),
      ];
    });
    const figure = Plot.plot(settings(width, {
      height: size.height, marginLeft: size.left, marginRight: 14, marginTop: 40, marginBottom: 12,
      x: { nice: true, axis: 'top', label: 'macro-F1, % (line: 95 % interval)', labelAnchor: 'center', labelArrow: 'none' }, y: size.y,
      marks: [
        Plot.gridX({ stroke: colours.line, strokeOpacity: 1 }),
        Plot.link(joins, { x1: (d) => Math.min(...d.values), x2: (d) => Math.max(...d.values), y1: 'key', y2: 'key', dy: size.down, stroke: colours.soft, strokeOpacity: 0.5 }),
        ...marks, size.names(),
      ],
    }));
    return { figure, items: bands(figure, found, (row) => arms.map((name) => scoreWords(row, name))), shown: found.length };
  }

  /** Round marks of their own over the dots of a scatter, to point at. */
  function targets(figure, dots, words) {
    const [x, y] = [figure.scale('x'), figure.scale('y')];
    return dots.map((dot) => item(svg('circle', { cx: x.apply(dot.x), cy: y.apply(dot.y), r: 9 }), dot.row, words(dot)));
  }

  /** Dots that no other beats: none gains more for as little time. */
  function front(dots) {
    const sorted = [...dots].sort((a, b) => a.x - b.x || b.y - a.y);
    let best = -Infinity;
    return sorted.filter((dot) => {
      if (dot.y <= best) return false;
      best = dot.y;
      return true;
    });
  }

  function cost({ rows, width, colours }) {
    const all = rows.filter((row) => row.gain && row.seconds > 0);
    const dots = all.slice(0, MOST_DOTS).map((row) => ({ row, x: row.seconds, y: 100 * row.gain.value, low: hundred(row.gain.low), high: hundred(row.gain.high), verdict: row.gain.verdict }));
    const edge = front(dots.filter((dot) => dot.verdict !== 'withheld'));
    const look = (dot) => colours.verdict[dot.verdict];
    const [first, last] = d3.extent(dots, (dot) => dot.x);
    const labels = width < 620 ? [] : edge.filter((_, i) => i === 0 || i === edge.length - 1);
    const figure = Plot.plot(settings(width, {
      height: Math.min(460, Math.max(320, width * 0.5)), marginLeft: 46, marginRight: 12, marginTop: 24, marginBottom: 42, insetLeft: 16, insetRight: 16,
      x: { type: 'log', label: 'time of one two-step training (logarithmic)', tickFormat: time, ticks: TIMES.filter((value) => value >= first && value <= last), labelAnchor: 'center', labelArrow: 'none' },
      y: { label: 'gain, points', nice: true, grid: true, tickFormat: signed, labelArrow: 'none' },
      symbol: { domain: Object.keys(KB.verdicts), range: Object.values(KB.verdicts).map((one) => one.symbol) },
      marks: [
        Plot.rect([0], { y1: -0.5, y2: 0.5, fill: colours.verdict.equivalent, fillOpacity: 0.14 }), Plot.ruleY([0], { stroke: colours.text }),
        Plot.line(edge, { x: 'x', y: 'y', curve: 'step-after', stroke: colours.soft, strokeWidth: 2, strokeDasharray: '5,4' }),
        dots.length <= 200 ? Plot.ruleX(dots.filter((dot) => dot.low !== null), { x: 'x', y1: 'low', y2: 'high', stroke: look, strokeOpacity: 0.45, strokeWidth: 1.5 }) : null,
        Plot.dot(dots, { x: 'x', y: 'y', symbol: 'verdict', r: dots.length > 200 ? 3 : 5, stroke: look, fill: (dot) => (dot.verdict === 'withheld' ? 'none' : look(dot)), fillOpacity: dots.length > 200 ? 0.5 : 1 }),
        ...labels.map((label, i) => Plot.text([label], {
          x: 'x', y: 'y', text: (dot) => shorten(dot.row.title, 28), dy: -14, textAnchor: i ? 'end' : 'start', fill: 'currentColor', stroke: colours.back, strokeWidth: 4,
        })),
      ],
    }));
    const items = targets(figure, dots, ({ row }) => [...gainWords(row), `${KB.seconds(row.seconds)} a training`]);
    return { figure, items, shown: dots.length, of: all.length };
  }

  /** One dot a submission: its first row in the view on a Q-band target against that on a G-band target. */
  function pairs(rows) {
    const found = new Map();
    for (const row of rows.filter((one) => one.gain && one.stain)) {
      const pair = found.get(row.submission) || {};
      pair[row.stain] ??= row;
      found.set(row.submission, pair);
    }
    return [...found.values()].filter((pair) => pair.Q && pair.G);
  }

  const BOTH = { 'better on both': ['better', 'diamond'], 'better on one': ['undecided', 'circle'], 'better on neither': ['withheld', 'times'] };

  function stains({ rows, width, colours }) {
    const all = pairs(rows);
    const dots = all.slice(0, MOST_DOTS).map(({ Q, G }) => {
      const better = [Q, G].filter((row) => row.gain.verdict === 'better').length;
      return { row: Q, other: G, x: 100 * Q.gain.value, y: 100 * G.gain.value, kind: Object.keys(BOTH)[2 - better] };
    });
    const look = (dot) => colours.verdict[BOTH[dot.kind][0]];
    const few = dots.length <= 120;
    const span = (read) => dots.filter((dot) => read(dot).gain.low !== null);
    const ends = dots.flatMap((dot) => [dot.x, dot.y]);
    const edge = Math.max(1, ...ends.map(Math.abs)) * 1.15;
    const side = Math.min(width, 560);
    const figure = Plot.plot(settings(side, {
      height: side, marginLeft: 48, marginBottom: 44, marginTop: 24, marginRight: 18,
      x: { domain: [-edge, edge], label: 'gain on Q-band, points', labelAnchor: 'center', tickFormat: signed, labelArrow: 'none', grid: true },
      y: { domain: [-edge, edge], label: 'gain on G-band, points', tickFormat: signed, labelArrow: 'none', grid: true },
      symbol: { domain: Object.keys(BOTH), range: Object.values(BOTH).map(([, symbol]) => symbol) },
      marks: [
        Plot.rect([0], { x1: -0.5, x2: 0.5, fill: colours.verdict.equivalent, fillOpacity: 0.14 }),
        Plot.rect([0], { y1: -0.5, y2: 0.5, fill: colours.verdict.equivalent, fillOpacity: 0.14 }),
        Plot.ruleX([0], { stroke: colours.text }), Plot.ruleY([0], { stroke: colours.text }),
        Plot.link([0], { x1: -edge, y1: -edge, x2: edge, y2: edge, stroke: colours.soft, strokeDasharray: '4,4' }),
        few ? Plot.ruleY(span((d) => d.row), { y: 'y', x1: (d) => Math.max(-edge, 100 * d.row.gain.low), x2: (d) => Math.min(edge, 100 * d.row.gain.high), stroke: look, strokeOpacity: 0.4 }) : null,
        few ? Plot.ruleX(span((d) => d.other), { x: 'x', y1: (d) => Math.max(-edge, 100 * d.other.gain.low), y2: (d) => Math.min(edge, 100 * d.other.gain.high), stroke: look, strokeOpacity: 0.4 }) : null,
        Plot.dot(dots, { x: 'x', y: 'y', symbol: 'kind', r: few ? 5 : 3.5, stroke: look, strokeWidth: 1.5, fill: (dot) => (dot.kind === 'better on neither' ? 'none' : look(dot)), fillOpacity: few ? 1 : 0.5 }),
      ],
    }));
    const words = ({ row, other }) => [`${row.target} (Q-band): ${gainWords(row).join(', ')}`, `${other.target} (G-band): ${gainWords(other).join(', ')}`];
    const items = targets(figure, dots, words).map((one, i) => ({ ...one, keys: [dots[i].row.key, dots[i].other.key] }));
    for (const one of items) one.lines[0] = one.lines[0].replace(/ → .*$/, '');
    return { figure, items, shown: dots.length, of: all.length };
  }

  KB.board.charts = { forest, dumbbell, cost, stains, parts: { item, settings, nameOf, MOST_ROWS, BOTH } };
})();
