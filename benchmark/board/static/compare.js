/* The page that compares any two submissions: choosing, the address, and showing what was found. */
(() => {
  'use strict';

  const { el } = KB;
  const MOST = 50; // names offered at once
  const who = KB.get('submissions');
  const at = (id) => document.getElementById(id);
  const fields = ['a', 'b', 'track', 'target', 'protocol'];
  const places = new Map(who.names.map((name, place) => [name, place]));
  let run = 0;
  let redraw = null;

  const trackOf = () => who.tracks.find((one) => one.label === at('track').value);
  const state = () => Object.fromEntries(fields.map((name) => [name, at(name).value.trim()]));

  /** Whether a submission has a score there. */
  function has(name, { track, target, protocol }) {
    const arms = places.has(name) ? who.sets[who.has[places.get(name)]] : {};
    return Boolean(arms[track] && arms[track][target] && arms[track][target].includes(protocol));
  }

  const option = (value, text) => el('option', { value }, text);

  function fillTracks() {
    at('track').replaceChildren(...who.tracks.map((one) => option(one.label, one.title + (one.simulated ? ' (simulated)' : ''))));
  }

  /** Targets and protocols of the chosen track, keeping what was chosen where it exists. */
  function fillRest(wanted) {
    const track = trackOf();
    const stain = (name) => (who.stains[name] ? `${name} (${who.stains[name]}-band)` : name);
    at('target').replaceChildren(...track.targets.map((name) => option(name, stain(name))));
    at('protocol').replaceChildren(...track.protocols.map((name) => option(name, name)));
    const first = track.protocols.includes('two-step') ? 'two-step' : track.protocols[0];
    at('target').value = track.targets.includes(wanted.target) ? wanted.target : track.targets[0] || '';
    at('protocol').value = track.protocols.includes(wanted.protocol) ? wanted.protocol : first || '';
  }

  /** Names and titles that hold a text, of submissions that have a score there. */
  function matches(text) {
    const needle = text.toLowerCase();
    const chosen = state();
    const found = [];
    for (const [place, name] of who.names.entries()) {
      if (found.length === MOST) break;
      if ((name.includes(needle) || who.titles[place].toLowerCase().includes(needle)) && has(name, chosen)) found.push(name);
    }
    return found;
  }

  function offer(id) {
    const found = matches(at(id).value.trim());
    at(`names-${id}`).replaceChildren(...found.map((name) => el('option', { value: name, label: who.titles[places.get(name)] })));
  }

  /** What a reader typed, as a name: itself, a title, or the only one that matches. */
  function resolve(text) {
    if (!text || places.has(text)) return text;
    const byTitle = who.titles.indexOf(text);
    if (byTitle >= 0) return who.names[byTitle];
    const found = matches(text);
    return found.length === 1 ? found[0] : text;
  }

  /** Why there is nothing to compare, and which fields are to blame. */
  function trouble(chosen) {
    for (const id of ['a', 'b']) {
      const name = chosen[id];
      if (name && !places.has(name)) return [[id], `There is no submission ${name}. Type a part of its name or title and choose one.`];
      if (name && !has(name, chosen)) return [[id], `${name} has no score of ${chosen.protocol} on ${chosen.target} in track ${chosen.track}.`];
    }
    if (chosen.a && chosen.a === chosen.b) return [['a', 'b'], 'Choose two different submissions.'];
    return [[], chosen.a && chosen.b ? '' : 'Choose two submissions.'];
  }

  function address() {
    const chosen = Object.entries(state()).filter(([, value]) => value);
    return `?${new URLSearchParams(chosen)}`;
  }

  function read() {
    const given = Object.fromEntries(new URLSearchParams(location.search));
    const track = who.tracks.find((one) => one.label === given.track) || who.tracks.find((one) => !one.simulated) || who.tracks[0];
    at('track').value = track.label;
    fillRest(given);
    for (const id of ['a', 'b']) at(id).value = given[id] || '';
  }

  /** What the reader chose, into the address, and shown. */
  function changed() {
    for (const id of ['a', 'b']) at(id).value = resolve(at(id).value.trim());
    if (address() !== location.search) history.pushState(null, '', address());
    show();
  }

  async function show() {
    run += 1;
    const own = run;
    const chosen = state();
    const [blamed, text] = trouble(chosen);
    for (const id of ['a', 'b']) at(id).setAttribute('aria-invalid', String(blamed.includes(id)));
    at('trouble').textContent = text;
    at('trouble').className = blamed.length ? 'trouble' : 'small soft';
    at('result').hidden = true;
    at('example').hidden = Boolean(chosen.a || chosen.b);
    at('working').hidden = Boolean(text);
    redraw = null;
    if (text) return;
    try {
      const found = await compare(chosen, own);
      if (found && own === run) present(chosen, found);
    } catch (error) {
      if (own !== run) return;
      at('trouble').className = 'trouble';
      at('trouble').textContent = error instanceof Tallies.Refusal ? `They cannot be compared: ${error.message}` : error.message;
    } finally {
      if (own === run) at('working').hidden = true;
    }
  }

  async function counts(chosen, name) {
    await KB.load(Tallies.file(chosen.track, name)).catch(() => {
      throw new Error(`The counts of ${name} cannot be read (${Tallies.file(chosen.track, name)}).`);
    });
    const arm = Tallies.arm(KB.get(Tallies.name(chosen.track, name)), chosen.target, chosen.protocol);
    if (!arm) throw new Tallies.Refusal(`${name} has no full repeat of ${chosen.protocol} on ${chosen.target}.`);
    return arm;
  }

  /** Everything that is known of the pair; null when the reader has chosen something else meanwhile. */
  async function compare(chosen, own) {
    at('progress').value = 0;
    const [first, second] = await Promise.all([counts(chosen, chosen.a), counts(chosen, chosen.b)]);
    const pair = Tallies.pair(first, second);
    const bootstrap = await Pigeonhole.resample(pair, {
      progress: (part) => { if (own === run) at('progress').value = part; }, cancelled: () => own !== run,
    });
    if (!bootstrap) return null;
    const test = Crossed.difference(pair);
    const needs = Crossed.needs(pair);
    const arms = [pair.first, pair.second];
    const values = arms.map((arm) => Crossed.macro(pair, arm));
    const few = pair.groups < 4;
    const fixed = (interval) => (few ? null : interval);
    return {
      pair, test, bootstrap, needs, values, value: values[0] - values[1],
      verdict: Crossed.decide(pair, test, bootstrap), classes: Crossed.perClass(pair),
      f1: arms.map((arm) => Crossed.byClass(pair, arm)),
      intervals: needs ? [fixed(bootstrap.fixed.first), fixed(bootstrap.fixed.second)]
        : arms.map((arm) => clip(Crossed.score(pair, arm))),
      interval: needs ? fixed(bootstrap.fixed.difference) : test,
      speaks: needs ? 'for these very trainings on new groups' : 'for new trainings on new groups',
    };
  }

  const clip = ({ low, high }) => ({ low: Math.max(low, 0), high: Math.min(high, 1) });

  function evidence(found) {
    const { pair, test, bootstrap, verdict } = found;
    const size = [`${Crossed.trainings(pair)} of each (${pair.blocks.length} ${pair.blocks.length > 1 ? 'folds' : 'fold'} × ${pair.repeats} `
      + `${pair.repeats > 1 ? 'repeats' : 'repeat'})`];
    const rows = [['Verdict', el('span', { class: `verdict verdict-${verdict.name}` }, verdict.name)], ['Trainings', size], ['Groups', String(pair.groups)]];
    if (verdict.name === 'withheld') return [...rows, ['Needs', found.needs]];
    return [
      ...rows,
      ['p of no difference', `${KB.p(verdict.p, true)} (t test ${KB.p(test.p, true)}, bootstrap ${KB.p(bootstrap.p, true)}; the larger counts)`],
      ['p of a difference of half a point or more', Crossed.judgesEquivalence(test) ? KB.p(verdict.inside, true)
        : `not judged (half a point is too little against the error; ${KB.points(test.smallestMargin)} points could be)`],
      ['Smallest detectable difference', `${KB.points(test.smallest)} points (found four times in five)`],
      ['Bootstrap interval', `${KB.interval(bootstrap.low, bootstrap.high, true)} points`],
    ];
  }

  function present(chosen, found) {
    const names = { first: chosen.a, second: chosen.b, target: chosen.target, protocol: who.words[chosen.protocol] };
    const sentence = CompareWords.sentence(names, found);
    const both = [chosen.a, chosen.b].map((name, k) => ({
      name, title: who.titles[places.get(name)], value: found.values[k], interval: found.intervals[k],
    }));
    const figure = el('figure', { class: 'chart' });
    const draw = () => CompareCharts.chart(found.classes, who.classes, Math.min(640, figure.clientWidth || 640));
    at('result').replaceChildren(
      el('h2', { id: 'result-title' }, `${chosen.a} against ${chosen.b}`),
      el('p', { class: `answer answer-${found.verdict.name}` }, sentence, ' ', el('span', { class: 'soft' }, 'Exploratory: one comparison that you chose.')),
      CompareCharts.scores(both, { value: found.value, interval: found.interval }, found.speaks),
      CompareCharts.facts(evidence(found)),
      el('h3', {}, 'By chromosome'),
      el('p', {}, CompareWords.classes(found.classes, names, who.classes), ' Exploratory: it says which chromosomes differ, where anything does.'),
    );
    at('result').hidden = false;
    if (found.classes.length) {
      at('result').append(el('div', { class: 'beside' }, figure, CompareCharts.classes(found.classes, who.classes, names, found.f1)));
      redraw = () => figure.replaceChildren(
        el('figcaption', {}, `Right of the line ${names.first} is ahead. Point: difference; line: 95 % interval of this class alone; coloured: more than chance after adjusting for all classes.`), draw());
      redraw();
    }
    document.title = `${chosen.a} against ${chosen.b} – KaryoBench`;
    KB.announce(sentence);
  }

  function example() {
    const chosen = state();
    const found = who.names.filter((name) => has(name, chosen)).slice(0, 2);
    if (found.length < 2) return;
    const query = new URLSearchParams({ ...chosen, a: found[0], b: found[1] });
    at('example').replaceChildren('For example: ', el('a', { href: `?${query}` }, `${found[0]} against ${found[1]}`));
  }

  if (!who.tracks.length) {
    at('example').hidden = false;
    at('example').textContent = 'The board holds no result yet, so that there is nothing to compare.';
    return;
  }
  fillTracks();
  read();
  example();
  at('choice').hidden = false;
  at('choice').addEventListener('submit', (event) => { event.preventDefault(); changed(); });
  for (const id of ['a', 'b']) {
    at(id).addEventListener('focus', () => offer(id));
    at(id).addEventListener('input', () => { offer(id); if (places.has(at(id).value)) changed(); });
    at(id).addEventListener('change', changed);
  }
  at('track').addEventListener('change', () => { fillRest(state()); changed(); });
  for (const id of ['target', 'protocol']) at(id).addEventListener('change', changed);
  at('swap').addEventListener('click', () => {
    [at('a').value, at('b').value] = [at('b').value, at('a').value];
    changed();
  });
  at('link').addEventListener('click', async () => {
    const done = await KB.copy(location.href);
    at('link').textContent = done ? 'Copied' : 'Copy the address by hand';
    setTimeout(() => { at('link').textContent = 'Copy link'; }, 2000);
  });
  window.addEventListener('popstate', () => { read(); show(); });
  KB.onLook(() => { if (redraw) redraw(); });
  show();
})();
