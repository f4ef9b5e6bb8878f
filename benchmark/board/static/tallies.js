/*
 * From the files in data/tallies to two arms that were tested on the same images.
 * Written by benchmark/board/pages/compare.py; mistakes are rare, so that files hold only where they are.
 */
const Tallies = (() => {
  'use strict';

  /** Two arms that cannot be compared; its message is a sentence for the reader. */
  class Refusal extends Error {}

  const file = (track, submission) => `data/tallies/${encodeURIComponent(track)}/${encodeURIComponent(submission)}.js`;

  const name = (track, submission) => `tallies/${track}/${submission}`;

  /** Counts at places given by their gaps; a gap of 0 counts a place once more. */
  function atGaps(gaps, length) {
    const counts = new Float64Array(length);
    let place = 0;
    for (const gap of gaps) {
      place += gap;
      counts[place] += 1;
    }
    return counts;
  }

  /** One arm of a file: {folds, numbers, repeats, groups, classes, truth, hits, claimed, manifest}; null if absent. */
  function arm(data, target, protocol) {
    const found = data.arms.find((one) => one.target === target && one.protocol === protocol);
    if (!found || !found.repeats.length) return null;
    const shared = data.truths[found.truth];
    const truth = Float64Array.from(shared.of.flatMap((row) => shared.rows[row]));
    const length = truth.length * found.repeats.length;
    const misses = atGaps(found.misses, length);
    const extras = atGaps(found.extras, length);
    const hits = misses.map((missed, at) => truth[at % truth.length] - missed);
    const claimed = hits.map((right, at) => right + extras[at]);
    const { folds, numbers, repeats } = found;
    const groups = shared.of.length;
    const classes = truth.length / groups;
    return { folds, numbers, repeats, groups, classes, truth, hits, claimed, manifest: data.manifests[target] };
  }

  /** First group of every fold. */
  const starts = (folds) => folds.map((_, k) => folds.slice(0, k).reduce((sum, size) => sum + size, 0));

  /** Places in the folds of both arms of the folds that they share: [[place in first, place in second], ...]. */
  function commonFolds(first, second) {
    if (first.numbers.length && second.numbers.length) {
      return first.numbers.map((number, k) => [k, second.numbers.indexOf(number)]).filter(([, k]) => k >= 0);
    }
    const same = first.folds.length === second.folds.length && first.folds.every((size, k) => size === second.folds[k]);
    return same ? first.folds.map((_, k) => [k, k]) : [];
  }

  /** The chosen repeats and folds of one arm, in their order. */
  function cut(one, rows, places) {
    const { groups, classes } = one;
    const first = starts(one.folds);
    const columns = places.flatMap((k) => Array.from({ length: one.folds[k] }, (_, g) => first[k] + g));
    const pick = (values, row) => columns.flatMap((g) =>
      Array.from(values.subarray((row * groups + g) * classes, (row * groups + g + 1) * classes)));
    const all = (values) => Float64Array.from(rows.flatMap((row) => pick(values, row)));
    return { hits: all(one.hits), claimed: all(one.claimed), truth: Float64Array.from(pick(one.truth, 0)) };
  }

  /**
   * Two arms over the folds and repeats that both have.
   * @throws {Refusal} where they were not tested on the same images.
   */
  function pair(first, second) {
    if (first.manifest !== second.manifest) {
      throw new Refusal('The two were tested on different versions of the data set, so that their images are not the same.');
    }
    const folds = commonFolds(first, second);
    const repeats = first.repeats.filter((one) => second.repeats.includes(one));
    if (!folds.length) throw new Refusal('The two have no fold in common, so that they were not tested on the same images.');
    if (!repeats.length) throw new Refusal('The two have no repeat in common, so that no training of one stands beside one of the other.');
    const one = cut(first, repeats.map((repeat) => first.repeats.indexOf(repeat)), folds.map(([k]) => k));
    const two = cut(second, repeats.map((repeat) => second.repeats.indexOf(repeat)), folds.map(([, k]) => k));
    if (one.truth.length !== two.truth.length) throw new Refusal('The folds of the two hold different numbers of groups.');
    if (!one.truth.every((count, at) => count === two.truth[at])) {
      throw new Refusal('The groups of the two hold different images.');
    }
    const blocks = folds.map(([k]) => first.folds[k]);
    if (one.truth.length / first.classes < 2) {
      throw new Refusal('Both were tested on one group only (two or more are needed): nothing can be said of others.');
    }
    return {
      first: one, second: two, truth: one.truth, repeats: repeats.length, blocks, classes: first.classes,
      groups: one.truth.length / first.classes,
    };
  }

  return { Refusal, file, name, arm, pair };
})();
