/** The board's page: one state, kept in the address; every change renders table, controls and chart from it. */
(() => {
  'use strict';

  const { board } = KB;
  const at = (id) => document.getElementById(id);
  let state = board.read(location.hash);
  let typing = 0;

  /** What a column is called in a sentence. */
  const said = ({ said: words, title, about }) => words || (about === 'macro-F1, %' ? `macro-F1 of ${title}` : title.toLowerCase());

  /** `34 of 200 rows, sorted by lower end of the gain, descending`. */
  function status(found) {
    const column = found.columns.find((one) => one.id === found.sort.id);
    const all = found.track.rows.length;
    const many = found.rows.length === all ? `${all.toLocaleString('en')} rows` : `${found.rows.length.toLocaleString('en')} of ${all.toLocaleString('en')} rows`;
    const page = found.pages > 1 ? `, page ${found.number} of ${found.pages}` : '';
    return `${many}, sorted by ${said(column)}, ${found.sort.desc ? 'descending' : 'ascending'}${page}`;
  }

  function caption(found) {
    const order = found.sort.id === 'gain'
      ? 'Sorted by the lower end of the gain: what may be claimed at least. Rows without a verdict come last. '
      : 'What is not known comes last. ';
    return `${order}Scores in % of macro-F1 and gains in points, each with its 95 % interval; * marks an interval for these very trainings only. Ties share a rank.`;
  }

  function render() {
    const track = board.track(state.track);
    const found = board.view(track, state);
    board.render(at('table'), found, state, act);
    at('caption').textContent = caption(found);
    board.controls(at('controls'), found, state, act);
    board.actions(at('actions'), state, act);
    board.pages(at('pages'), found, act);
    board.panel.mark(at('tabs'), at('chart-panel'), state.chart);
    board.panel.show(at('chart-panel'), found, state, act);
    for (const one of document.querySelectorAll('[data-track]')) one.hidden = one.dataset.track !== state.track;
    KB.announce(status(found));
    return found;
  }

  const address = () => {
    const text = board.write(state);
    return text ? `#${text}` : location.href.replace(/#.*$/, '');
  };

  /** Change the state: a new entry of the history, or the present one while somebody types. */
  function change(more, { replace = false } = {}) {
    state = { ...state, ...more };
    history[replace ? 'replaceState' : 'pushState'](null, '', address());
    return render();
  }

  const EMPTY = { search: '', target: [], family: [], verdict: [], badge: [], page: 1 };

  /** The page of the table that shows a row of the view. */
  function pageOf(key, found) {
    const place = found.rows.findIndex((row) => row.key === key);
    return place < 0 ? state.page : Math.floor(place / found.size) + 1;
  }

  const act = {
    change,
    hover: board.light,
    sort: ({ id, first }) => {
      const now = state.sort.replace(/^-/, '') === id;
      const desc = now ? !state.sort.startsWith('-') : first === 'desc';
      change({ sort: (desc ? '-' : '') + id, page: 1 });
    },
    filter: (more) => change({ ...more, page: 1 }),
    type: (search) => {
      const replace = typing > 0;
      clearTimeout(typing);
      typing = setTimeout(() => { typing = 0; }, 1500);
      change({ search, page: 1 }, { replace });
    },
    track: (track) => change({ ...EMPTY, track, selected: [], columns: null }),
    columns: (columns) => change({ columns }),
    page: (page) => {
      change({ page });
      at('table-title').scrollIntoView({ block: 'start' });
    },
    reset: () => {
      change(EMPTY);
      at('search').focus();
    },
    select: (key) => {
      const gone = state.selected.includes(key);
      const selected = gone ? state.selected.filter((one) => one !== key) : [...state.selected, key];
      const found = board.view(board.track(state.track), state);
      change({ selected, page: gone ? state.page : pageOf(key, found) });
    },
    copy: async (event) => {
      const button = event.target;
      const done = await KB.copy(location.href);
      button.textContent = done ? 'Link copied' : 'Copy it from the address bar';
      setTimeout(() => { button.textContent = 'Copy link'; }, 2500);
    },
  };

  /** An address without a state of ours (a jump within the page) leaves the view as it is. */
  function follow() {
    const fragment = location.hash.slice(1);
    if (fragment && !fragment.includes('=')) return;
    const next = board.read(location.hash);
    if (board.write(next) === board.write(state)) return;
    state = next;
    render();
  }

  if (board.index.tracks.length) {
    at('app').hidden = false;
    at('legend').open = window.innerWidth >= 1100 && window.innerHeight >= 1000;
    board.panel.tabs(at('tabs'), at('chart-panel'), act);
    render();
    window.addEventListener('popstate', follow);
    window.addEventListener('hashchange', follow);
    KB.onLook(() => board.panel.show(at('chart-panel'), board.view(board.track(state.track), state), state, act));
  }
})();
