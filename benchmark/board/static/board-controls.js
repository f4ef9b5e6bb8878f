/** What chooses a view: track, search, filters, columns, order, page size; and the page numbers. */
(() => {
  'use strict';

  const { el } = KB;
  const { index } = KB.board;

  const select = (id, label, options, value, change) => el('div', { class: 'field' }, el('label', { for: id }, label),
    el('select', { id, onchange: (event) => change(event.target.value) },
      options.map(([key, text]) => el('option', { value: key, selected: String(key) === String(value) }, text))));

  /** A button that opens a list of checkboxes: none ticked means all, unless `full`. */
  function menu(id, label, options, chosen, change, { full = false, hint = '' } = {}) {
    const count = chosen.length && !full ? ` (${chosen.length})` : '';
    const box = el('div', { class: 'menu-box', role: 'group', 'aria-label': label }, hint ? el('p', { class: 'small soft' }, hint) : null);
    for (const [value, text] of options) {
      box.append(el('label', { class: 'check' }, el('input', {
        type: 'checkbox', value, checked: chosen.includes(value),
        onchange: () => change([...box.querySelectorAll('input:checked')].map((one) => one.value)),
      }), text));
    }
    const ontoggle = () => {
      box.classList.remove('leftward');
      box.classList.toggle('leftward', box.getBoundingClientRect().right > document.documentElement.clientWidth);
    };
    return el('details', { class: 'menu', id, ontoggle }, el('summary', { class: 'button' }, label + count), box);
  }

  document.addEventListener('click', (event) => {
    for (const open of document.querySelectorAll('details.menu[open]')) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener('keydown', (event) => {
    const open = event.key === 'Escape' && event.target.closest?.('details.menu[open]');
    if (open) {
      open.open = false;
      open.querySelector('summary').focus();
    }
  });

  const plain = (names) => names.map((name) => [name, name]);

  function sortOptions(columns) {
    return columns.flatMap(({ id, title, said, first }) => {
      const name = id === 'gain' ? 'Gain, lower end' : title;
      const order = (sign) => [`${sign}${id}`, `${name}, ${sign ? 'high' : 'low'} first`];
      return first === 'desc' ? [order('-'), order('')] : [order(''), order('-')];
    });
  }

  /** Build the controls for a state again, keeping what is open, typed and focused. */
  function controls(place, found, state, act) {
    const { track, columns } = found;
    const open = place.querySelector('details.menu[open]')?.id;
    const active = place.contains(document.activeElement) ? document.activeElement : null;
    const focus = active && { id: active.id, menu: active.closest('.menu')?.id, value: active.value, at: active.selectionStart };
    const search = el('input', {
      type: 'search', id: 'search', autocomplete: 'off', spellcheck: 'false', placeholder: 'name, family, target',
      oninput: (event) => act.type(event.target.value),
    });
    search.value = state.search;
    const shown = KB.board.visible(columns, state).map((one) => one.id);
    place.replaceChildren(
      ...(index.tracks.length > 1 ? [select('track', 'Track', index.tracks.map((one) => [one.label, one.title + (one.simulated ? ' (simulated)' : '')]), state.track, act.track)] : []),
      el('div', { class: 'field grow' }, el('label', { for: 'search' }, 'Search'), search),
      el('div', { class: 'field' }, el('span', { class: 'label' }, 'Show only'), el('div', { class: 'menus' },
        menu('menu-target', 'Target', plain(track.targets), state.target, (target) => act.filter({ target })),
        menu('menu-family', 'Family', plain(track.families), state.family, (family) => act.filter({ family })),
        menu('menu-verdict', 'Verdict', plain([...Object.keys(index.verdicts), 'no gain']), state.verdict, (verdict) => act.filter({ verdict })),
        menu('menu-badge', 'Badge', plain(KB.board.badgeNames), state.badge, (badge) => act.filter({ badge }), { hint: 'with any of' }))),
      select('sort', 'Order', sortOptions(columns), (found.sort.desc ? '-' : '') + found.sort.id, (sort) => act.change({ sort, page: 1 })),
      select('size', 'Rows', KB.board.SIZES.map((size) => [size, size]), found.size, (size) => act.change({ size: Number(size), page: 1 })),
      el('div', { class: 'field' }, el('span', { class: 'label' }, 'Table'), menu('menu-columns', 'Columns',
        columns.filter((one) => !one.fixed && !one.never).map((one) => [one.id, one.title]), shown, (chosen) => act.columns(chosen), { full: true })));
    if (open) place.querySelector(`#${open}`).open = true;
    if (!focus) return;
    const again = focus.menu && focus.value !== undefined
      ? place.querySelector(`#${focus.menu} input[value="${CSS.escape(focus.value)}"]`)
      : focus.menu ? place.querySelector(`#${focus.menu} summary`) : focus.id && place.querySelector(`#${focus.id}`);
    again?.focus();
    if (focus.id === 'search') again.setSelectionRange(focus.at, focus.at);
  }

  /** Buttons beside the status line. */
  function actions(place, state, act) {
    const chosen = state.search || ['target', 'family', 'verdict', 'badge'].some((name) => state[name].length);
    place.replaceChildren(...[
      state.selected.length ? el('button', { type: 'button', class: 'button', onclick: () => act.change({ selected: [] }) }, `Clear selection (${state.selected.length})`) : null,
      chosen ? el('button', { type: 'button', class: 'button', onclick: act.reset }, 'Reset filters') : null,
      el('button', { type: 'button', class: 'button', id: 'copy-link', onclick: act.copy }, 'Copy link'),
    ].filter(Boolean));
  }

  /** Buttons to the other pages of the table. */
  function pages(place, found, act) {
    const focused = place.contains(document.activeElement) ? document.activeElement.id : null;
    place.hidden = found.pages < 2;
    const go = (id, text, to) => el('button', { type: 'button', class: 'button', id, disabled: to < 1 || to > found.pages || to === found.number, onclick: () => act.page(to) }, text);
    place.replaceChildren(
      go('page-first', 'First', 1), go('page-previous', 'Previous', found.number - 1),
      el('span', { class: 'soft' }, `Page ${found.number} of ${found.pages}`),
      go('page-next', 'Next', found.number + 1), go('page-last', 'Last', found.pages));
    if (focused) (place.querySelector(`#${focused}:enabled`) || place.querySelector('button:enabled'))?.focus();
  }

  Object.assign(KB.board, { controls, actions, pages });
})();
