import { describe, expect, it } from 'vitest';
import { intervalChart } from '../src/digits/interval-chart.js';
import type { Analysis, MethodBounds } from '../src/digits/network.js';
import { radiusRuler, rulerText } from '../src/digits/radius-ruler.js';
import { verdictOf } from '../src/digits/verdict.js';
import { widthChart } from '../src/digits/width-chart.js';
import { valueText, verifiedRadiusText, widthText } from '../src/numbers.js';

const bound = (method: string, verified: boolean): MethodBounds => ({
  ...{ method, verified, lower: [0, 0], upper: [1, 1], margins: [verified ? 1 : Number.NaN] },
});
const analysis = (changes: Partial<Analysis> = {}): Analysis => ({
  ...{
    epsilon: 0.1,
    logits: [2, 1],
    prediction: 0,
    widths: [],
    bounds: [bound('ibp', false), bound('crown-ibp', true)],
  },
  ...changes,
});
const unverified = analysis({ bounds: [bound('ibp', false), bound('crown-ibp', false)] });
const found = { pixels: new Float32Array(1), logits: [1, 2], prediction: 1 };

describe('verdictOf', () => {
  it('says who verified', () => {
    const { kind, heading, text } = verdictOf(analysis());
    expect([kind, heading]).toEqual(['verified', 'Verified at ε = 0.100']);
    expect(text).toContain('proved by CROWN-IBP.');
  });

  it('says that bounds prove nothing', () => {
    expect(verdictOf(unverified)).toMatchObject({ kind: 'undecided', heading: 'Not verified at ε = 0.100' });
    expect(verdictOf(unverified).text).toContain('Try the attack');
    expect(verdictOf(unverified, [{ epsilon: 0.1, found: null }]).text).toContain('the attack found nothing');
    // An attack on a smaller ball says nothing of this one.
    expect(verdictOf(unverified, [{ epsilon: 0.05, found: null }]).text).toContain('Try the attack');
  });

  it('counts an adversarial example of a smaller ball, and none of a larger ball', () => {
    expect(verdictOf(unverified, [{ epsilon: 0.05, found }])).toMatchObject({ kind: 'attacked', mark: '✗' });
    expect(verdictOf(unverified, [{ epsilon: 0.2, found }]).kind).toBe('undecided');
  });

  it('counts a larger ball that was verified, and no smaller one', () => {
    const at = (radius: number | null) => [{ method: 'crown-ibp', radius }];
    expect(verdictOf(unverified, [], at(0.11))).toMatchObject({ kind: 'verified', heading: 'Verified at ε = 0.100' });
    for (const radius of [0.09, 0, null, Number.NaN])
      expect(verdictOf(unverified, [], at(radius)).kind).toBe('undecided');
    expect(verdictOf(unverified, [{ epsilon: 0.1, found }], at(0.11)).heading).toBe('Contradiction');
    expect(verdictOf({ ...unverified, epsilon: 0 }, [], at(0)).kind).toBe('undecided');
  });

  it('trusts neither side when bounds and attack contradict each other', () => {
    const verdict = verdictOf(analysis(), [{ epsilon: 0.1, found }]);
    expect(verdict).toMatchObject({ kind: 'invalid', heading: 'Contradiction' });
    expect(verdict.text).toContain('the bounds are wrong');
  });

  it('has no verdict without a prediction', () => {
    const verdict = verdictOf(analysis({ prediction: null, bounds: [] }));
    expect(verdict).toMatchObject({ kind: 'invalid', heading: 'No prediction' });
  });
});

describe('charts', () => {
  it('draw no number that is not finite', () => {
    const [infinite, nan] = [Number.POSITIVE_INFINITY, Number.NaN];
    const intervals = [
      { lower: -infinite, upper: infinite },
      { lower: nan, upper: nan },
    ];
    const rows = [{ name: '0', strong: true, value: 1, attacked: nan, intervals }];
    const drawn = [
      intervalChart(rows, { most: 5, zero: true, description: 'bounds' }),
      widthChart([[{ node: 'a', width: nan }], [{ node: 'a', width: 0 }]], ['certified', 'plain'], 300),
      radiusRuler({ certified: [{ method: 'ibp', radius: null }], attacked: null }, 0, 0.2),
    ];
    for (const svg of drawn) expect(svg.replaceAll('not finite', '')).not.toMatch(/NaN|Infinity/);
  });

  it('escape what they print', () => {
    const chart = intervalChart([], { most: 1, zero: false, description: '"<b>"' });
    expect(chart).toContain('aria-label="&quot;&lt;b>&quot;"');
  });

  it('say the certified radius in words', () => {
    const certified = [
      { method: 'ibp', radius: 0.0999 },
      { method: 'crown-ibp', radius: null },
    ];
    expect(rulerText({ certified, attacked: 0.15 })).toBe(
      'Certified radius: IBP 0.099, CROWN-IBP …; an attack succeeds at 0.150',
    );
  });
});

it('writes numbers', () => {
  expect([-3.254, 12.34, -12345.6, Number.NaN, Number.NEGATIVE_INFINITY, null].map(valueText)).toEqual([
    '−3.25',
    '12.3',
    '−12,346',
    'no finite bound',
    'no finite bound',
    'no finite bound',
  ]);
  // Rounded down: 0.1 was not verified.
  expect(verifiedRadiusText(0.0999)).toBe('0.099');
  expect([0.1234, 910, 5600, Number.NaN].map(widthText)).toEqual(['0.12', '910', '5,600', 'not finite']);
});
