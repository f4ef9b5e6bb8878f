/** The board's rows as objects, out of the columns of data/index.js, and the state of a view as an address. */
KB.board = (() => {
  'use strict';

  const index = KB.get('index');
  const part = (value) => (value === null ? null : value / index.scale);
  const at = (words, number) => (number === null ? '' : words[number]);
  const badgeNames = Object.keys(index.badges);

  /** One gain of a row out of the columns of such gains; null where there is none. */
  function gainOf(gain, words, i) {
    if (!gain || gain.value[i] === null) return null;
    return {
      value: part(gain.value[i]), low: part(gain.low[i]), high: part(gain.high[i]),
      interval: at(words.interval, gain.interval[i]), verdict: at(words.verdict, gain.verdict[i]), p: gain.p[i],
      family: gain.family[i], smallest: part(gain.smallest[i]), needs: at(words.needs, gain.needs[i]),
      transfer: at(words.text, gain.transfer[i]), trainings: gain.trainings[i], groups: gain.groups[i],
    };
  }

  function scoreOf(column, words, i) {
    if (column.trainings[i] === null) return null;
    return {
      value: part(column.value[i]), low: part(column.low[i]), high: part(column.high[i]),
      trainings: column.trainings[i], failed: at(words.failed, column.failed[i]),
    };
  }

  /** Places of texts in their order, so that rows are sorted by whole numbers. */
  function places(texts) {
    const collator = new Intl.Collator('en', { numeric: true });
    const sorted = [...new Set(texts)].sort(collator.compare);
    return new Map(sorted.map((text, place) => [text, place]));
  }

  function rowOf(track, orders, i) {
    const { rows: columns } = track;
    const { words } = columns;
    const submission = columns.submissions[columns.submission[i]];
    const title = columns.titles[columns.submission[i]];
    const target = words.target[columns.target[i]];
    const family = words.family[columns.family[i]];
    const gain = gainOf(columns.gain, words, i);
    if (gain) gain.longer = gainOf(columns.longer, words, i);
    const scores = {};
    for (const name of Object.keys(columns.scores)) scores[name] = scoreOf(columns.scores[name], words, i);
    return {
      i, key: `${submission}@${target}`, submission, title, target, family, gain, scores,
      stain: words.stain[columns.stain[i]], bits: columns.badges[i], rank: columns.rank[i],
      parameters: columns.parameters[i], device: words.device[columns.device[i]],
      updated: words.updated[columns.updated[i]], seconds: columns.seconds[i], energy: columns.energy[i],
      floor: gain && gain.verdict !== 'withheld' ? gain.low : null,
      order: orders.submission.get(title), targetOrder: orders.target.get(target),
      search: `${submission} ${title} ${family} ${target}`.toLowerCase(),
    };
  }

  const made = new Map();

  /** The track of a label, with its rows as objects. */
  function track(label) {
    if (!made.has(label)) {
      const found = index.tracks.find((one) => one.label === label);
      const orders = { submission: places(found.rows.titles), target: places(found.rows.words.target) };
      const rows = Array.from({ length: found.rows.count }, (_, i) => rowOf(found, orders, i));
      made.set(label, { ...found, protocols: Object.keys(found.rows.scores), longer: Boolean(found.rows.longer), rows, families: found.rows.words.family });
    }
    return made.get(label);
  }

  const badges = (row) => badgeNames.filter((_, n) => row.bits & (1 << n));

  const LISTS = ['target', 'family', 'verdict', 'badge', 'columns', 'selected'];
  const defaults = Object.freeze({
    track: index.tracks.length ? index.tracks[0].label : '', sort: '-gain', search: '', target: [], family: [],
    verdict: [], badge: [], columns: null, size: 25, page: 1, chart: 'forest', selected: [], map: 'f1',
  });

  /** The state of a view as an address's fragment: only what differs from the first view. */
  function write(state) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(state)) {
      const text = Array.isArray(value) ? value.join(',') : String(value ?? '');
      const usual = Array.isArray(defaults[name]) ? '' : String(defaults[name] ?? '');
      if (text !== usual || (name === 'columns' && value !== null)) parameters.set(name, text);
    }
    return parameters.toString();
  }

  /** The state that a fragment tells; what it does not know, or cannot be, is left as in the first view. */
  function read(fragment) {
    const state = { ...defaults };
    const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
    for (const [name, text] of parameters) {
      if (!(name in defaults)) continue;
      if (LISTS.includes(name)) state[name] = text === '' ? [] : text.split(',');
      else if (typeof defaults[name] === 'number') state[name] = Math.max(1, Math.floor(Number(text)) || defaults[name]);
      else state[name] = text;
    }
    if (!index.tracks.some((one) => one.label === state.track)) state.track = defaults.track;
    return state;
  }

  return { index, track, places, badges, badgeNames, defaults, read, write };
})();
