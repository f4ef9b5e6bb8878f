/* Student's t, adjusted p-values, and draws that are the same in every browser. */
const Chance = (() => {
  'use strict';

  const LANCZOS = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];

  /** Logarithm of the gamma function of x >= 0.5 (Lanczos, g = 7). */
  function logGamma(x) {
    let sum = LANCZOS[0];
    for (let k = 1; k < LANCZOS.length; k += 1) sum += LANCZOS[k] / (x - 1 + k);
    const t = x + 6.5;
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
  }

  /** Continued fraction of the incomplete beta function, by Lentz's method. */
  function fraction(x, a, b) {
    const tiny = 1e-300;
    const away = (value) => (Math.abs(value) < tiny ? tiny : value);
    let c = 1;
    let d = 1 / away(1 - ((a + b) * x) / (a + 1));
    let product = d;
    for (let m = 1; m < 1000; m += 1) {
      const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / away(1 + even * d);
      c = away(1 + even / c);
      product *= d * c;
      const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / away(1 + odd * d);
      c = away(1 + odd / c);
      product *= d * c;
      if (Math.abs(d * c - 1) < 1e-16) break;
    }
    return product;
  }

  /** Regularised incomplete beta function, for x and its complement y = 1 - x. */
  function beta(x, y, a, b) {
    if (x <= 0) return 0;
    if (y <= 0) return 1;
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(y));
    return x < (a + 1) / (a + b + 2) ? (front * fraction(x, a, b)) / a : 1 - (front * fraction(y, b, a)) / b;
  }

  /** Part of Student's t distribution above t. */
  function tAbove(t, df) {
    if (!Number.isFinite(t)) return t > 0 ? 0 : 1;
    const half = 0.5 * beta(df / (df + t * t), (t * t) / (df + t * t), df / 2, 0.5);
    return t >= 0 ? half : 1 - half;
  }

  /** Quantile of Student's t distribution, for 0.5 <= part < 1: bisection, since it is asked for seldom. */
  function tQuantile(part, df) {
    let low = 0;
    let high = 1;
    while (tAbove(high, df) > 1 - part) high *= 2;
    for (let k = 0; k < 200 && high - low > 1e-15 * high; k += 1) {
      const middle = (low + high) / 2;
      if (tAbove(middle, df) > 1 - part) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  /** Adjusted p-values of Benjamini and Hochberg, in the order given. */
  function benjaminiHochberg(values) {
    const order = [...values.keys()].sort((i, j) => values[j] - values[i]);
    const adjusted = new Array(values.length);
    let least = 1;
    order.forEach((index, place) => {
      least = Math.min(least, (values[index] * values.length) / (values.length - place));
      adjusted[index] = least;
    });
    return adjusted;
  }

  /** Generator of whole numbers below n: xoshiro128** (Blackman & Vigna 2018), seeded by splitmix32. */
  function generator(seed) {
    let state = seed >>> 0;
    const mix = () => {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    };
    let [a, b, c, d] = [mix(), mix(), mix(), mix()];
    const turn = (x, k) => ((x << k) | (x >>> (32 - k))) >>> 0;
    return (n) => {
      const found = Math.imul(turn(Math.imul(b, 5) >>> 0, 7), 9) >>> 0;
      const t = (b << 9) >>> 0;
      c = (c ^ a) >>> 0;
      d = (d ^ b) >>> 0;
      b = (b ^ c) >>> 0;
      a = (a ^ d) >>> 0;
      c = (c ^ t) >>> 0;
      d = turn(d, 11);
      return Math.floor((found / 4294967296) * n);
    };
  }

  /** Fill `into` with how often each of its places was drawn, in as many draws with replacement as it has places. */
  function multinomial(below, into) {
    into.fill(0);
    for (let k = 0; k < into.length; k += 1) into[below(into.length)] += 1;
  }

  /** Quantile of sorted values, as numpy takes it by default. */
  function quantile(sorted, part) {
    const place = (sorted.length - 1) * part;
    const low = Math.floor(place);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
  }

  return { tAbove, tQuantile, benjaminiHochberg, generator, multinomial, quantile };
})();
