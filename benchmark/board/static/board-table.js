/** The board's table: TanStack sorts, filters and pages; this renders a plain table of it. */
(() => {
  'use strict';

  const { el } = KB;
  const { badgeNames } = KB.board;
  const SIZES = [10, 25, 50, 100, 250];

  const features = Table.tableFeatures({
    coreReactivityFeature: Table.storeReactivityBindings(),
    columnFilteringFeature: Table.columnFilteringFeature,
    columnVisibilityFeature: Table.columnVisibilityFeature,
    rowSortingFeature: Table.rowSortingFeature,
    rowPaginationFeature: Table.rowPaginationFeature,
    filteredRowModel: Table.createFilteredRowModel(),
    sortedRowModel: Table.createSortedRowModel(),
    paginatedRowModel: Table.createPaginatedRowModel(),
  });

  /**
   * Numbers to sort the rows of a track by, at the place of each row: what is not known comes last both ways.
   * TanStack reads a cell several times for each of some 300,000 comparisons; a list of numbers is read at once.
   */
  function sortKeys(rows, read, desc) {
    const values = rows.map(read);
    const places = typeof values.find((value) => value !== undefined) === 'string' ? KB.board.places(values) : null;
    const last = desc ? -Infinity : Infinity;
    return Float64Array.from(values, (value) => (value === undefined ? last : places ? places.get(value) : value));
  }

  /** Filters as columns that are never shown: TanStack asks each whether a row stays. */
  const FILTERS = [
    { id: 'f-target', keep: (row, chosen) => chosen.includes(row.target) },
    { id: 'f-family', keep: (row, chosen) => chosen.includes(row.family) },
    { id: 'f-verdict', keep: (row, chosen) => chosen.includes(row.gain ? row.gain.verdict : 'no gain') },
    { id: 'f-badge', keep: (row, bits) => (row.bits & bits) !== 0 },
    { id: 'f-search', keep: (row, words) => words.every((word) => row.search.includes(word)) },
  ];

  const hide = (columns) => Object.fromEntries(columns.map(({ id }) => [id, false]));

  function make(track) {
    const shown = KB.board.columns(track);
    const keys = {};
    const compare = (a, b, id) => {
      const [left, right] = [keys[id][a.index], keys[id][b.index]];
      return left < right ? -1 : left > right ? 1 : 0;
    };
    const columns = [
      ...shown.map(({ id, read }) => ({ id, accessorFn: read, sortFn: compare, sortUndefined: false })),
      ...FILTERS.map(({ id, keep }) => ({ id, accessorFn: () => true, filterFn: (row, _, value) => keep(row.original, value), enableSorting: false })),
    ];
    const table = Table.constructTable({
      features, columns, data: track.rows, getRowId: (row) => row.key, autoResetPageIndex: false, enableSortingRemoval: false,
      initialState: { columnVisibility: hide(FILTERS) },
    });
    return { table, keys, columns: shown, reach: KB.board.reach(track.rows), track };
  }

  const made = new Map();

  /** The table of a track, made once. */
  function of(track) {
    if (!made.has(track.label)) made.set(track.label, make(track));
    return made.get(track.label);
  }

  const usual = (columns) => columns.filter((one) => !one.hidden && !one.never).map((one) => one.id);

  /** Columns that a state shows, in their order. */
  function visible(columns, state) {
    const ids = state.columns || usual(columns);
    return columns.filter((one) => !one.never && (one.fixed || ids.includes(one.id)));
  }

  function sortOf(columns, state) {
    const id = state.sort.replace(/^-/, '');
    const known = columns.some((one) => one.id === id);
    return known ? { id, desc: state.sort.startsWith('-') } : { id: 'gain', desc: true };
  }

  function filtersOf(state) {
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    const bits = state.badge.reduce((sum, name) => sum | (badgeNames.includes(name) ? 1 << badgeNames.indexOf(name) : 0), 0);
    return [
      ['f-target', state.target], ['f-family', state.family], ['f-verdict', state.verdict],
      ['f-badge', bits || []], ['f-search', words],
    ].filter(([, value]) => typeof value === 'number' || value.length).map(([id, value]) => ({ id, value }));
  }

  /**
   * Sort, filter and page as a state says.
   * @returns {{rows: object[], page: object[], pages: number, number: number, sort: object, columns: object[]}}
   *   all rows of the view in order; those of its page; how many pages; the page's number.
   */
  function view(track, state) {
    const { table, keys, columns, reach } = of(track);
    const sort = sortOf(columns, state);
    const filters = filtersOf(state);
    const size = SIZES.includes(state.size) ? state.size : 25;
    const atoms = table.store.state;
    if (JSON.stringify(atoms.sorting) !== JSON.stringify([sort])) {
      keys[sort.id] = sortKeys(track.rows, columns.find((one) => one.id === sort.id).read, sort.desc);
      table.setSorting([sort]);
    }
    if (JSON.stringify(atoms.columnFilters) !== JSON.stringify(filters)) table.setColumnFilters(filters);
    const rows = table.getSortedRowModel().rows;
    const pages = Math.max(1, Math.ceil(rows.length / size));
    const number = Math.min(state.page, pages);
    table.setPagination({ pageIndex: number - 1, pageSize: size });
    const page = table.getRowModel().rows;
    return { rows: rows.map((row) => row.original), page: page.map((row) => row.original), pages, number, size, sort, columns, reach, track };
  }

  function header(column, sort, act) {
    const active = sort.id === column.id || (column.id === 'gain' && sort.id === 'value');
    const direction = active ? (sort.desc ? 'descending' : 'ascending') : null;
    const arrow = el('span', { class: 'arrow', 'aria-hidden': 'true' }, active ? (sort.desc ? '▼' : '▲') : '↕');
    return el('th', { scope: 'col', class: column.group === 'number' ? 'num' : null, 'data-column': column.id, 'aria-sort': direction },
      el('button', { type: 'button', class: 'sort', 'data-sort': column.id, onclick: () => act.sort(column) }, column.title, arrow),
      column.about ? el('small', {}, column.about) : null);
  }

  /** Render a view into the table element. */
  function render(element, found, state, act) {
    const columns = visible(found.columns, state);
    const selected = new Set(state.selected);
    const help = { reach: found.reach, selected };
    const focused = document.activeElement?.dataset?.sort;
    const body = el('tbody', {}, found.page.map((row) => el('tr', {
      'data-key': row.key, class: selected.has(row.key) ? 'selected' : null,
      onmouseenter: () => act.hover(row.key), onmouseleave: () => act.hover(null),
      onfocusin: () => act.hover(row.key), onfocusout: () => act.hover(null),
    }, columns.map((column) => {
      const cell = column.cell(row, help);
      cell.dataset.column = column.id;
      return cell;
    }))));
    if (!found.page.length) {
      body.append(el('tr', {}, el('td', { colspan: columns.length, class: 'nothing' }, 'No row fits what was chosen. ',
        el('button', { type: 'button', class: 'button', onclick: act.reset }, 'Show all rows'))));
    }
    element.replaceChildren(
      el('thead', {}, el('tr', {}, columns.map((column) => header(column, found.sort, act)))), body);
    if (focused) element.querySelector(`[data-sort="${CSS.escape(focused)}"]`)?.focus();
  }

  Object.assign(KB.board, { view, render, visible, usual, SIZES });
})();
