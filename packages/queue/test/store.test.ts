import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../src/index.js';
import { CHECKPOINT, evaluationOf } from './evaluation.js';

let place: string;
const { checkpoint } = evaluationOf(1).settings;
const file = () => join(place, checkpoint);
const storeFile = async (store: string, bytes: Uint8Array) => (await openStore(store)).put(bytes);
const fetchFile = async (store: string, sha256: string) => (await openStore(store)).get(sha256);
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-store-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('keeps a checkpoint under its hash, in a folder', async () => {
  expect(await storeFile(place, CHECKPOINT)).toBe(checkpoint);
  expect(new Uint8Array(await fetchFile(place, checkpoint))).toEqual(CHECKPOINT);
  await writeFile(file(), 'damaged');
  await expect(fetchFile(place, checkpoint)).rejects.toThrow(/has another hash: [0-9a-f]{64}\. It is not used\./);
  // A damaged file is replaced.
  await storeFile(place, CHECKPOINT);
  expect(new Uint8Array(await readFile(file()))).toEqual(CHECKPOINT);
  await expect(fetchFile(place, 'f'.repeat(64))).rejects.toThrow(/The store .* lacks the file f+\./);
});

it('fetches it from a web server, keeps a query secret, and says what went wrong', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const found = request.url?.startsWith(`/nets/${checkpoint}?`);
    response.writeHead(found ? 200 : 404).end(found ? CHECKPOINT : '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  try {
    expect(await fetchFile(`${origin}/nets/?key=secret`, checkpoint)).toEqual(CHECKPOINT);
    expect(asked).toEqual([`/nets/${checkpoint}?key=secret`]);
    // A URL is read alone: the file must be there.
    expect(await storeFile(`${origin}/nets?key=secret`, CHECKPOINT)).toBe(checkpoint);
    const missing = await fetchFile(`${origin}/other?key=secret`, checkpoint).catch((error: unknown) => error);
    expect(String(missing)).toContain(`/other/${checkpoint} cannot be fetched: 404`);
    expect(String(missing)).not.toContain('secret');
  } finally {
    server.close();
  }
  await expect(fetchFile(origin, checkpoint)).rejects.toThrow(/cannot be fetched: .+\.$/m);
});
