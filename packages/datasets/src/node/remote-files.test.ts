import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { idxFile, sha256 } from '../../test/files.js';
import { defaultCacheFolder, fashionMnist, fetchFiles, fetchIdxDataset, mnist, type RemoteIdx } from './index.js';

const CONTENT: Readonly<Record<string, Uint8Array>> = {
  'train-images-idx3-ubyte.gz': gzipSync(idxFile([2, 1, 2], [0, 10, 20, 255])),
  'train-labels-idx1-ubyte.gz': gzipSync(idxFile([2], [1, 0])),
  't10k-images-idx3-ubyte.gz': gzipSync(idxFile([1, 1, 2], [7, 8])),
  't10k-labels-idx1-ubyte.gz': gzipSync(idxFile([1], [2])),
};
const OWN = 'A folder of your own (--data) may hold files that were compressed anew.';
const NAMES = Object.keys(CONTENT);
const SOURCE: RemoteIdx = {
  name: 'tiny',
  classes: 3,
  mirrors: ['https://one.example/', 'https://two.example/'],
  sha256: {
    trainImages: sha256(CONTENT['train-images-idx3-ubyte.gz']!),
    trainLabels: sha256(CONTENT['train-labels-idx1-ubyte.gz']!),
    testImages: sha256(CONTENT['t10k-images-idx3-ubyte.gz']!),
    testLabels: sha256(CONTENT['t10k-labels-idx1-ubyte.gz']!),
  },
};

/** A network that answers as `answer` says; `asked` lists the addresses. */
function network(answer: (url: string, file: string) => Response): { fetch: typeof fetch; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    fetch: async (input) => {
      const url = String(input);
      asked.push(url);
      return answer(url, url.slice(url.lastIndexOf('/') + 1));
    },
  };
}

const serve = (file: string) => new Response(Buffer.from(CONTENT[file]!));
const offline = () => {
  throw new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND one.example') });
};

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-datasets-'));
  cache = join(folder, 'tiny');
});
afterEach(() => rm(folder, { recursive: true }));

describe('downloading', () => {
  it('fetches the files of the test images alone where only they are wanted', async () => {
    const net = network((_, file) => serve(file));
    const { train, test } = await fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch, splits: 'test' });
    expect(net.asked.map((url) => url.split('/').at(-1))).toEqual(NAMES.slice(2));
    expect(train).toMatchObject({ shape: [1, 2, 1], classes: 3, count: 0, images: { length: 0 } });
    expect([Array.from(test.images), Array.from(test.labels)]).toEqual([[7, 8], [2]]);
    expect(await fetchIdxDataset(SOURCE, { folder: cache, splits: 'test' })).toEqual(
      await fetchIdxDataset(SOURCE, { cacheDir: folder, download: false, splits: 'test' }),
    );
  });

  it('fetches each file once, keeps it, and then needs no network', async () => {
    const net = network((_, file) => serve(file));
    const first = await fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch });
    expect(first.train).toMatchObject({ shape: [1, 2, 1], count: 2, classes: 3 });
    expect(Array.from(first.train.images)).toEqual([0, 10, 20, 255]);
    expect([Array.from(first.train.labels), Array.from(first.test.labels)]).toEqual([[1, 0], [2]]);
    expect(net.asked).toEqual(NAMES.map((name) => `https://one.example/${name}`));
    expect((await readdir(cache)).sort()).toEqual([...NAMES].sort());

    const again = await fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: offline });
    expect(again).toEqual(first);
    expect(await fetchIdxDataset(SOURCE, { cacheDir: folder, download: false })).toEqual(first);
  });

  it('continues with the next mirror after a failure, a refusal or a wrong file', async () => {
    for (const fail of [offline, () => new Response('gone', { status: 404 }), () => new Response('a login page')]) {
      await rm(cache, { recursive: true, force: true });
      const net = network((url, file) => (url.startsWith('https://one.') ? fail() : serve(file)));
      const { test } = await fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch });
      expect(test.count).toBe(1);
      expect(net.asked.length).toBe(2 * NAMES.length);
    }
  });

  it('downloads a damaged file of the cache again', async () => {
    const net = network((_, file) => serve(file));
    await fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch });
    const damaged = join(cache, NAMES[1]!);
    await writeFile(damaged, CONTENT[NAMES[1]!]!.subarray(0, 5));
    await fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch });
    expect(net.asked.slice(NAMES.length)).toEqual([`https://one.example/${NAMES[1]}`]);
    expect(sha256(await readFile(damaged))).toBe(SOURCE.sha256.trainLabels);
  });

  it('without network: names every file that is missing, why, and where to put it', async () => {
    await mkdir(cache);
    await writeFile(join(cache, NAMES[0]!), CONTENT[NAMES[0]!]!);
    const result = fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: offline });
    await expect(result).rejects.toMatchObject({
      code: 'no-network',
      problem: [
        `tiny: ${NAMES[1]} could not be downloaded.`,
        `  https://one.example/${NAMES[1]}: fetch failed (getaddrinfo ENOTFOUND one.example)`,
        `  https://two.example/${NAMES[1]}: fetch failed (getaddrinfo ENOTFOUND one.example)`,
      ].join('\n'),
      cure: `Connect to the network, or put ${NAMES.slice(1).join(', ')} into ${cache}: there, files need the published SHA-256. ${OWN}`,
    });
    expect(await readdir(cache)).toEqual([NAMES[0]]);
  });

  it('refuses a file whose checksum is wrong everywhere, and keeps nothing of it', async () => {
    const wrong = Buffer.from('a login page');
    const net = network((_, file) => (file === NAMES[2] ? new Response(wrong) : serve(file)));
    const error = await fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'bad-file' });
    expect(String(error)).toContain(`no download of ${NAMES[2]} has the SHA-256 ${SOURCE.sha256.testImages}`);
    expect(String(error)).toContain(`https://two.example/${NAMES[2]}: 12 bytes with the SHA-256 ${sha256(wrong)}`);
    expect((await readdir(cache)).sort()).toEqual(NAMES.slice(0, 2).sort());
  });

  it('breaks a download off that is larger than the file can be', async () => {
    let sent = 0;
    const endless = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            sent += 1000;
            controller.enqueue(new Uint8Array(1000));
          },
        }),
      );
    const set = { name: 'tiny', mirrors: ['https://one.example/'], files: [{ name: 'a', sha256: '', maxBytes: 5000 }] };
    await expect(fetchFiles(set, { cacheDir: folder, fetch: async () => endless() })).rejects.toMatchObject({
      code: 'no-network',
      problem: expect.stringContaining('https://one.example/a: it has more than 5000 bytes'),
    });
    expect(sent).toBeLessThan(20_000);
  });

  it('says that the cache cannot be written', async () => {
    await writeFile(cache, 'a file where the folder should be');
    const net = network((_, file) => serve(file));
    await expect(fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch })).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining(cache),
    });
  });

  it('does not download when told not to', async () => {
    const net = network((_, file) => serve(file));
    await expect(
      fetchIdxDataset(SOURCE, { cacheDir: folder, fetch: net.fetch, download: false }),
    ).rejects.toMatchObject({ code: 'bad-file', problem: `tiny: not in ${cache}, or damaged: ${NAMES.join(', ')}.` });
    expect(net.asked).toEqual([]);
  });
});

describe('a folder of files', () => {
  const write = (name: string, bytes: Uint8Array) => writeFile(join(folder, name), bytes);

  it('is read without network, compressed or not', async () => {
    for (const name of NAMES.slice(0, 3)) await write(name, CONTENT[name]!);
    await write('t10k-labels-idx1-ubyte', idxFile([1], [2]));
    const { train, test } = await fetchIdxDataset(SOURCE, { folder, fetch: offline });
    expect([train.count, test.count]).toEqual([2, 1]);
    expect(Array.from(test.labels)).toEqual([2]);
  });

  it.each([
    ['mnist', mnist],
    ['fashion-mnist', fashionMnist],
  ] as const)('%s names the file that is missing', async (name, dataset) => {
    for (const file of NAMES.filter((_, i) => i !== 2)) await write(file, CONTENT[file]!);
    await expect(dataset({ folder, fetch: offline })).rejects.toMatchObject({
      code: 'bad-file',
      problem: `${name}: not in ${folder}: ${NAMES[2]}.`,
    });
  });

  it('says that the folder does not exist', async () => {
    const none = join(folder, 'none');
    await expect(mnist({ folder: none, fetch: offline })).rejects.toMatchObject({
      code: 'bad-file',
      problem: `mnist: the folder ${none} does not exist. Files: ${NAMES.join(', ')}.`,
    });
  });

  it('fashion-mnist knows the names of its classes', async () => {
    for (const name of NAMES) await write(name, CONTENT[name]!);
    const { classNames = [], test } = await fashionMnist({ folder });
    expect([classNames.length, test.classes, classNames[5], classNames[9]]).toEqual([10, 10, 'Sandal', 'Ankle boot']);
  });

  it('names the file that is truncated', async () => {
    for (const name of NAMES) await write(name, CONTENT[name]!);
    await write(NAMES[0]!, idxFile([2, 1, 2], [0, 10, 20]));
    await expect(fetchIdxDataset(SOURCE, { folder })).rejects.toMatchObject({
      code: 'bad-file',
      problem: `${join(folder, NAMES[0]!)} should have 20 bytes (uncompressed) and has 19.`,
    });
  });

  it('names what cannot be read as a file', async () => {
    await mkdir(join(folder, NAMES[0]!));
    await expect(fetchIdxDataset(SOURCE, { folder })).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining(`${join(folder, NAMES[0]!)} cannot be read`),
    });
  });
});

it.each([
  ['mnist', mnist],
  ['fashion-mnist', fashionMnist],
] as const)('%s asks its mirrors for the four files and names them all without network', async (name, dataset) => {
  const asked: string[] = [];
  const get: typeof fetch = async (url) => {
    asked.push(String(url));
    return offline();
  };
  await expect(dataset({ cacheDir: folder, fetch: get })).rejects.toMatchObject({
    code: 'no-network',
    cure: `Connect to the network, or put ${NAMES.join(', ')} into ${join(folder, name)}: there, files need the published SHA-256. ${OWN}`,
  });
  expect(asked.length).toBeGreaterThanOrEqual(2);
  for (const url of asked) expect(url).toMatch(/^https?:\/\/.*mnist.*\/train-images-idx3-ubyte\.gz$/);
});

it('the cache is where XDG says, else in the home folder', () => {
  expect(defaultCacheFolder({ XDG_CACHE_HOME: '/somewhere' })).toBe(join('/somewhere', 'cert'));
  expect(defaultCacheFolder({})).toBe(join(homedir(), '.cache', 'cert'));
});
