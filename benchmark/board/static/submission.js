/* A submission's page: draws the charts when they come near the view, and their tables when they are asked for. */
(() => {
  'use strict';

  const { el } = KB;
  const { classes, targets } = JSON.parse(document.getElementById('data').textContent);
  const drawn = new Set();
  const MOST = { curves: 640, confusion: 640 };

  /** Fill a <details> once, when it is opened. */
  function lazily(details, make) {
    for (const old of [...details.children].slice(1)) old.remove();
    const open = () => { if (details.open && details.children.length === 1) details.append(make()); };
    details.ontoggle = open;
    open();
  }

  const matrixOf = (figure, data) => figure.querySelector('select')?.value || data.shown;

  /** The switch between protocols, where there are several. */
  function chooser(figure, data) {
    const field = figure.querySelector('.field');
    const names = Object.keys(data.confusion);
    const id = `protocol-${figure.dataset.of}`;
    const select = el('select', { id, onchange: () => draw(figure) }, names.map((name) => el('option', { value: name }, name)));
    select.value = data.shown;
    field.replaceChildren(el('label', { for: id }, 'Protocol'), select);
  }

  function draw(figure) {
    const data = targets[figure.dataset.of];
    const kind = figure.dataset.chart;
    const width = Math.min(MOST[kind], figure.clientWidth);
    const details = figure.querySelector('details');
    const into = figure.querySelector('.drawing');
    if (kind === 'curves') {
      into.replaceChildren(SubmissionCharts.curves(data, width));
      lazily(details, () => SubmissionCharts.curvesTable(data));
    } else {
      const name = matrixOf(figure, data);
      into.replaceChildren(SubmissionCharts.confusion(data.confusion[name], classes, width));
      lazily(details, () => SubmissionCharts.confusionTable(data.confusion[name], classes, name));
    }
    drawn.add(figure);
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting && !drawn.has(one.target))) {
      draw(entry.target);
      near.unobserve(entry.target);
    }
  }, { rootMargin: '400px' });

  for (const figure of document.querySelectorAll('[data-chart]')) {
    const data = targets[figure.dataset.of];
    const some = figure.dataset.chart === 'curves' ? data.curves.length : Object.keys(data.confusion).length;
    if (!some) continue;
    figure.hidden = false;
    if (figure.dataset.chart === 'confusion') chooser(figure, data);
    near.observe(figure);
  }
  window.addEventListener('beforeprint', () => document.querySelectorAll('[data-chart]:not([hidden])').forEach(draw));
  KB.onLook(() => drawn.forEach(draw));
})();
