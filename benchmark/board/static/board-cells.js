/** The columns of the board's table: what each shows, how it sorts, and the cells themselves. */
(() => {
  'use strict';

  const { el, svg } = KB;
  const { index } = KB.board;
  const dash = (text) => el('span', { class: 'soft' }, text);
  const missing = (value) => (value === null ? undefined : value);

  /** Interval of a gain as a small picture: the same figures stand beside it as text. */
  function bar(gain, reach) {
    const width = 128;
    const clamp = (value) => Math.min(1, Math.max(-1, (100 * value) / reach));
    const x = (value) => (width / 2) * (1 + 0.96 * clamp(value));
    const style = `color: var(--${gain.verdict})`;
    const known = gain.low !== null;
    return svg('svg', { class: 'bar', viewBox: `0 0 ${width} 18`, width, height: 18, 'aria-hidden': 'true', style },
      svg('rect', { x: x(-0.005), width: x(0.005) - x(-0.005), y: 1, height: 16, class: 'band' }),
      svg('line', { x1: x(0), x2: x(0), y1: 1, y2: 17, class: 'zero' }),
      known && svg('line', {
        x1: x(gain.low), x2: x(gain.high), y1: 9, y2: 9, class: gain.interval === 'trainings and groups' ? 'span' : 'span weak',
      }),
      svg('circle', { cx: x(gain.value), cy: 9, r: 4, class: 'point' }));
  }

  const TRANSFER = { yes: 'transfer: stands over longer training', no: 'not shown to be transfer', 'not tested': 'transfer not tested' };

  /** Why there is no gain, in words. */
  function without(row) {
    const two = row.scores['two-step'];
    const elsewhere = Object.keys(row.scores).some((name) => name.startsWith('two-step[') && row.scores[name]);
    if (!two) return elsewhere ? 'two-step over other sources only' : 'no two-step training yet';
    if (two.value === null) return `two-step failed: ${two.failed || 'no whole repeat'}`;
    return 'no imagenet training to compare with';
  }

  function gainCell(row, { reach }) {
    const { gain } = row;
    if (!gain) return el('td', { class: 'gain' }, dash(without(row)));
    const star = gain.interval === 'trainings and groups' ? '' : '*';
    const note = gain.verdict === 'withheld' ? gain.needs && `needs ${gain.needs}` : TRANSFER[gain.transfer];
    return el('td', { class: 'gain' }, el('div', { class: 'gain-grid' },
      el('span', { class: `gain-value verdict-${gain.verdict}` }, KB.points(gain.value, true)),
      el('span', { class: 'gain-bar' }, bar(gain, reach), el('span', { class: 'bounds' },
        gain.low === null ? 'no interval' : KB.interval(gain.low, gain.high, true) + star)),
      el('span', { class: 'gain-words' }, el('span', { class: `verdict verdict-${gain.verdict}` }, gain.verdict),
        note ? el('small', { class: 'wrap-text' }, note) : null)));
  }

  /** The gain over equally long training on the target alone. */
  function longerCell(row) {
    const longer = row.gain && row.gain.longer;
    if (!longer) return el('td', { class: 'num' }, dash('not run'));
    const star = longer.interval === 'trainings and groups' ? '' : '*';
    return el('td', { class: 'num' }, KB.points(longer.value, true),
      el('span', { class: 'bounds' }, longer.low === null ? 'no interval' : KB.interval(longer.low, longer.high, true) + star),
      el('small', { class: `verdict-${longer.verdict}` }, longer.verdict));
  }

  function submissionCell(row, { selected }) {
    return el('th', { scope: 'row', class: 'submission' },
      el('a', { href: `submissions/${encodeURIComponent(row.submission)}.html`, class: 'title' }, el('bdi', {}, row.title)),
      selected.has(row.key) ? el('span', { class: 'visually-hidden' }, ' (selected)') : null,
      el('small', {}, el('span', { class: 'name' }, row.submission), el('span', { class: 'narrow-only' }, ` → ${row.target}`)),
      el('span', { class: 'badges' }, KB.board.badges(row).map((name) =>
        el('span', { class: `badge badge-${name.replaceAll(' ', '-')}`, title: index.badges[name] }, name))));
  }

  function scoreCell(name) {
    return (row) => {
      const score = row.scores[name];
      if (!score) return el('td', { class: 'num' }, dash('not run'));
      if (score.value === null) return el('td', { class: 'num' }, dash('failed'), el('small', {}, score.failed));
      const bounds = KB.interval(score.low, score.high);
      return el('td', { class: 'num' }, KB.points(score.value), el('span', { class: 'bounds' }, bounds || 'no interval'),
        score.failed ? el('small', {}, `failed: ${score.failed}`) : null);
    };
  }

  /** A cell of a number, or of words where there is none. */
  const number = (read, show, absent = 'not known') => (row) => {
    const value = read(row);
    return el('td', { class: 'num' }, value === null || value === undefined ? dash(absent) : show(value));
  };

  function rankCell(row) {
    if (!row.rank) return el('td', { class: 'num' }, dash('none'));
    const [rank, low, high] = row.rank;
    return el('td', { class: 'num' }, el('span', { class: 'nowrap' }, String(rank), el('span', { class: 'soft' }, ` (${low}–${high})`)));
  }

  const text = (read) => (row) => el('td', {}, read(row) || dash('not known'));
  const ofGain = (name) => (row) => (row.gain ? row.gain[name] : null);
  /** Of the gain's two arms; else of the arm that has most. */
  const trainings = (row) => (row.gain ? row.gain.trainings
    : Object.values(row.scores).reduce((most, score) => (score && score.trainings ? Math.max(most, score.trainings) : most), 0) || null);
  const withheld = (name) => (row) => (row.gain && row.gain.verdict === 'withheld' ? null : ofGain(name)(row));

  /** Columns of a track. `first`: the direction of the first click; `about`: what the header says on top of its name. */
  function columns(track) {
    const scores = track.protocols.map((name) => ({
      id: name, title: name, about: 'macro-F1, %', group: 'number', first: 'desc', hidden: index.aside.includes(name),
      read: (row) => missing(row.scores[name] ? row.scores[name].value : null), cell: scoreCell(name),
    }));
    return [
      { id: 'rank', title: 'Rank', about: '(interval)', group: 'number', first: 'asc', read: (row) => (row.rank ? row.rank[0] : undefined), cell: rankCell },
      { id: 'submission', title: 'Submission', first: 'asc', fixed: true, read: (row) => row.order, cell: submissionCell },
      { id: 'target', title: 'Target', first: 'asc', read: (row) => row.targetOrder,
        cell: (row) => el('td', {}, row.target, row.stain ? el('small', {}, `${row.stain}-band`) : null) },
      { id: 'gain', title: 'Gain of two-step', about: 'over imagenet, points (95 % interval)', first: 'desc', fixed: true,
        said: 'lower end of the gain', read: (row) => missing(row.floor), cell: gainCell },
      { id: 'value', title: 'Gain, estimate', first: 'desc', never: true, said: 'estimate of the gain', read: (row) => (row.gain ? row.gain.value : undefined) },
      ...(track.longer ? [{
        id: 'longer', title: 'Over longer training', about: 'two-step over imagenet-long, points', group: 'number', first: 'desc',
        said: 'gain over longer training', read: (row) => missing(row.gain && row.gain.longer ? row.gain.longer.value : null), cell: longerCell,
      }] : []),
      { id: 'p', title: 'p', about: 'adjusted', group: 'number', first: 'asc', read: (row) => missing(withheld('p')(row)),
        cell: number(withheld('p'), (value) => KB.p(value, true), 'none') },
      { id: 'smallest', title: 'Detectable', about: 'points', group: 'number', first: 'asc',
        read: (row) => missing(withheld('smallest')(row)), cell: number(withheld('smallest'), (value) => KB.points(value), 'none') },
      ...scores,
      { id: 'parameters', title: 'Parameters', group: 'number', first: 'asc', read: (row) => missing(row.parameters), cell: number((row) => row.parameters, KB.count) },
      { id: 'seconds', title: 'Time', about: 'of one two-step training', group: 'number', first: 'asc', read: (row) => missing(row.seconds), cell: number((row) => row.seconds, KB.seconds) },
      { id: 'energy', title: 'Energy', about: 'of one two-step training', group: 'number', first: 'asc', hidden: true,
        read: (row) => missing(row.energy), cell: number((row) => row.energy, KB.joules, 'not measured') },
      { id: 'trainings', title: 'Trainings', about: 'of each arm', group: 'number', first: 'desc', read: (row) => missing(trainings(row)), cell: number(trainings, String, 'none') },
      { id: 'groups', title: 'Groups', about: 'people or cells', group: 'number', first: 'desc', hidden: true, read: (row) => missing(ofGain('groups')(row)), cell: number(ofGain('groups'), String, 'none') },
      { id: 'family', title: 'Family', first: 'asc', hidden: true, read: (row) => row.family, cell: text((row) => row.family) },
      { id: 'device', title: 'Device', first: 'asc', hidden: true, read: (row) => row.device || undefined, cell: text((row) => row.device) },
      { id: 'updated', title: 'Updated', first: 'desc', hidden: true, read: (row) => row.updated, cell: text((row) => row.updated) },
    ];
  }

  /** Half the width of the small pictures, in points: nearly every interval of the track fits in. */
  function reach(rows) {
    const ends = rows.filter((row) => row.gain).map(({ gain }) => 100 * Math.max(Math.abs(gain.low ?? gain.value), Math.abs(gain.high ?? gain.value)));
    ends.sort((a, b) => a - b);
    return Math.max(1, ends[Math.ceil(0.98 * (ends.length - 1))] || 1);
  }

  Object.assign(KB.board, { columns, reach, without });
})();
