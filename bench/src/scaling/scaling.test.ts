import { cnn7, mlp, wideResnet8 } from '@cert/models';
import { describe, expect, it } from 'vitest';
import { renderSvg, scalingFigure } from './figure.js';
import type { Measurement } from './measure.js';
import { points } from './points.js';
import { scalingTable } from './table.js';
import { workOf } from './work.js';

describe('the work of a model', () => {
  it('is that of its convolutions and dense layers, layer by layer', () => {
    const model = cnn7({ inputShape: [28, 28, 1], classes: 10, width: 16, dense: 128 });
    const convolutions = [28 ** 2 * 9 * 16, 28 ** 2 * 9 * 16 ** 2, 14 ** 2 * 9 * 16 * 32, 2 * 14 ** 2 * 9 * 32 ** 2];
    const dense = [14 ** 2 * 32 * 128, 128 * 10];
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b);
    const work = workOf(model);
    expect(work.multiplyAdds).toBe(sum([...convolutions, ...dense]));
    // Convolution, BatchNorm and ReLU each; the hidden layer likewise; the logits.
    expect(work.activations).toBe(3 * (2 * 28 ** 2 * 16 + 3 * 14 ** 2 * 32) + 3 * 128 + 10);
  });

  it('of a small perceptron is counted by hand', () => {
    expect(workOf(mlp({ inputShape: [4], classes: 2, hidden: [3] }))).toMatchObject({
      multiplyAdds: 18,
      parameters: 23,
    });
  });

  it('counts both ways through a residual block', () => {
    const model = wideResnet8({
      inputShape: [8, 8, 3],
      classes: 10,
      stem: 4,
      widths: [8],
      dense: 16,
      batchNorm: 'none',
    });
    const block = 64 * (9 * 4 * 8 + 9 * 8 * 8 + 4 * 8);
    expect(workOf(model).multiplyAdds).toBe(64 * 9 * 3 * 4 + block + 64 * 8 * 16 + 16 * 10);
  });
});

describe('the series', () => {
  it('grow as their names say', () => {
    const work = (name: string) => {
      const { model, batch } = points.find((point) => point.name === name)!.workload;
      return batch * workOf(model()).multiplyAdds;
    };
    expect(work('batch-512') / work('batch-16')).toBe(32);
    expect(work('width-128') / work('width-64')).toBeGreaterThan(3.9);
    // All blocks but the first are equal.
    expect(work('depth-16') - work('depth-8')).toBe(4 * (work('depth-4') - work('depth-2')));
    expect(new Set(points.map(({ name }) => name)).size).toBe(15);
  });
});

describe('the figure and the table', () => {
  const at = (size: number, medianMs: number): Measurement => ({
    name: `batch-${size}`,
    series: 'batch',
    size,
    medianMs,
    minMs: medianMs,
    cpuMs: 2 * medianMs,
    peakMiB: 100,
    compileMs: 500,
    traceMs: 300,
    nodes: 1000,
    gflop: size / 10,
    activationMiB: size,
    parameterMiB: 1,
    msPerGflop: (10 * medianMs) / size,
    memoryRatio: 100 / (size + 1),
  });

  it('puts what grows faster than its work above the dashed line', () => {
    const [group] = scalingFigure([at(16, 10), at(32, 30)]).marks!;
    expect(group).toMatchObject({
      data: [
        {
          values: [
            { line: 'measured', x: 16, y: 10 },
            { line: 'measured', x: 32, y: 30 },
            { line: 'in proportion to the work', x: 16, y: 10 },
            { line: 'in proportion to the work', x: 32, y: 20 },
          ],
        },
      ],
    });
  });

  it('draws the series that were measured', async () => {
    const svg = await renderSvg(scalingFigure([at(16, 10), at(32, 30)]));
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(svg).toContain('ms a step');
    expect(svg).toContain('>batch<');
    expect(svg).not.toContain('>width<');
    expect(svg).not.toContain('NaN');
  });

  it('is Markdown', () => {
    const lines = scalingTable([at(16, 10), at(32, 30)]).split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[3]).toMatch(/^\| `batch-32` \| 30\.0 +\| 30\.0 +\| 60\.0 +\| 3\.20 +\| 9\.4 /);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  });
});
