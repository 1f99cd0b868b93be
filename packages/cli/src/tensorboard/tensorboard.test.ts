import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunEvent, readMetricsLines, resolveConfig } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, train } from '../../test/cert.js';
import { crc32c, maskedCrc32c } from './crc32c.js';
import { encodeEvent } from './event-file.js';
import { tensorboardEvents } from './run-events.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-tensorboard-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('crc32c', () => {
  it('has the values of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });
});

/** A value on the wire: a number, or the bytes of a text or a message. */
type Wire = number | Buffer;

/** Reads a message: its values by field. Knows nothing of how it was written. */
function message(bytes: Buffer): Map<number, Wire[]> {
  const fields = new Map<number, Wire[]>();
  let at = 0;
  const varint = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  const take = (length: number) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const read = [
      varint,
      () => take(8).readDoubleLE(),
      () => take(varint()),
      undefined,
      undefined,
      () => take(4).readFloatLE(),
    ];
    const value = read[key & 7]!();
    fields.set(key >>> 3, [...(fields.get(key >>> 3) ?? []), value]);
  }
  return fields;
}

interface Read {
  readonly time: number;
  readonly step: number;
  readonly version: string | undefined;
  readonly starts: boolean;
  readonly scalars: { readonly [tag: string]: number };
}

/** Reads the records of a file; every checksum must be right. */
function records(bytes: Buffer): Read[] {
  const all: Read[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(data));
    at += length + 16;
    const fields = message(data);
    const summary = fields.get(5)?.[0] as Buffer | undefined;
    const values = summary === undefined ? [] : (message(summary).get(1) as Buffer[]).map(message);
    all.push({
      time: fields.get(1)![0] as number,
      step: fields.get(2)![0] as number,
      version: fields.get(3)?.[0]?.toString(),
      starts: fields.has(7) && message(fields.get(7)![0] as Buffer).get(1)![0] === 1,
      scalars: Object.fromEntries(values.map((value) => [String(value.get(1)![0]), value.get(2)![0] as number])),
    });
  }
  return all;
}

describe('encodeEvent', () => {
  it('gives the bytes that the tensorboard package of Python gives', () => {
    const scalars = new Map([['train/loss', 0.75]]);
    const record = encodeEvent({ time: 1.5, step: 300, what: { type: 'scalars', scalars } });
    expect(record.toString('hex')).toBe(PYTHON);
  });
});

/** `Event(wall_time=1.5, step=300, summary=Summary(value=[...]))`, written by `tensorboard.summary.writer.record_writer` (2.21). */
const PYTHON = '2100000000000000017becf609000000000000f83f10ac022a130a110a0a747261696e2f6c6f7373150000403fca6c6ba5';

async function filesOf(run: string): Promise<Read[][]> {
  const folder = join(run, 'tensorboard');
  const names = (await readdir(folder)).sort();
  expect(names.every((name) => /^events\.out\.tfevents\.\d+\./.test(name))).toBe(true);
  return Promise.all(names.map(async (name) => records(await readFile(join(folder, name)))));
}

describe('cert train --tensorboard', () => {
  it('writes what metrics.jsonl has, and neurons and results', async () => {
    const run = join(place, 'run');
    const before = Date.now() / 1000;
    expect(await train(run, '--tensorboard', '--batch-size', '1')).toMatchObject({ status: 0 });
    const [[head, ...events] = []] = await filesOf(run);
    expect(head).toMatchObject({ version: 'brain.Event:2', step: 0 });
    expect(events.every(({ time }) => time >= before - 1 && time <= Date.now() / 1000 + 1)).toBe(true);
    const { lines } = await readMetricsLines(run);
    for (const { type, step, loss, epsilon, testError, relu } of lines) {
      const group = type === 'epoch' ? 'epoch' : 'train';
      const scalars = events.find((event) => event.step === step && `${group}/loss` in event.scalars)!.scalars;
      expect(scalars[`${group}/loss`]).toBe(Math.fround(Number(loss)));
      if (type === 'step') expect(scalars['schedule/epsilon']).toBe(Math.fround(Number(epsilon)));
      else expect(scalars['test/error']).toBe(Math.fround(Number(testError)));
      for (const [layer, { unstable }] of Object.entries(relu?.layers ?? {})) {
        expect(scalars[`neurons/${layer}/unstable`]).toBe(Math.fround(unstable));
      }
    }
    expect(lines.filter(({ type }) => type === 'epoch')).toHaveLength(2);
    const steps = events.filter(({ scalars }) => 'train/loss' in scalars).map(({ step }) => step);
    expect(steps).toEqual([10, 20, 30, 40]);
    const summary = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    expect(events.at(-1)).toMatchObject({
      step: 40,
      scalars: { 'result/verifiedError': Math.fround(summary.verifiedError) },
    });
  });

  it('a resumed run gets one more file, which takes the place of later steps', () => {
    const numbers = { epoch: 1, epsilon: 0.1, learningRate: 0.01, images: 8, secondsLeft: 1 };
    const metrics = { loss: 1, naturalLoss: 1, gradNorm: 1, error: 0, verifiedError: 0 };
    const step = (at: number, loss: number): RunEvent => ({
      type: 'step',
      step: at,
      ...numbers,
      metrics: { ...metrics, loss },
    });
    const start = (at: number): RunEvent => ({
      ...{
        type: 'start',
        folder: join(place, 'resumed'),
        config: resolveConfig(),
        parameters: 1,
        inputShape: [28, 28, 1],
        trainImages: 1,
        testImages: 1,
      },
      ...{ epochs: 1, stepsPerEpoch: 40, step: at, device: { name: 'cpu', description: 'cpu', reason: 'asked for' } },
    });
    const first = tensorboardEvents(() => 1_000_000);
    for (const event of [start(0), step(10, 1), step(20, 2), step(30, 3)]) first(event);
    const second = tensorboardEvents(() => 2_000_000);
    for (const event of [start(20), step(30, 4), step(35, 9), step(40, 5)]) second(event);
    return filesOf(join(place, 'resumed')).then((files) => {
      expect(
        files.map((file) => file.map(({ step: at, starts, scalars }) => [at, starts, scalars['train/loss']])),
      ).toEqual([
        [
          [0, false, undefined],
          [10, false, 1],
          [20, false, 2],
          [30, false, 3],
        ],
        [
          [0, false, undefined],
          [21, true, undefined],
          [30, false, 4],
          [40, false, 5],
        ],
      ]);
    });
  });

  it('without it there is no such folder, and a path that is taken is an error', async () => {
    const run = join(place, 'without');
    expect(await train(run)).toMatchObject({ status: 0 });
    expect(await readdir(run)).not.toContain('tensorboard');
    await writeFile(join(run, 'tensorboard'), '');
    expect(await cert('train', '--resume', run, '--tensorboard')).toMatchObject({
      status: 1,
      err: expect.stringMatching(
        /^error: .*tensorboard cannot be written: EEXIST.*\nFree the path, or leave out --tensorboard\./,
      ),
    });
  });
});
