/** The heat map of F1 by chromosome: a row of the view a line, 24 classes across; its figures load on demand. */
(() => {
  'use strict';

  const { svg } = KB;
  const { index } = KB.board;
  const { item, settings, nameOf, MOST_ROWS } = KB.board.charts.parts;
  const FINE = 1000;

  /** Load the chunks that hold some rows of a track. */
  function load(track, rows) {
    const numbers = [...new Set(rows.slice(0, MOST_ROWS).map((row) => Math.floor(row.i / index.chunk)))];
    return Promise.all(numbers.map((number) => KB.load(`data/classes-${track.label}-${number}.js`)));
  }

  function valuesOf(track, row, map) {
    const chunk = KB.get(`classes-${track.label}-${Math.floor(row.i / index.chunk)}`);
    const at = row.i % index.chunk;
    const [two, base] = [chunk['two-step'][at], chunk.imagenet[at]];
    if (map === 'f1') return two && two.map((value) => (value === null ? null : (100 * value) / FINE));
    if (!two || !base) return null;
    return two.map((value, k) => (value === null || base[k] === null ? null : (100 * (value - base[k])) / FINE));
  }

  const tenth = (value, signed) => KB.points(value / 100, signed);

  /** Blue for more, orange for less, through the page's own background: told apart by colour-blind readers. */
  function scaleOf(cells, map, colours) {
    const values = cells.map((cell) => cell.value).filter((value) => value !== null);
    if (map === 'f1') {
      const low = Math.min(90, Math.floor(Math.min(...values) / 10) * 10);
      return { type: 'linear', domain: [low, 100], scheme: 'cividis', clamp: true };
    }
    const reach = Math.max(2, ...values.map(Math.abs));
    return { type: 'diverging', domain: [-reach, reach], range: [colours.verdict.worse, colours.back, colours.verdict.better], interpolate: 'rgb', symmetric: true };
  }

  function classes({ rows, width, colours, track, map }) {
    const found = rows.slice(0, MOST_ROWS).map((row) => ({ row, values: valuesOf(track, row, map) })).filter(({ values }) => values);
    const cells = found.flatMap(({ row, values }) => values.map((value, k) => ({ row, key: row.key, name: index.classes[k], value })));
    const narrow = width < 620;
    const left = narrow ? 92 : Math.min(260, Math.round(width * 0.3));
    const step = 22;
    const known = cells.filter((cell) => cell.value !== null);
    const figure = Plot.plot(settings(width, {
      height: step * found.length + 40, marginLeft: left, marginRight: 4, marginTop: 34, marginBottom: 6,
      x: { type: 'band', domain: index.classes, axis: 'top', label: null, tickSize: 0, padding: 0.06, tickRotate: 0 },
      y: { type: 'band', domain: found.map(({ row }) => row.key), axis: null, padding: 0.06 },
      color: scaleOf(cells, map, colours),
      marks: [
        Plot.cell(known, { x: 'name', y: 'key', fill: 'value', rx: 1 }),
        Plot.text(cells.filter((cell) => cell.value === null), { x: 'name', y: 'key', text: () => '·', fill: colours.soft }),
        Plot.text(found, {
          y: ({ row }) => row.key, text: ({ row }) => nameOf(row, Math.floor((left - 12) / 6.6)),
          frameAnchor: 'left', textAnchor: 'end', dx: -10, fontSize: narrow ? 11 : 12, fill: 'currentColor',
        }),
      ],
    }));
    const [x, y] = [figure.scale('x'), figure.scale('y')];
    const items = cells.map((cell) => {
      const said = cell.value === null ? 'not scored' : map === 'f1' ? `F1 ${tenth(cell.value)} %` : `${tenth(cell.value, true)} points of F1`;
      const element = svg('rect', { x: x.apply(cell.name), y: y.apply(cell.key), width: x.bandwidth, height: y.bandwidth });
      return item(element, cell.row, [`chromosome ${cell.name}: ${said}`]);
    });
    return { figure, items, shown: found.length, columns: index.classes.length, scale: figure.scale('color') };
  }

  /** The colour scale as a strip with its ends in words. */
  function ramp(scale, map) {
    const [low, high] = [scale.domain[0], scale.domain[scale.domain.length - 1]];
    const colours = Array.from({ length: 9 }, (_, i) => scale.apply(low + ((high - low) * i) / 8));
    const ends = map === 'f1' ? [`${low} %`, `${high} %`] : [`${tenth(low, true)}`, `${tenth(high, true)} points`];
    return KB.el('span', { class: 'ramp' }, ends[0], KB.el('span', { class: 'ramp-strip', style: `background: linear-gradient(to right, ${colours.join(', ')})` }), ends[1]);
  }

  Object.assign(KB.board.charts, { classes, loadClasses: load, ramp });
})();
