import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { openStore } from '../src/index.js';
import { s3Store } from '../src/s3-store.js';
import { KEY, type S3Server, startS3 } from './s3-server.js';

const BYTES = new TextEncoder().encode('a network');
const HASH = createHash('sha256').update(BYTES).digest('hex');

let server: S3Server;
beforeAll(async () => {
  server = await startS3();
});
afterAll(() => server.stop());
afterEach(() => {
  vi.unstubAllEnvs();
  server.objects.clear();
  server.asked.length = 0;
});

/** What the environment of a machine has. */
function environment(change: { readonly [name: string]: string } = {}): void {
  const values = { AWS_ENDPOINT_URL_S3: server.url, AWS_ACCESS_KEY_ID: KEY.id, AWS_SECRET_ACCESS_KEY: KEY.secret };
  // Files of the person who runs the test do not count.
  const none = {
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  for (const [name, value] of Object.entries({ ...none, ...values, ...change })) vi.stubEnv(name, value);
}

const problem = (work: Promise<unknown>) => work.then(String, (error: unknown) => String(error));

it('keeps a file in a bucket under its hash, and uploads it once', async () => {
  environment();
  const store = await openStore('s3://nets/some/where/');
  expect(await store.put(BYTES)).toBe(HASH);
  expect(await store.put(BYTES)).toBe(HASH);
  const key = `/nets/some/where/${HASH}`;
  expect([...server.objects.keys()]).toEqual([key]);
  expect(server.asked).toEqual([`HEAD ${key}`, `PUT ${key}`, `HEAD ${key}`]);
  expect(new Uint8Array(await store.get(HASH))).toEqual(BYTES);
  const bare = await openStore('s3://nets');
  await bare.put(BYTES);
  expect([...server.objects.keys()]).toContain(`/nets/${HASH}`);
});

it('uses no object with another content, and replaces it', async () => {
  environment();
  const store = await openStore('s3://nets/p');
  await store.put(BYTES);
  const object = {
    bytes: Buffer.from('another o'),
    checksum: createHash('sha256').update('another o').digest('base64'),
  };
  server.objects.set(`/nets/p/${HASH}`, object);
  expect(await problem(store.get(HASH))).toMatch(/in s3:\/\/nets\/p has another hash: [0-9a-f]{64}\. It is not used\./);
  await store.put(BYTES);
  expect(new Uint8Array(await store.get(HASH))).toEqual(BYTES);
  // An answer that ends in its middle.
  server.cut = true;
  expect(await problem(store.get(HASH))).toMatch(/The store s3:\/\/nets\/p cannot be reached: .*aborted|another hash/);
});

it('says what is wrong', async () => {
  environment();
  const store = await openStore('s3://nets/p');
  expect(await problem(store.get(HASH))).toContain(`The store s3://nets/p lacks the file ${HASH}.`);
  expect(await problem(store.get(`../${HASH}`))).toContain('is not a SHA-256');
  const nowhere = await openStore('s3://other/p');
  expect(await problem(nowhere.put(BYTES))).toContain('The bucket of the store s3://other/p does not exist.');
  expect(await problem(nowhere.get(HASH))).toContain('The bucket of the store s3://other/p does not exist.');
  environment({ AWS_SECRET_ACCESS_KEY: 'wrong-secret' });
  const wrong = await openStore('s3://nets/p');
  for (const answer of [await problem(wrong.put(BYTES)), await problem(wrong.get(HASH))]) {
    expect(answer).toContain('refuses the credentials: SignatureDoesNotMatch');
    expect(answer).not.toContain('wrong-secret');
  }
  environment({ AWS_ACCESS_KEY_ID: 'stranger' });
  expect(await problem((await openStore('s3://nets/p')).get(HASH))).toContain('credentials: InvalidAccessKeyId');
  environment({ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' });
  expect(await problem((await openStore('s3://nets/p')).get(HASH))).toMatch(/cannot be reached: .*ECONNREFUSED/);
  expect(await problem((await openStore('s3://nets/p')).put(BYTES))).toMatch(/cannot be reached: .*ECONNREFUSED/);
  environment({ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' });
  expect(await problem((await openStore('s3://nets/p')).get(HASH))).toContain('There are no credentials for the store');
  expect(await problem(openStore('s3://'))).toContain('names no bucket of S3');
  expect(await problem(openStore('s3://nets/p?x=1'))).toContain('names no bucket of S3');
  expect(await problem(openStore('ftp://host/x'))).toContain('The store begins with ftp://.');
  expect(await problem(s3Store('s3://nets', () => Promise.reject(new Error('ERR_MODULE_NOT_FOUND'))))).toMatch(
    /needs the package @aws-sdk\/client-s3, which is not installed.*\n?.*npm install @aws-sdk\/client-s3/s,
  );
  expect(server.objects.size).toBe(0);
});
