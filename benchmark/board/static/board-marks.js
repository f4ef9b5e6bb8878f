/** What makes a chart answer: a tip on hover and focus, arrow keys, and selection by click, Enter or space. */
(() => {
  'use strict';

  const { el } = KB;
  let tip = null;

  function tipElement() {
    if (!tip) {
      tip = el('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
      document.body.append(tip);
    }
    return tip;
  }

  /** Show lines of text beside a mark, inside the window. */
  function showTip(mark, lines) {
    const box = tipElement();
    box.replaceChildren(...lines.map((line, i) => el('div', { class: i ? null : 'tip-title' }, line)));
    box.hidden = false;
    const around = mark.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    const wide = around.width > 200;
    const left = wide ? around.left + around.width / 2 - width / 2 : around.right + 8;
    const flipped = !wide && left + width > window.innerWidth - 8 ? around.left - width - 8 : left;
    const below = around.bottom + 6;
    const top = below + height > window.innerHeight - 8 ? around.top - height - 6 : below;
    box.style.left = `${window.scrollX + Math.max(8, Math.min(flipped, window.innerWidth - width - 8))}px`;
    box.style.top = `${window.scrollY + Math.max(8, top)}px`;
  }

  const hideTip = () => { if (tip) tip.hidden = true; };
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') hideTip(); });
  window.addEventListener('scroll', hideTip, { passive: true, capture: true });

  /**
   * Make marks of a figure answer.
   * @param {SVGElement} figure - of Plot.
   * @param {{element: Element, key: string, label: string, lines: string[]}[]} items - in reading order.
   * @param {{columns: number, name: string, selected: Set<string>, hover: Function, select: Function}} options -
   *   columns: marks of one line, for the arrow keys; name: what the group is called.
   */
  function answer(figure, items, { columns = 1, name, selected, hover, select }) {
    figure.setAttribute('role', 'group');
    figure.setAttribute('aria-label', `${name}. ${items.length} marks: arrow keys move, Enter selects rows of the table`);
    for (const child of figure.children) child.setAttribute('aria-hidden', 'true');
    const layer = KB.svg('g', { class: 'marks' });
    figure.append(layer);
    const show = (item) => {
      showTip(item.element, item.lines);
      hover(item.key);
    };
    const hide = () => {
      hideTip();
      hover(null);
    };
    items.forEach(({ element, key, label }, i) => {
      element.setAttribute('class', 'hit');
      element.setAttribute('role', 'button');
      element.setAttribute('aria-label', label);
      element.setAttribute('aria-pressed', String(selected.has(key)));
      element.setAttribute('tabindex', i ? '-1' : '0');
      element.dataset.key = key;
      element.dataset.item = i;
      layer.append(element);
    });
    const itemOf = (event) => {
      const element = event.target.closest?.('.hit');
      return element ? items[Number(element.dataset.item)] : null;
    };
    const on = (kind, act) => layer.addEventListener(kind, (event) => {
      const item = itemOf(event);
      if (item) act(item, event);
    });
    on('pointerover', show);
    on('pointerout', hide);
    on('focusin', show);
    on('focusout', hide);
    on('click', (item) => select(item.key));
    on('keydown', (item, event) => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        select(item.key);
        return;
      }
      const at = items.indexOf(item);
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: items.length - 1 - at };
      const next = items[at + (steps[event.key] ?? NaN)];
      if (!next) return;
      event.preventDefault();
      item.element.setAttribute('tabindex', '-1');
      next.element.setAttribute('tabindex', '0');
      next.element.focus();
    });
  }

  /** Marks of rows that are pointed at, in chart and table alike. */
  function light(key) {
    for (const one of document.querySelectorAll('.hit.lit, tr.lit')) one.classList.remove('lit');
    if (key === null) return;
    const name = CSS.escape(key);
    for (const one of document.querySelectorAll(`.hit[data-key="${name}"], tr[data-key="${name}"]`)) one.classList.add('lit');
  }

  Object.assign(KB.board, { answer, light, hideTip });
})();
