/* Learning curves and the confusion matrix of one submission, as charts and as tables. */
const SubmissionCharts = (() => {
  'use strict';

  const { el } = KB;
  const DASHES = { scratch: '2,3', imagenet: null, 'two-step': null, 'imagenet-long': '7,3', 'two-step-shuffled': '7,3,2,3' };
  const dashes = (name) => (name in DASHES ? DASHES[name] : '4,2');

  /** Chromosomes of similar size and shape, by the groups of the Denver nomenclature: X stands with C, Y with G. */
  const GROUPS = {
    A: ['1', '2', '3'], B: ['4', '5'], C: ['6', '7', '8', '9', '10', '11', '12', 'X'], D: ['13', '14', '15'],
    E: ['16', '17', '18'], F: ['19', '20'], G: ['21', '22', 'Y'],
  };


  /** Names of the classes in karyotype order, with the frames of the groups: {order, frames: [{group, from, to}]}. */
  function karyotype(classes) {
    const grouped = Object.values(GROUPS).flat();
    if (classes.some((name) => !grouped.includes(name))) return { order: classes, frames: [] };
    const held = Object.entries(GROUPS).map(([group, names]) => [group, names.filter((name) => classes.includes(name))]);
    return {
      order: held.flatMap(([, names]) => names),
      frames: held.filter(([, names]) => names.length).map(([group, names]) => ({ group, from: names[0], to: names[names.length - 1] })),
    };
  }

  /** A legend of protocols: a short line in its colour and dashes, and its name. */
  function legend(names) {
    const sample = (name) => KB.svg('svg', { width: 28, height: 10, 'aria-hidden': 'true' }, KB.svg('line', {
      x1: 1, x2: 27, y1: 5, y2: 5, 'stroke-width': 2.5, stroke: KB.colours.protocol[name], 'stroke-dasharray': dashes(name),
    }));
    return el('p', { class: 'legend-line small' }, names.map((name) => el('span', {}, sample(name), ' ', name)));
  }

  /** Validation macro-F1 by epoch, one line a training. */
  function curves(data, width) {
    const colours = KB.colours;
    const names = [...new Set(data.curves.map((one) => one.protocol))];
    const lines = names.map((name) => {
      const points = data.curves.filter((one) => one.protocol === name).flatMap((one) =>
        one.f1.map((value, epoch) => ({ epoch: epoch + 1, value: value === null ? NaN : 100 * value, training: `${one.repeat}/${one.fold}` })));
      return Plot.line(points, {
        x: 'epoch', y: 'value', z: 'training', stroke: colours.protocol[name], strokeWidth: 1.4, strokeOpacity: 0.75,
        strokeDasharray: dashes(name),
      });
    });
    const epochs = Math.max(1, ...data.curves.map((one) => one.f1.length));
    const svg = Plot.plot({
      width, height: Math.round(Math.max(240, width * 0.55)), marginLeft: 44, marginTop: 26, style: { fontSize: '12px' },
      x: { label: 'epoch', domain: [1, Math.max(2, epochs)], ticks: Math.min(epochs, width < 500 ? 5 : 10), tickFormat: 'd', labelArrow: 'none' },
      y: { label: 'macro-F1, %', grid: true, nice: true, labelArrow: 'none' },
      marks: [...lines, Plot.ruleY([0], { stroke: colours.line })],
    });
    return el('div', {}, legend(names), KB.picture(svg, `Validation macro-F1 by epoch of ${data.curves.length} trainings; the table below holds the figures`));
  }

  /** Every cell of a matrix that counts something, as a part of its true class. */
  function cells(matrix, classes) {
    return matrix.flatMap((row, i) => {
      const images = row.reduce((sum, count) => sum + count, 0);
      return row.map((count, j) => ({ true: classes[i], read: classes[j], count, part: images ? count / images : 0, right: i === j }));
    }).filter((cell) => cell.count);
  }

  /** The matrix: right answers in one colour, mistakes in another by their part of the true class. */
  function confusion(matrix, classes, width) {
    const colours = KB.colours;
    const { order, frames } = karyotype(classes);
    const found = cells(matrix, classes);
    const most = Math.max(0.1, ...found.filter((cell) => !cell.right).map((cell) => cell.part));
    const side = (width - 72) / order.length;
    const place = Object.fromEntries(order.map((name, k) => [name, k]));
    const strength = (cell) => (cell.right ? 0.15 + 0.45 * cell.part : 0.2 + 0.8 * Math.sqrt(cell.part / most));
    const svg = Plot.plot({
      width, height: width - 24, marginLeft: 46, marginRight: 26, marginTop: 38, marginBottom: 10, padding: 0.06,
      style: { fontSize: `${Math.max(8, Math.min(12, side * 0.62))}px` },
      x: { domain: order, axis: 'top', label: 'read as', labelAnchor: 'center', tickSize: 0, labelArrow: 'none', labelOffset: 30 },
      y: { domain: order, label: 'true', tickSize: 0, labelAnchor: 'center', labelArrow: 'none', labelOffset: 42 },
      marks: [
        Plot.cell(found, {
          x: 'read', y: 'true', fill: (cell) => (cell.right ? colours.protocol.imagenet : colours.protocol['two-step']), fillOpacity: strength,
        }),
        ...(side < 17 ? [] : [Plot.text(found, { x: 'read', y: 'true', text: 'count', fill: colours.text, fontSize: Math.min(11, side * 0.5) })]),
        Plot.tip(found, Plot.pointer({
          x: 'read', y: 'true', title: (cell) => `${cell.count} of chromosome ${cell.true} read as ${cell.read}\n${(100 * cell.part).toFixed(1)} % of all ${cell.true}`,
          fill: colours.card, stroke: colours.line,
        })),
      ],
    });
    const [x, y] = [svg.scale('x'), svg.scale('y')];
    for (const { group, from, to } of frames) {
      const size = x.step * (place[to] - place[from] + 1);
      svg.append(
        KB.svg('rect', { x: x.apply(from) - 1, y: y.apply(from) - 1, width: size, height: size, fill: 'none', stroke: colours.soft, 'stroke-width': 1 }),
        KB.svg('text', { x: width - 18, y: y.apply(from) + size / 2 + 4, fill: colours.soft, 'font-size': 12 }, group),
      );
    }
    return KB.picture(svg, 'Confusion matrix: true chromosomes in rows, what they were read as in columns; the table below holds the counts');
  }

  const table = (caption, heads, rows) => el('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': caption },
    el('table', { class: 'data tight dense' }, el('caption', {}, el('span', {}, caption)),
      el('thead', {}, el('tr', {}, heads.map((text, k) => el('th', { scope: 'col', class: k ? 'num' : null }, text)))),
      el('tbody', {}, rows.map(([head, ...cells_]) => el('tr', {}, el('th', { scope: 'row' }, head),
        cells_.map((text) => el('td', { class: 'num' }, text)))))));

  function curvesTable(data) {
    const epochs = Math.max(0, ...data.curves.map((one) => one.f1.length));
    const value = (one, k) => (one.f1[k] === null || one.f1[k] === undefined ? '–' : KB.points(one.f1[k]));
    return table('Validation macro-F1, %, by epoch', ['Training', ...Array.from({ length: epochs }, (_, k) => String(k + 1))],
      data.curves.map((one) => [`${one.protocol}, fold ${one.fold}, repeat ${one.repeat}`, ...Array.from({ length: epochs }, (_, k) => value(one, k))]));
  }

  const confusionTable = (matrix, classes, name) => table(`True chromosomes in rows, what ${name} read them as in columns; images, summed over repeats`,
    ['True', ...classes], matrix.map((row, i) => [classes[i], ...row.map((count) => (count ? String(count) : '·'))]));

  return { curves, confusion, curvesTable, confusionTable };
})();
