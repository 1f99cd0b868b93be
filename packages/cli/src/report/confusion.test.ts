import { exampleWords } from '@cert/trainer/pipeline';
import { describe, expect, it } from 'vitest';
import { commonMistakes, confusionOf } from './confusion.js';
import { confusionSection } from './sections/confusion.js';

const row = (label: number, prediction: number | null) => ({ label, prediction });

describe('confusionOf', () => {
  it('counts predictions by label, and those without a prediction apart', () => {
    const confusion = confusionOf([row(0, 0), row(0, 1), row(0, 1), row(1, 1), row(2, null)], 3);
    expect(confusion).toEqual({
      ...{ images: 5, classes: 3, notFinite: 1 },
      counts: [
        [1, 2, 0],
        [0, 1, 0],
        [0, 0, 0],
      ],
    });
    expect(commonMistakes(confusion, 10)).toEqual([{ label: 0, prediction: 1, count: 2 }]);
  });
});

describe('confusionSection', () => {
  const shown = (classes: number, rows: readonly ReturnType<typeof row>[]) => {
    const run = {
      name: 'a',
      words: exampleWords('', [2, 2, 1]),
      classNames: null,
      confusion: confusionOf(rows, classes),
    };
    return confusionSection([run]).html;
  };

  it('is a matrix of few classes, and a list of mistakes of many', () => {
    expect(shown(3, [row(0, 1)])).toContain('<table class="matrix">');
    const many = shown(200, [row(150, 7), row(150, 7), row(3, 3)]);
    expect(many).not.toContain('class="matrix"');
    expect(many).toContain('<th scope="row">150</th><td>7</td><td class="n">2</td>');
    expect(shown(200, [row(1, 1)])).toContain('All are correct.');
  });

  it('says how many had no prediction', () => {
    expect(shown(3, [row(0, null), row(1, 1)])).toContain(
      '1 image had a logit that is not finite, and count as misclassified.',
    );
  });
});
