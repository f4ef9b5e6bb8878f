/* The page of a run that is under way: loads itself again, as long as the reader wants that and looks at it. */
(() => {
  'use strict';

  const box = document.getElementById('again');
  if (!box) return;
  const key = 'karyobench-status-again';
  try { box.checked = localStorage.getItem(key) !== 'no'; } catch { /* a browser that keeps nothing for pages from a disk */ }
  box.closest('.again').hidden = false;
  box.addEventListener('change', () => {
    try { localStorage.setItem(key, box.checked ? 'yes' : 'no'); } catch { /* likewise */ }
  });
  setInterval(() => { if (box.checked && !document.hidden) location.reload(); }, 1000 * Number(box.dataset.seconds));
})();
