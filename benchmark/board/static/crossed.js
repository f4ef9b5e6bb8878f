/*
 * The two-way test of a paired difference: trainings and groups are both samples.
 * The same statistics as benchmark/stats (pseudo.py, twoway.py, power.py, secondary.py), number by number.
 *
 * An arm is {hits, claimed}, flat in the order [repeat][group][class]; a pair holds two arms, `truth`
 * ([group][class]), `repeats`, `blocks` (groups of each fold), `groups` and `classes`.
 */
const Crossed = (() => {
  'use strict';

  const FLOOR = 0.75;
  const ROUNDING = 1e-12;
  const MARGIN = 0.005;
  const ALPHA = 0.05;
  const MINIMUM = 6;
  const LEAST_ERROR = 0.6;

  const f1 = (hits, claimed, truth) => (truth > 0 ? (2 * hits) / (truth + claimed) : NaN);
  const trainings = (pair) => pair.repeats * pair.blocks.length;

  /** Sums over the groups of one repeat: [class] of hits, claims and true images. */
  function pooled(pair, arm, row) {
    const found = { hits: new Float64Array(pair.classes), claimed: new Float64Array(pair.classes),
      truth: new Float64Array(pair.classes) };
    for (let g = 0; g < pair.groups; g += 1) {
      for (let k = 0; k < pair.classes; k += 1) {
        const at = (row * pair.groups + g) * pair.classes + k;
        found.hits[k] += arm.hits[at];
        found.claimed[k] += arm.claimed[at];
        found.truth[k] += pair.truth[g * pair.classes + k];
      }
    }
    return found;
  }

  /** F1 of every class by repeat, all groups pooled: flat [repeat][class], NaN without a true image. */
  function byRow(pair, arm) {
    const scores = new Float64Array(pair.repeats * pair.classes);
    for (let row = 0; row < pair.repeats; row += 1) {
      const sums = pooled(pair, arm, row);
      for (let k = 0; k < pair.classes; k += 1) {
        scores[row * pair.classes + k] = f1(sums.hits[k], sums.claimed[k], sums.truth[k]);
      }
    }
    return scores;
  }

  const known = (values) => values.filter((value) => !Number.isNaN(value));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  /** Macro-F1, mean over repeats: the folds of a repeat are pooled before F1 is taken. */
  function macro(pair, arm) {
    const scores = byRow(pair, arm);
    return mean(Array.from({ length: pair.repeats }, (_, row) =>
      mean(known(scores.subarray(row * pair.classes, (row + 1) * pair.classes)))));
  }

  /** F1 of every class, mean over repeats: [class]. */
  function byClass(pair, arm) {
    const scores = byRow(pair, arm);
    return Array.from({ length: pair.classes }, (_, k) =>
      mean(Array.from({ length: pair.repeats }, (_row, row) => scores[row * pair.classes + k])));
  }

  /** Delete-one-group pseudo-values of every class's F1: flat [repeat][group][class]. */
  function pseudoByClass(pair, arm) {
    const { repeats, groups, classes } = pair;
    const found = new Float64Array(repeats * groups * classes);
    for (let row = 0; row < repeats; row += 1) {
      const sums = pooled(pair, arm, row);
      for (let k = 0; k < classes; k += 1) {
        const whole = f1(sums.hits[k], sums.claimed[k], sums.truth[k]);
        for (let g = 0; g < groups; g += 1) {
          const at = (row * groups + g) * classes + k;
          const without = f1(sums.hits[k] - arm.hits[at], sums.claimed[k] - arm.claimed[at],
            sums.truth[k] - pair.truth[g * classes + k]);
          found[at] = groups * whole - (groups - 1) * (Number.isNaN(without) ? whole : without);
        }
      }
    }
    return found;
  }

  /** Pseudo-values of macro-F1: flat [repeat][group]. */
  function pseudo(pair, arm) {
    const values = pseudoByClass(pair, arm);
    return Float64Array.from({ length: pair.repeats * pair.groups }, (_, cell) =>
      mean(known(values.subarray(cell * pair.classes, (cell + 1) * pair.classes))));
  }

  /** Variance of a table's mean, robust to clustering by training and by group. */
  function variance(pair, table) {
    const { repeats, groups, blocks } = pair;
    const centre = mean(table);
    const columns = new Float64Array(groups);
    let [byTraining, byCell] = [0, 0];
    for (let row = 0; row < repeats; row += 1) {
      let g = 0;
      for (const size of blocks) {
        let sum = 0;
        for (const end = g + size; g < end; g += 1) {
          const value = table[row * groups + g] - centre;
          sum += value;
          columns[g] += value;
          byCell += value * value;
        }
        byTraining += sum * sum;
      }
    }
    const byGroup = columns.reduce((sum, value) => sum + value * value, 0);
    return Math.max(byTraining + byGroup - byCell, FLOOR * byCell) / (repeats * groups) ** 2;
  }

  /** A mean with standard error, degrees of freedom, and what a t test makes of them. */
  function estimate(value, se, df) {
    const spread = se > ROUNDING * Math.max(Math.abs(value), ROUNDING);
    const half = spread || value === 0 ? Chance.tQuantile(1 - ALPHA / 2, df) * se : NaN;
    const inside = (margin) => {
      if (!spread) return value === 0 ? 0 : 1;
      return Math.max(Chance.tAbove((value + margin) / se, df), Chance.tAbove((margin - value) / se, df));
    };
    return {
      value, se, df, low: value - half, high: value + half,
      p: spread ? 2 * Chance.tAbove(Math.abs(value) / se, df) : 1,
      inside: inside(MARGIN),
      smallest: (Chance.tQuantile(1 - ALPHA / 2, df) + Chance.tQuantile(0.8, df)) * se,
      smallestMargin: spread ? ((Chance.tQuantile(1 - ALPHA, df) + Chance.tQuantile(1 - (1 - LEAST_ERROR) * ALPHA, df)) / 2) * se : 0,
    };
  }

  const freedom = (pair) => Math.min(trainings(pair), pair.groups) - 1;
  const testable = (pair) => trainings(pair) > 1 && pair.groups > 1;

  /** The score of one arm; null where there is one training or one group. */
  function score(pair, arm) {
    if (!testable(pair)) return null;
    return estimate(macro(pair, arm), Math.sqrt(variance(pair, pseudo(pair, arm))), freedom(pair));
  }

  /** The difference of the two arms, first minus second; null where there is one training or one group. */
  function difference(pair) {
    if (!testable(pair)) return null;
    const second = pseudo(pair, pair.second);
    const table = pseudo(pair, pair.first).map((value, cell) => value - second[cell]);
    const value = macro(pair, pair.first) - macro(pair, pair.second);
    return estimate(value, Math.sqrt(variance(pair, table)), freedom(pair));
  }

  /** Why no verdict can be given; empty when it can. */
  function needs(pair) {
    const wanted = [];
    if (trainings(pair) < MINIMUM) {
      const repeats = Math.ceil(MINIMUM / pair.blocks.length);
      wanted.push(`${MINIMUM} trainings or more (found ${trainings(pair)}; ${repeats} repeats give them)`);
    }
    if (pair.groups < MINIMUM) wanted.push(`${MINIMUM} groups or more (found ${pair.groups})`);
    return wanted.join(' and ');
  }

  /** One class's difference: where nothing differs it is none, where nothing can be said it is anything. */
  function ofClass(pair, k, gain, table) {
    const holders = Array.from({ length: pair.groups }, (_, g) => pair.truth[g * pair.classes + k] > 0);
    const largest = table.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (largest === 0) return { index: k, gain: 0, low: 0, high: 0, p: 1 };
    const error = Math.sqrt(variance(pair, table));
    if (holders.filter(Boolean).length < 2 || error <= ROUNDING * largest) {
      return { index: k, gain, low: -1, high: 1, p: 1 };
    }
    const { low, high, p } = estimate(gain, error, freedom(pair));
    return { index: k, gain, low, high, p };
  }

  /** Differences in F1 of every class that has true images, with adjusted p-values. */
  function perClass(pair) {
    if (!testable(pair)) return [];
    const values = [pair.first, pair.second].map((arm) => pseudoByClass(pair, arm));
    const rows = [pair.first, pair.second].map((arm) => byRow(pair, arm));
    const found = [];
    for (let k = 0; k < pair.classes; k += 1) {
      if (Number.isNaN(rows[0][k])) continue;
      const at = (cell) => cell * pair.classes + k;
      const table = Float64Array.from({ length: pair.repeats * pair.groups }, (_, cell) =>
        values[0][at(cell)] - values[1][at(cell)]);
      const gain = mean(Array.from({ length: pair.repeats }, (_, row) => rows[0][at(row)] - rows[1][at(row)]));
      found.push(ofClass(pair, k, gain, table));
    }
    const adjusted = Chance.benjaminiHochberg(found.map((one) => one.p));
    return found.map((one, place) => ({ ...one, adjusted: adjusted[place] }));
  }

  /** Whether half a point is wide enough, against this error, for equivalence to be judged. */
  const judgesEquivalence = (test) => test.smallestMargin <= MARGIN;

  /** A verdict on one difference: `test` from `difference`, `bootstrap` from `Pigeonhole.resample`. */
  function decide(pair, test, bootstrap) {
    if (needs(pair)) return { name: 'withheld', p: null, inside: null };
    const p = Math.max(test.p, bootstrap.p);
    const inside = judgesEquivalence(test) ? Math.max(test.inside, bootstrap.inside) : 1;
    if (p <= ALPHA) return { name: test.value > 0 ? 'better' : 'worse', p, inside };
    return { name: inside <= ALPHA ? 'equivalent' : 'undecided', p, inside };
  }

  return { MARGIN, ALPHA, MINIMUM, macro, byClass, score, difference, needs, perClass, decide, judgesEquivalence, trainings };
})();
