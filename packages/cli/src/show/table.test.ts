import type { EvaluationSummary } from '@cert/verify/node';
import { describe, expect, it } from 'vitest';
import { evaluationTable } from './table.js';

const proportion = (fraction: number) =>
  ({ count: fraction * 2000, fraction, interval: [fraction - 0.01, fraction + 0.01] }) as const;
const method = { tried: 1900, verified: 700, notFinite: 0, aloneError: null };
const summary: EvaluationSummary = {
  settings: {
    ...{ checkpoint: 'abc', dataset: 'digits', epsilon: 0.1, methods: ['ibp', 'crown'], complete: false },
    attack: { steps: 200, restarts: 10, seed: 0 },
  },
  ...{ images: 2000, undecided: 20, undecidedNotFinite: 3, logitsNotFinite: 0, before: 0, seconds: 12 },
  stageSeconds: { natural: 0.21, ibp: 1, pgd: 8.5, crown: 2.04 },
  arithmetic: null,
  ...{ standardError: proportion(0.05), pgdError: proportion(0.0912), device: 'cpu', deviceDescription: 'ONNX' },
  methods: {
    ibp: { ...method, verifiedError: proportion(0.3) },
    crown: { ...method, tried: 100, verified: 80, notFinite: 3, verifiedError: proportion(0.2) },
  },
};

describe('evaluationTable', () => {
  it('shows every error with its interval, and what became of the images', () => {
    expect(evaluationTable(summary).split('\n')).toEqual([
      '                                              error  95 % interval (Clopper-Pearson)',
      'standard error                               5.00 %                 [4.00 %, 6.00 %]',
      'PGD error (200 steps, 10 restarts at most)   9.12 %                [8.12 %, 10.12 %]',
      'verified error (IBP)                        30.00 %               [29.00 %, 31.00 %]',
      'verified error (IBP or CROWN)               20.00 %               [19.00 %, 21.00 %]',
      '',
      'epsilon                                                               0.1',
      'test images                                                          2000',
      'arithmetic                                                        nearest',
      'undecided                                                              20',
      'of these, with a NaN or infinite bound                                  3',
      'NaN or infinite logits                                                  0',
      'verified / attempted, IBP                           700 of 1900 in 1.00 s',
      'verified / attempted, CROWN             80 of 100, 3 not finite in 2.04 s',
      'natural pass                                                       0.21 s',
      'attack pgd                                                         8.50 s',
      'all images                                                         12.0 s',
      'device                                                               ONNX',
    ]);
  });

  it('says that the time is not that of images of an earlier call', () => {
    expect(evaluationTable({ ...summary, before: 400 })).toMatch(/^all images but 400 of an earlier call +12\.0 s$/m);
  });

  it('names the attacks of a sequence', () => {
    const attack = { name: 'autoattack', attacks: ['apgd-ce', 'square'], seed: 0 };
    const table = evaluationTable({ ...summary, settings: { ...summary.settings, attack } });
    expect(table).toMatch(/^autoattack error \(apgd-ce, square\) +9\.12 %/m);
  });

  it('shows a verified error for each arithmetic, and what decided', () => {
    const levels = { nearest: { verifiedError: proportion(0.2) }, deployed: { verifiedError: proportion(0.21) } };
    const table = evaluationTable({
      ...summary,
      settings: { ...summary.settings, arithmetic: 'deployed' },
      arithmetic: { levels, steps: { float32: 1500, float64: 12 } },
    });
    expect(table).toMatch(/^verified error, arithmetic nearest +20\.00 %/m);
    expect(table).toMatch(/^verified error, arithmetic deployed +21\.00 %/m);
    expect(table).toMatch(/^arithmetic +deployed$/m);
    expect(table).toMatch(/^verified by bounds in float32, float64 +1500, 12$/m);
  });

  it('shows the figure of a method alone where it was run on all, and that there was no attack', () => {
    const complete = { ...summary.methods.crown!, aloneError: proportion(0.21) };
    const table = evaluationTable({
      ...summary,
      ...{ pgdError: null, methods: { ibp: summary.methods.ibp!, crown: complete } },
    });
    expect(table).toMatch(/^PGD error +not run$/m);
    expect(table).toMatch(/^verified error \(IBP or CROWN\) +20\.00 %.*\nverified error \(CROWN alone\) +21\.00 %/m);
  });
});
