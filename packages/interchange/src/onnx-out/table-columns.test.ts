/** Files that take the columns of a table run in ONNX Runtime, with the outputs of the network on the features. */
import { naturalPass } from '@cert/bounds';
import { tf, toTensors } from '@cert/core';
import { mlp } from '@cert/models';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { withRandomWeights } from '../../test/random-weights.js';
import { readOnnx, type TableColumn, toOnnx } from '../index.js';

const network = withRandomWeights(mlp({ inputShape: [6], classes: 3, hidden: [5] }), 'columns');

/** Rows of some columns, and the features that they stand for. */
const ROWS = [
  { texts: ['b', 'x y'], numbers: [0.5, -3], features: [0, 1, 0, 0.5, 1, -3] },
  { texts: ['c', 'x y'], numbers: [1e6, 0], features: [0, 0, 1, 1e6, 1, 0] },
  { texts: ['ä', 'x y'], numbers: [-0.25, 7], features: [1, 0, 0, -0.25, 1, 7] },
];

/** Two columns of texts, the second with one category, and two of numbers between them. */
const columnsNamed = (kind: string, income: string, only: string, age: string): readonly TableColumn[] => [
  { name: kind, categories: ['ä', 'b', 'c'] },
  { name: income },
  { name: only, categories: ['x y'] },
  { name: age },
];

const feedsOf = (columns: readonly TableColumn[], rows: typeof ROWS) =>
  Object.fromEntries(
    columns.map(({ name, categories }, column) => {
      const at = Math.floor(column / 2);
      const tensor =
        categories === undefined
          ? new Tensor(
              'float32',
              Float32Array.from(rows, ({ numbers }) => numbers[at]!),
              [rows.length, 1],
            )
          : new Tensor(
              'string',
              rows.map(({ texts }) => texts[at]!),
              [rows.length, 1],
            );
      return [name, tensor];
    }),
  );

describe('a file with an input for each column', () => {
  it.each([
    ['plain names', columnsNamed('kind', 'income', 'only', 'age'), 'output'],
    ['names that the file has, too', columnsNamed('output', 'dense1.weight', 'features', 'kind.onehot'), 'output_2'],
  ])('computes the outputs of the features: %s', async (_, columns, output) => {
    const session = await InferenceSession.create(toOnnx(network, { columns }));
    expect(session.inputNames).toEqual(columns.map(({ name }) => name));
    expect(session.outputNames).toEqual([output]);
    const { [output]: out } = await session.run(feedsOf(columns, ROWS));
    expect(out!.dims).toEqual([3, 3]);
    const rows = tf.tensor2d(ROWS.map(({ features }) => features));
    const wanted = naturalPass({ ...network, params: toTensors(network.params) }, rows).output;
    const values = await wanted.data();
    for (const [i, value] of (out!.data as Float32Array).entries()) {
      expect(Math.abs(value - values[i]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(values[i]!)));
    }
    await session.release();
  });

  it('refuses a category that the network does not know', async () => {
    const columns = columnsNamed('kind', 'income', 'only', 'age');
    const session = await InferenceSession.create(toOnnx(network, { columns, batch: 1 }));
    const [row] = ROWS;
    await expect(session.run(feedsOf(columns, [{ ...row!, texts: ['d', 'x y'] }]))).rejects.toThrow(/Unknown Category/);
    await expect(session.run(feedsOf(columns, [row!]))).resolves.toHaveProperty('output');
    await session.release();
  });

  it('is not read as a network, which has one input', () => {
    const bytes = toOnnx(network, { columns: columnsNamed('kind', 'income', 'only', 'age') });
    expect(() => readOnnx(bytes)).toThrow(/input/);
  });
});

describe('columns that are not the features', () => {
  it.each<[string, readonly TableColumn[], RegExp]>([
    ['too few', [{ name: 'a' }], /The columns have 1 features, and the network takes the shape \[6\]/],
    ['twice a name', [{ name: 'a' }, { name: 'a' }], /Two columns are called "a"/],
    ['no name', [{ name: '' }], /A column has no name/],
    ['no category', [{ name: 'a', categories: [] }], /The column "a" has no categories/],
    ['twice a category', [{ name: 'a', categories: ['x', 'x'] }], /The column "a" has a category twice/],
  ])('are refused: %s', (_, columns, message) => {
    expect(() => toOnnx(network, { columns })).toThrow(message);
  });

  it('are refused for images', () => {
    const images = withRandomWeights(mlp({ inputShape: [1, 1, 1], classes: 2, hidden: [2] }), 'image');
    expect(() => toOnnx(images, { columns: [{ name: 'a' }] })).toThrow(/takes the shape \[1,1,1\]/);
  });
});
