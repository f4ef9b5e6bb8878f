/* A comparison in sentences for people who work with chromosomes and not with statistics (see benchmark/wording.py). */
const CompareWords = (() => {
  'use strict';

  const points = (value) => KB.points(value, true);
  const span = (one) => `${points(one.low)} to ${points(one.high)}`;

  const narrow = (test) => 'Whether they do equally well to within half a point is not judged: these trainings could judge it '
    + `to within ${KB.points(test.smallestMargin)} points.`;

  /**
   * The verdict as one sentence.
   * @param {object} names first, second, target, protocol (as running text).
   * @param {object} found needs, test, verdict, value.
   */
  function sentence(names, found) {
    const { first, second, target, protocol } = names;
    const { test, verdict, value } = found;
    if (verdict.name === 'withheld') {
      return `No verdict on ${first} against ${second} on ${target}: it takes ${found.needs}; `
        + `the difference so far is ${points(value)} points.`;
    }
    if (verdict.name === 'better' || verdict.name === 'worse') {
      const small = verdict.inside <= Crossed.ALPHA ? ', though by less than half a point' : '';
      return `On chromosomes of new people or cells, ${first} trained anew by ${protocol} reads ${target} ${verdict.name} `
        + `than ${second}${small}: ${points(value)} points of macro-F1 (${span(test)}); chance alone would hardly do this `
        + `(${KB.p(verdict.p)}, not adjusted for other comparisons).`;
    }
    if (verdict.name === 'equivalent') {
      return `By ${protocol}, ${first} and ${second} read ${target} equally well: the difference (${points(value)} points, `
        + `${span(test)}) is smaller than half a point either way.`;
    }
    return `By ${protocol}, these trainings cannot tell ${first} from ${second} on ${target}: ${points(value)} points, and `
      + `anything from ${span(test)} would fit; a true difference of ${KB.points(test.smallest)} points would have been `
      + `found four times in five.${Crossed.judgesEquivalence(test) ? '' : ` ${narrow(test)}`}`;
  }

  /** What the differences by chromosome say, as one sentence. */
  function classes(found, names, labels) {
    const clear = found.filter((one) => one.adjusted <= Crossed.ALPHA);
    if (!found.length) return 'With one training or one group nothing can be said of single chromosomes.';
    if (!clear.length) return 'No single chromosome differs by more than chance, after adjusting for all of them.';
    const list = (ones) => ones.map((one) => labels[one.index]).join(', ');
    const ahead = clear.filter((one) => one.gain > 0);
    const behind = clear.filter((one) => one.gain < 0);
    return [
      ahead.length ? `${names.first} is ahead on chromosome ${list(ahead)}.` : '',
      behind.length ? `${names.second} is ahead on chromosome ${list(behind)}.` : '',
    ].filter(Boolean).join(' ');
  }

  return { sentence, classes };
})();
