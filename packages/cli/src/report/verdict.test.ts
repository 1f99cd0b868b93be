import { exampleWords } from '@cert/trainer/pipeline';
import { describe, expect, it } from 'vitest';
import type { RunSummary } from './read-summary.js';
import { summaryVerdict } from './verdict.js';

const summary: RunSummary = {
  ...{ images: 1000, epsilon: 8 / 255, standardError: 0.1, pgdError: 0.25, verifiedError: 0.4, bound: 'ibp' },
  ...{ attack: { steps: 40, restarts: 3 }, parameters: 10, deviceDescription: 'CPU' },
};
const data = {
  dataset: 'mine',
  words: exampleWords('', [2, 2, 1]),
  range: { min: 0, max: 1 },
  available: 2000,
  reach: 'each' as const,
  regression: null,
};

describe('summaryVerdict', () => {
  it('says in sentences what is verified, undecided, broken and misclassified', () => {
    const { sentences, outcomes } = summaryVerdict(summary, data);
    expect(outcomes).toEqual({ images: 1000, verified: 600, undecided: 150, broken: 150, misclassified: 100 });
    expect(sentences).toEqual([
      'For 60.00 % of the first 1,000 of the 2,000 test images of mine (600 images) bounds show that the network classifies the image correctly after every perturbation that changes each pixel by at most 8/255 (0.0314) on a scale from 0 to 1, without a claim about rounding errors (arithmetic level "nearest").',
      'With 95 % confidence, this fraction is between 56.89 % and 63.05 % for images drawn like these (exact Clopper-Pearson interval).',
      '150 images (15.00 %) are undecided: neither a proof nor an adversarial example was found.',
      '100 images (10.00 %) are misclassified without any perturbation; 150 more (15.00 %) are broken: an adversarial example within this radius is known.',
    ]);
  });

  it('says that nothing is verified, and what no attack looked at', () => {
    const nothing = { ...summary, verifiedError: 1, pgdError: null, attack: null };
    const { sentences, outcomes } = summaryVerdict(nothing, {
      ...data,
      words: exampleWords('', [5]),
      range: null,
      available: null,
    });
    expect(outcomes).toMatchObject({ verified: 0, undecided: null, broken: null });
    expect(sentences[0]).toMatch(
      /^For none of the 1,000 test rows of mine do bounds show that .* changes each feature by at most 8\/255 \(0\.0314\), without a claim/,
    );
    expect(sentences.at(-1)).toBe('The other 900 rows (90.00 %) were not proved, and no attack was run on them.');
  });

  it('counts one as one', () => {
    const one = { ...summary, images: 10, standardError: 0.1, pgdError: 0.2, verifiedError: 0.3 };
    expect(summaryVerdict(one, { ...data, available: 10 }).sentences.slice(2)).toEqual([
      '1 image (10.00 %) is undecided: neither a proof nor an adversarial example was found.',
      '1 image (10.00 %) is misclassified without any perturbation; 1 more (10.00 %) is broken: an adversarial example within this radius is known.',
    ]);
  });
});

it('says of a regression how far predictions are off, and the mean errors', () => {
  const regression = { target: 'debt', delta: 20, absolute: 'The mean absolute error of "debt" is 7.' };
  const rows = { ...data, words: exampleWords('', [5]), range: null, reach: 'scaled' as const, regression };
  const { sentences } = summaryVerdict(summary, rows);
  expect(sentences[0]).toBe(
    'For 60.00 % of the first 1,000 of the 2,000 test rows of mine (600 rows) bounds show that the prediction of "debt" is off by less than 20 after every perturbation that changes each feature by at most 8/255 (0.0314) times its scale in the dataset, without a claim about rounding errors (arithmetic level "nearest"). The mean absolute error of "debt" is 7.',
  );
  expect(sentences.at(-1)).toMatch(/^100 rows \(10\.00 %\) are off by 20 or more without any perturbation; 150 more /);
});

it('says that there are none', () => {
  const all = { ...summary, standardError: 0, pgdError: 0, verifiedError: 0 };
  expect(summaryVerdict(all, data).sentences.slice(2)).toEqual([
    'No image is undecided.',
    'No image is misclassified without any perturbation; no adversarial example is known.',
  ]);
});
