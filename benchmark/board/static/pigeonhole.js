/*
 * Pigeonhole bootstrap of two paired arms: trainings and groups are drawn together (Owen 2007),
 * macro-F1 is computed again from the reweighted counts. The same as benchmark/stats/pigeonhole.py,
 * with a seed of its own, so that a link shows the same figures to everybody.
 */
const Pigeonhole = (() => {
  'use strict';

  const RESAMPLES = 9999;
  const SPREAD_RESAMPLES = 2000;
  const SEED = 20260101;
  const SLICE = 20; // milliseconds between two looks at the reader's clicks

  /**
   * Every mistake as the place in a repeat's sums that it counts in, cell by cell: a resample then adds up
   * mistakes, which are few. Places: missed by the first arm, claimed wrongly by it, the same of the second.
   */
  function mistakesOf(pair) {
    const { repeats, groups, classes, first, second, truth } = pair;
    const starts = new Int32Array(repeats * groups + 1);
    const places = [];
    for (let cell = 0; cell < repeats * groups; cell += 1) {
      for (let k = 0; k < classes; k += 1) {
        const at = cell * classes + k;
        [first, second].forEach((arm, number) => {
          const missed = truth[(cell % groups) * classes + k] - arm.hits[at];
          for (let one = 0; one < missed; one += 1) places.push(2 * number * classes + k);
          for (let one = arm.hits[at]; one < arm.claimed[at]; one += 1) places.push((2 * number + 1) * classes + k);
        });
      }
      starts[cell + 1] = places.length;
    }
    return { starts, places: Int32Array.from(places) };
  }

  /** Macro-F1 of both arms from one repeat's mistakes and true images, over the classes that have some. */
  function macros(sums, truth) {
    const classes = truth.length;
    let [first, second, present] = [0, 0, 0];
    for (let k = 0; k < classes; k += 1) {
      const twice = 2 * truth[k];
      if (twice > 0) {
        present += 1;
        first += (twice - 2 * sums[k]) / (twice - sums[k] + sums[classes + k]);
        second += (twice - 2 * sums[2 * classes + k]) / (twice - sums[2 * classes + k] + sums[3 * classes + k]);
      }
    }
    return [first / Math.max(present, 1), second / Math.max(present, 1)];
  }

  /** True images of every fold under a draw of groups, flat [fold][class], and how many groups were drawn. */
  function folds(pair, blockOf, ofGroup) {
    const { groups, classes, blocks, truth } = pair;
    const images = new Float64Array(blocks.length * classes);
    const sizes = new Float64Array(blocks.length);
    for (let g = 0; g < groups; g += 1) {
      if (ofGroup[g] === 0) continue;
      sizes[blockOf[g]] += ofGroup[g];
      for (let k = 0; k < classes; k += 1) images[blockOf[g] * classes + k] += ofGroup[g] * truth[g * classes + k];
    }
    return { images, sizes };
  }

  /** A function from draws (how often each training and each group) to the macro-F1 of both arms. */
  function scorer(pair) {
    const { repeats, groups, classes, blocks } = pair;
    const { starts, places } = mistakesOf(pair);
    const blockOf = blocks.flatMap((size, block) => new Array(size).fill(block));
    const sums = new Float64Array(4 * classes);
    const truth = new Float64Array(classes);
    return (ofTraining, ofGroup) => {
      const { images, sizes } = folds(pair, blockOf, ofGroup);
      let [first, second, weight] = [0, 0, 0];
      for (let row = 0; row < repeats; row += 1) {
        const own = ofTraining.subarray(row * blocks.length, (row + 1) * blocks.length);
        const held = own.reduce((sum, times, block) => sum + times * sizes[block], 0);
        if (held === 0) continue;
        truth.fill(0);
        own.forEach((times, block) => {
          for (let k = 0; k < classes; k += 1) truth[k] += times * images[block * classes + k];
        });
        sums.fill(0);
        for (let g = 0; g < groups; g += 1) {
          const times = ofGroup[g] * own[blockOf[g]];
          if (times === 0) continue;
          for (let at = starts[row * groups + g]; at < starts[row * groups + g + 1]; at += 1) sums[places[at]] += times;
        }
        const [one, two] = macros(sums, truth);
        first += held * one;
        second += held * two;
        weight += held;
      }
      return weight > 0 ? [first / weight, second / weight] : null;
    };
  }

  const variance = (values) => {
    const centre = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length;
  };

  /** Resampled values with the pigeonhole's excess spread taken out. */
  function corrected(value, both, trainings, groups) {
    const whole = variance(both);
    if (whole === 0) return both;
    const wanted = 2 * (variance(trainings) + variance(groups)) - whole;
    const scale = Math.sqrt(Math.max(wanted, whole / 3) / whole);
    return both.map((one) => value + (one - value) * scale);
  }

  /** Twice the smaller part of the values beyond zero, never below 2 / (n + 1). */
  function twoSided(values) {
    const beyond = (test) => (values.reduce((count, value) => count + test(value), 0) + 1) / (values.length + 1);
    return Math.min(1, 2 * Math.min(beyond((value) => value <= 0), beyond((value) => value >= 0)));
  }

  /** p-value of the difference being outside the margin. */
  function outside(values, margin) {
    const count = (test) => values.reduce((sum, value) => sum + test(value), 0);
    return (Math.max(count((value) => value <= -margin), count((value) => value >= margin)) + 1) / (values.length + 1);
  }

  const percentiles = (values) => {
    const sorted = Float64Array.from(values).sort();
    return { low: Chance.quantile(sorted, 0.025), high: Chance.quantile(sorted, 0.975) };
  };

  const pause = () => new Promise((resolve) => { setTimeout(resolve, 0); });

  /**
   * Draw, score, and sum up, in slices between which the page stays usable.
   * @param {object} pair from `Tallies.pair`.
   * @param {object} [how] resamples, seed, progress(part done), cancelled().
   * @returns {Promise<?object>} p, inside and interval of the difference, and percentile intervals over
   *   groups alone (`fixed`: of the difference and both scores); null when cancelled.
   */
  async function resample(pair, how = {}) {
    const { resamples = RESAMPLES, seed = SEED, progress = () => {}, cancelled = () => false } = how;
    const some = Math.min(SPREAD_RESAMPLES, resamples);
    const score = scorer(pair);
    const below = Chance.generator(seed);
    const ofTraining = new Float64Array(Crossed.trainings(pair));
    const ofGroup = new Float64Array(pair.groups);
    const [everyTraining, everyGroup] = [ofTraining.map(() => 1), ofGroup.map(() => 1)];
    const both = new Float64Array(resamples);
    const [trainings, groups, first, second] = Array.from({ length: 4 }, () => new Float64Array(some));
    let last = performance.now();
    for (let done = 0; done < resamples;) {
      Chance.multinomial(below, ofTraining);
      Chance.multinomial(below, ofGroup);
      const drawn = score(ofTraining, ofGroup);
      if (drawn === null) continue; // no image at all: drawn again
      both[done] = drawn[0] - drawn[1];
      if (done < some) {
        const alone = score(ofTraining, everyGroup);
        trainings[done] = alone[0] - alone[1];
        [first[done], second[done]] = score(everyTraining, ofGroup);
        groups[done] = first[done] - second[done];
      }
      done += 1;
      if (performance.now() - last > SLICE) {
        progress(done / resamples);
        await pause();
        if (cancelled()) return null;
        last = performance.now();
      }
    }
    const value = Crossed.macro(pair, pair.first) - Crossed.macro(pair, pair.second);
    const values = corrected(value, both, trainings, groups);
    return {
      p: twoSided(values), inside: outside(values, Crossed.MARGIN), ...percentiles(values),
      fixed: { difference: percentiles(groups), first: percentiles(first), second: percentiles(second) },
    };
  }

  return { resample };
})();
