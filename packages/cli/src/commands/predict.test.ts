import { copyFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imagesOf } from '@cert/datasets';
import { digits } from '@cert/datasets/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, TINY, train } from '../../test/cert.js';
import { hasPty, inTerminal } from '../../test/pty.js';
import type { Prediction } from '../predict/predict.js';

let place: string;
let run: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-predict-'));
  run = join(place, 'run');
  expect(await train(run)).toMatchObject({ status: 0 });
});
afterAll(() => rm(place, { recursive: true, force: true }));

async function predicted(...args: string[]): Promise<Prediction> {
  const { status, out, err } = await cert('predict', run, ...args, '--json');
  expect([status, err]).toEqual([0, '']);
  return JSON.parse(out);
}

/** Writes the image of a size as a PNG file; the pixels are bytes. */
async function png(name: string, pixels: Uint8Array, width: number, height = width) {
  const file = join(place, name);
  await sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(file);
  return file;
}

it('prints the class, the largest logits, the margin and the radius of an image of the test split', async () => {
  const { status, out, err } = await cert('predict', run, '--index', '7', '--epsilon', '1/255');
  expect([status, err]).toEqual([0, '']);
  const [heading, , top, ...classes] = out.split('\n');
  expect(heading).toMatch(/^Image 7 of digits: class \d, (correct|wrong, the label is class \d)$/);
  expect(top).toMatch(/^class +logit +softmax$/);
  expect(classes.slice(0, 3)).toEqual(Array(3).fill(expect.stringMatching(/^\d +-?\d+\.\d{3} +\d+\.\d\d %$/)));
  expect(out).toMatch(/^margin at epsilon 1\/255 +at least -?[\d.]+, (verified|not verified) by ibp$/m);
  expect(out).toMatch(/^certified radius +[\d.e-]+ \([\d.e-]+\/255\), by ibp$/m);
  expect(out).toMatch(/\(arithmetic deployed\)\. The true radius may be larger\.$/);
});

it('finds a radius of six images that is verified, and is not with a tenth more', async () => {
  for (let index = 0; index < 6; index++) {
    const image = ['--index', String(index)];
    const { radius, prediction, top } = await predicted(...image);
    expect(radius, `image ${index}`).toMatchObject({ verifiedBy: 'ibp' });
    expect(prediction).toBe(top[0]!.class);
    expect(top.map(({ logit }) => logit)).toEqual(top.map(({ logit }) => logit).toSorted((a, b) => b - a));
    const at = async (epsilon: number) =>
      (await predicted(...image, '--epsilon', String(epsilon), '--tolerance', '0.5')).bound;
    expect(await at(radius!.radius)).toMatchObject({ verifiedBy: 'ibp', lower: expect.any(Number) });
    expect(await at(1.1 * radius!.radius)).toMatchObject({ verifiedBy: null });
  }
}, 120_000);

it('finds a radius at which branch and bound finds no violation, and a larger one with better bounds', async () => {
  const image = ['--index', '3'];
  const { radius: ibp, prediction } = await predicted(...image);
  const { radius: crown } = await predicted(...image, '--methods', 'crown-ibp,ibp,crown');
  expect(crown!.radius).toBeGreaterThan(ibp!.radius);
  const property = ['--epsilon', String(crown!.radius), '--label', String(prediction), '--timeout', '30', '--json'];
  const { out } = await cert('verify', run, ...image, ...property);
  expect(JSON.parse(out)).toMatchObject({ result: 'unsat' });
});

it('certifies another class on demand, which has no radius where it is not the prediction', async () => {
  const { prediction } = await predicted('--index', '2');
  const other = (prediction! + 1) % 10;
  const { status, out } = await cert('predict', run, '--index', '2', '--label', String(other));
  expect(status).toBe(0);
  expect(out).toMatch(new RegExp(`^certified class +class ${other}$`, 'm'));
  expect(out).toMatch(/^certified radius +0$/m);
  expect(out).toMatch(/The network does not classify the image as class \d, so there is nothing to certify\.$/);
});

describe('an image file', () => {
  it('is classified by its pixels', async () => {
    const pixels = Uint8Array.from(imagesOf((await digits()).test).images.subarray(0, 784), (x) => Math.round(255 * x));
    const file = await png('digit.png', pixels, 28);
    const { status, out } = await cert('predict', run, file);
    expect(status).toBe(0);
    expect(out.split('\n')[0]).toMatch(new RegExp(`^${file}: class \\d$`));
    const { top: fromFile, label } = await predicted(file);
    const { top } = await predicted('--index', '0');
    expect(label).toBeNull();
    // The split has four decimals of each pixel, the file a byte.
    expect(fromFile[0]!.logit).toBeCloseTo(top[0]!.logit, 1);
  });

  it('must have the size of the network', async () => {
    const file = await png('large.png', new Uint8Array(32 * 30), 32, 30);
    expect(await cert('predict', run, file)).toMatchObject({
      status: 1,
      err: `error: ${file} has 32 x 30 pixels, but the network takes 28 x 28.\nResize or crop the image to 28 x 28 in the same way as the training images. cert does not resize it, because the certificate would be about a different image.`,
    });
  });

  it('shows the names of classes, and takes one as a label', async () => {
    const data = join(place, 'shapes');
    for (const split of ['train', 'test']) {
      for (const [i, name] of ['dark', 'light'].entries()) {
        await mkdir(join(data, split, name), { recursive: true });
        for (let k = 0; k < 4; k++) {
          const pixels = Uint8Array.from({ length: 64 }, (_, p) => 200 * i + ((7 * p + k) % 30));
          await png(join('shapes', split, name, `${k}.png`), pixels, 8);
        }
      }
    }
    const folder = join(place, 'named');
    const dataset = ['--dataset', 'image-folder', '--data', data, '--epsilon', '0.01'];
    expect(await cert('train', '--out', folder, ...TINY, ...dataset)).toMatchObject({ status: 0 });
    const image = join(data, 'test', 'light', '0.png');
    const { status, out } = await cert('predict', folder, image);
    expect([status, out]).toEqual([0, expect.stringMatching(/0\.png: (dark \(0\)|light \(1\))$/m)]);
    expect(out).toMatch(/^light \(1\) +-?\d/m);
    expect((await cert('predict', folder, image, '--label', 'light')).status).toBe(0);
    expect(await cert('predict', folder, image, '--label', 'bright')).toMatchObject({
      status: 1,
      err: 'error: --label is "bright".\nDid you mean "light"? Give a class from 0 to 1, or a name: dark, light.',
    });
    expect(await cert('verify', folder, '--index', '0', '--label', 'dark', '--epsilon', '0')).toMatchObject({
      status: 0,
      out: expect.stringMatching(/Image 0 of image-folder, dark \(0\), epsilon 0\. /),
    });

    // The files of the dataset may be elsewhere now.
    const elsewhere = join(place, 'elsewhere');
    await cp(data, elsewhere, { recursive: true });
    await rm(data, { recursive: true });
    const zero = ['--index', '0', '--epsilon', '0'];
    expect((await cert('verify', folder, ...zero)).err).toMatch(/shapes cannot be read/);
    expect(await cert('verify', folder, ...zero, '--data', elsewhere)).toMatchObject({ status: 0 });
    const onnx = join(place, 'named.onnx');
    expect((await cert('export', folder, '--vnnlib', '1', '--data', elsewhere, '--out', onnx)).status).toBe(0);
    const other = ['--dataset', 'image-folder', '--data', elsewhere];
    expect(await cert('verify', onnx, ...zero, ...other)).toMatchObject({
      status: 0,
      out: expect.stringMatching(/Image 0 of image-folder, dark \(0\), epsilon 0\. /),
    });
    expect((await cert('verify', onnx, 'a.vnnlib', '--data', elsewhere)).err).toMatch(/--data/);
    // The checkpoint knows what the file needs of the dataset.
    const alone = join(place, 'alone.png');
    await copyFile(join(elsewhere, 'test', 'light', '0.png'), alone);
    const later = await cert('predict', folder, alone);
    expect(later).toMatchObject({ status: 0, out: out.replace(image, alone), err: '' });
  });
});

it.each([
  [[], 'No input was given to cert predict.\nUsage: cert predict RUN IMAGE.png'],
  [['a.png', '--index', '1'], 'A file and --index were both given.\nGive one of them.'],
  [['missing.png'], 'There is no file missing.png.\nCheck the path, or give'],
  [['.'], '. is not a file.'],
  [['--index', '99999'], '--index is 99999.\nGive a whole number from 0 to 19.'],
  [['--index', '1.5'], '--index is 1.5.'],
  [['--index', '1', '--label', '10'], '--label is "10".\nGive a class from 0 to 9.'],
  [['--index', '1', '--methods', 'ibq'], 'There is no bound method "ibq".'],
  [['--index', '1', '--tolerance', '2'], '--tolerance is 2.\nGive a fraction'],
  [['--index', '1', '--checkpoint', 'first'], '--checkpoint is "first".\nGive one of: last, best.'],
])('%s: says what is wrong, and the cure', async (args, err) => {
  expect(await cert('predict', run, ...args)).toMatchObject({ status: 1, err: expect.stringContaining(err) });
});

it('says that a folder holds no run', async () => {
  await writeFile(join(place, 'file'), '');
  expect(await cert('predict', join(place, 'none'), '--index', '0')).toMatchObject({
    status: 1,
    err: expect.stringMatching(/There is no .*none\.\nGive the folder of a run, or a checkpoint file\.$/),
  });
});

it.skipIf(!hasPty)('fits 80 columns, and leaves no line of progress', async () => {
  const { status, lines, wrapped, live } = await inTerminal(80, ['predict', run, '--index', '0']);
  expect([status, wrapped, lines.filter((line) => line.length > 80)]).toEqual([0, false, []]);
  expect(live).toContain('certifying ... 0:00:00');
  expect(lines.join('\n')).not.toContain('certifying');
});
