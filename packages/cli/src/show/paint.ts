import { styleText } from 'node:util';
import type { Terminal } from '../terminal.js';

const STYLES = { heading: 'bold', good: 'green', bad: 'red', warning: 'yellow' } as const;

/** What a text says, which decides how it looks. */
type Meaning = keyof typeof STYLES;

/** Colours texts for a terminal; leaves them as they are where it has no colours. */
export const painter =
  ({ colors = false }: Pick<Terminal, 'colors'>) =>
  (meaning: Meaning, text: string): string =>
    colors ? styleText(STYLES[meaning], text, { validateStream: false }) : text;
