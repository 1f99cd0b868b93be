import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CertError } from '@cert/core';
import type { Dataset } from '../split.js';
import { defaultCacheFolder } from './cache.js';
import type { EncodedImage } from './decode-images.js';
import { cachedPart, digest } from './decoded-cache.js';
import { type FileTree, filesIn, folderTree } from './file-tree.js';
import { decodeList, type ImageFolderOptions, type ImageList, listSplit } from './image-folder.js';
import { type FileOptions, fetchFiles, type RemoteFiles, readArchive } from './remote-files.js';
import { zipTree } from './zip-tree.js';

const ARCHIVE = 'tiny-imagenet-200.zip';
const ROOT = 'tiny-imagenet-200';
/** Where the archive is. */
export const SOURCE: RemoteFiles = {
  name: 'tiny-imagenet',
  mirrors: ['http://cs231n.stanford.edu/'],
  files: [
    { name: ARCHIVE, sha256: '6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821', maxBytes: 300e6 },
  ],
};
const SIZE = 64;
const WNIDS = 'wnids.txt';
const WORDS = 'words.txt';
const ANNOTATIONS = 'val/val_annotations.txt';

/** Images of each split. */
interface Counts {
  readonly train: number;
  readonly test: number;
}

/** Options of {@link tinyImagenet}. */
export type TinyImagenetOptions = FileOptions & Pick<ImageFolderOptions, 'onProgress' | 'splits' | 'limit'>;

/**
 * TinyImageNet (Stanford CS231n, 200 classes of ImageNet): 100,000 training images, and the 10,000 labelled validation images as test set;
 * 64 x 64 x 3, values in [0, 1]. Classes are sorted by WordNet id; grey images are converted to colour. The archive is downloaded once, or
 * `folder` contains the archive or its content. The package sharp decodes images once into the cache: 1.4 GB, which are also in memory
 * while the dataset is in use. With `splits: 'test'` a folder needs `val/` alone.
 *
 * @throws CertError `bad-file` for files that are missing, truncated, damaged or of another format; `missing-package` without sharp;
 * `no-network`: see {@link FileOptions}
 */
export const tinyImagenet = (options: TinyImagenetOptions = {}): Promise<Dataset> =>
  readTinyImagenet(options, SOURCE, { train: 100_000, test: 10_000 });

/** {@link tinyImagenet} from another source, with other numbers of images. */
export async function readTinyImagenet(
  options: TinyImagenetOptions,
  source: RemoteFiles,
  counts: Counts,
): Promise<Dataset> {
  const { folder, cacheDir = defaultCacheFolder(), onProgress } = options;
  const { splits, limit } = options;
  const onlyTest = splits === 'test';
  const { place, stamp, open } = folder === undefined ? remote(options, source) : await local(folder, onlyTest);
  const fileOf = (part: readonly unknown[]) =>
    join(cacheDir, source.name, `decoded-${digest([place, ...part]).slice(0, 12)}`);
  const { train, test, classNames } = await cachedPart(fileOf, stamp, { splits, limit }, async () => {
    const tree = await open();
    const list = await listImages(tree, onlyTest);
    checkCounts(tree, list, counts, onlyTest);
    const decoded = await decodeList(list, { channels: 3, onProgress, splits, limit });
    const [height, width] = decoded.shape;
    if (height === SIZE && width === SIZE) return decoded;
    throw badTree(tree, `the images have ${width} x ${height} pixels instead of ${SIZE} x ${SIZE}`);
  });
  return {
    name: 'tiny-imagenet',
    train,
    test,
    range: { min: 0, max: 1 },
    classNames,
    normalize: { mean: [0.4802, 0.4481, 0.3975], std: [0.2302, 0.2265, 0.2262] },
    augment: { flip: true, crop: 4 },
  };
}

/** Where the files are, what changes when they do, and how to get at them. */
interface Place {
  readonly place: string;
  readonly stamp: string;
  open(): Promise<FileTree>;
}

function remote(options: TinyImagenetOptions, source: RemoteFiles): Place {
  const stamp = source.files[0]!.sha256;
  const open = async () => {
    const [archive] = await fetchFiles(source, options);
    return zipTree(archive!, `${ROOT}/`, stamp);
  };
  return { place: '', stamp, open };
}

async function local(folder: string, onlyTest: boolean): Promise<Place> {
  const place = resolve(folder);
  const name = join(folder, ARCHIVE);
  const archive = await stat(name).catch(() => undefined);
  if (archive?.isFile()) {
    const stamp = digest([archive.size, archive.mtimeMs]);
    return { place, stamp, open: async () => zipTree(await readArchive(name), `${ROOT}/`, stamp) };
  }
  for (const unpacked of [join(folder, ROOT), folder]) {
    const found = (name: string) =>
      stat(join(unpacked, name)).then(
        () => true,
        () => false,
      );
    if (!(await found(WNIDS)) && !(onlyTest && (await found(ANNOTATIONS)))) continue;
    const tree = await folderTree(unpacked, ['train', 'val', WNIDS, WORDS], 3);
    return { place, stamp: tree.stamp, open: async () => tree };
  }
  throw new CertError(
    'bad-file',
    `tiny-imagenet: ${folder} contains neither ${[ARCHIVE, ROOT, WNIDS, ...(onlyTest ? [ANNOTATIONS] : [])].join(' nor ')}.`,
    'Put one of these files into the folder, or leave the folder out to download the archive.',
  );
}

const badTree = (tree: FileTree, problem: string) =>
  new CertError('bad-file', `${tree.name}: ${problem}.`, `Unpack ${ARCHIVE} again, or give the archive itself.`);

/** The lines of a text file. */
async function lines(tree: FileTree, path: string): Promise<string[]> {
  const slash = path.lastIndexOf('/') + 1;
  if (!filesIn(tree, path.slice(0, slash)).includes(path.slice(slash))) throw badTree(tree, `${path} is missing`);
  const text = Buffer.from(await tree.read(path)).toString('utf8');
  return text.split(/\r?\n/).filter((line) => line !== '');
}

/**
 * The images of both splits. The test split alone needs neither training images nor, as all classes occur in it, the lists of classes and of
 * their words.
 */
async function listImages(tree: FileTree, onlyTest: boolean): Promise<ImageList> {
  const has = (file: string) => !onlyTest || filesIn(tree, '').includes(file);
  const listed = has(WNIDS) ? await lines(tree, WNIDS) : undefined;
  const annotated = await readAnnotations(tree);
  const wnids = [...(listed ?? new Set(annotated.map(({ wnid }) => wnid)))].sort();
  const wrong = wnids.find((wnid, i) => !/^n\d{8}$/.test(wnid) || wnid === wnids[i - 1]);
  if (wrong !== undefined || wnids.length < 2 || wnids.length > 256) {
    throw badTree(
      tree,
      `${listed ? WNIDS : ANNOTATIONS} has ${wnids.length} classes${wrong === undefined ? '' : `, and one is "${wrong}"`}`,
    );
  }
  const words = new Map(
    (has(WORDS) ? await lines(tree, WORDS) : []).map((line) => {
      const [wnid = '', names = ''] = line.split('\t');
      return [wnid, names.split(',')[0]!];
    }),
  );
  return {
    classNames: wnids.map((wnid) => words.get(wnid) || wnid),
    train: onlyTest ? [] : listSplit(tree, 'train', wnids, 'images/'),
    test: listAnnotated(tree, wnids, annotated),
  };
}

/** A line of the annotations. */
interface Annotation {
  readonly file: string;
  readonly wnid: string;
}

/** Name, class and a box of each validation image, with tabs between them. */
const readAnnotations = async (tree: FileTree): Promise<readonly Annotation[]> =>
  (await lines(tree, ANNOTATIONS)).map((line) => {
    const [file = '', wnid = ''] = line.split('\t');
    return { file, wnid };
  });

/** The validation images in the order of their annotations. */
function listAnnotated(tree: FileTree, wnids: readonly string[], annotated: readonly Annotation[]): EncodedImage[] {
  const files = new Set(filesIn(tree, 'val/images/'));
  return annotated.map(({ file, wnid }, i) => {
    const label = wnids.indexOf(wnid);
    if (label < 0)
      throw badTree(tree, `line ${i + 1} of ${ANNOTATIONS} has the class "${wnid}", which is not in ${WNIDS}`);
    if (!files.delete(file)) {
      throw badTree(tree, `line ${i + 1} of ${ANNOTATIONS} names "${file}", which is missing or was named before`);
    }
    const path = `val/images/${file}`;
    return { name: join(tree.name, path), label, read: () => tree.read(path) };
  });
}

function checkCounts(tree: FileTree, { train, test }: ImageList, counts: Counts, onlyTest: boolean): void {
  if ((onlyTest || train.length === counts.train) && test.length === counts.test) return;
  const [found, expected] = onlyTest
    ? [`${test.length}`, `${counts.test}`]
    : [`${train.length} training and ${test.length}`, `${counts.train} and ${counts.test}`];
  throw badTree(tree, `there are ${found} validation images instead of ${expected}`);
}
