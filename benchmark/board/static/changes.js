/* The page of changes: choosing kinds, with the choice in the address (?kind=entered,withdrawn). */
(() => {
  'use strict';

  const field = document.getElementById('kinds');
  if (!field) return;
  const boxes = [...field.querySelectorAll('input')];
  const months = [...document.querySelectorAll('.month')].map((details) => ({
    details, entries: [...details.querySelectorAll('[data-kind]')], count: details.querySelector('[data-count]'),
  }));

  function show() {
    const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let total = 0;
    for (const { details, entries, count } of months) {
      let shown = 0;
      for (const entry of entries) {
        entry.hidden = !chosen.has(entry.dataset.kind);
        if (!entry.hidden) shown += 1;
      }
      count.textContent = String(shown);
      details.hidden = shown === 0;
      total += shown;
    }
    KB.announce(`${total} ${total === 1 ? 'change' : 'changes'} shown`);
  }

  function read() {
    const given = new URLSearchParams(location.search).get('kind');
    const wanted = given === null ? null : given.split(',');
    for (const box of boxes) box.checked = !wanted || wanted.includes(box.value);
  }

  function write() {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    const query = chosen.length === boxes.length ? '' : `?${new URLSearchParams({ kind: chosen.join(',') })}`;
    history.replaceState(null, '', query || location.pathname);
  }

  field.addEventListener('change', () => { write(); show(); });
  window.addEventListener('popstate', () => { read(); show(); });
  field.hidden = false;
  read();
  show();
})();
