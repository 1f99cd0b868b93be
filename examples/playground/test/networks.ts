/** The committed networks and digits, read from their files. */
import { readFileSync } from 'node:fs';
import { tf } from '@cert/core';
import { parseIdxSplit } from '@cert/datasets';
import { type Device, eagerDevice } from '@cert/jit';
import { type DecodedCheckpoint, decodeCheckpoint } from '@cert/models';

const read = (name: string) => ({ name, bytes: readFileSync(new URL(`../networks/${name}`, import.meta.url)) });

export const checkpoint = (name: 'certified' | 'plain'): DecodedCheckpoint =>
  decodeCheckpoint(read(`${name}.safetensors`).bytes, name);

const split = parseIdxSplit({ images: read('digits-images.idx'), labels: read('digits-labels.idx') }, 10);
export const { labels } = split;

/** The pixels of a test digit. */
export const digit = (i: number): Float32Array =>
  Float32Array.from(split.images.subarray(i * 784, (i + 1) * 784), (value) => value * split.scale);

/** The device of the page. */
export async function openDevice(): Promise<Device> {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  return eagerDevice();
}
