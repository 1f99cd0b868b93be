/** The READMEs and the documents, and the blocks of code in them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A fenced block. */
interface Block {
  readonly language: string;
  /** What follows the language: how a test runs the block. */
  readonly words: readonly string[];
  readonly code: string;
  /** Its number among the blocks of its language, from 1. */
  readonly number: number;
  /** The block of the language `text` that follows: what it prints. */
  readonly output: string | undefined;
}

/** A Markdown file. */
export interface Document {
  /** From the root, as `docs/devices.md`. */
  readonly file: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

const readDocument = (file: string): Document => {
  const text = readFileSync(join(root, file), 'utf8');
  const fences = [...text.matchAll(/^```(\w*)([ \w-]*)\n(.*?)^```/gms)].map(
    ([, language = '', words = '', code = '']) => ({
      language,
      words: words.split(' ').filter(Boolean),
      code,
    }),
  );
  const blocks = fences.map(({ language, words, code }, i): Block => {
    const number = fences.slice(0, i + 1).filter((fence) => fence.language === language).length;
    const next = fences[i + 1];
    return { language, words, code, number, output: next?.language === 'text' ? next.code : undefined };
  });
  return { file, text, blocks };
};

/** The folders of packages and examples, from the root. */
export const folders = ['packages', 'examples'].flatMap((parent) =>
  readdirSync(join(root, parent)).map((name) => join(parent, name)),
);

/** The README of the root and those of packages and examples. */
export const readmes = ['README.md', ...folders.map((folder) => join(folder, 'README.md'))]
  .filter((file) => existsSync(join(root, file)))
  .map(readDocument);

/** The documents in `docs/`. */
export const guides = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => readDocument(join('docs', name)));

/** A name for the files of a document. */
export const slug = ({ file }: Document): string =>
  file.replaceAll(/[/\\]/g, '-').replace(/-?README\.md$|\.md$/, '') || 'root';
