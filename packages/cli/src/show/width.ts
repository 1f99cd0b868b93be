import { stripVTControlCharacters } from 'node:util';

/** Of a screen that does not tell. */
const USUAL = 80;

/** Columns of a terminal's screen; infinite in a pipe, where lines stay whole for the programs that read them. */
export function widthOf({ screen }: { readonly screen: NodeJS.WritableStream | null }): number {
  return screen === null ? Number.POSITIVE_INFINITY : columnsOf(screen);
}

/** Columns of a screen. */
export function columnsOf(screen: NodeJS.WritableStream): number {
  const columns = 'columns' in screen ? Number(screen.columns) : 0;
  return columns > 0 ? columns : USUAL;
}

/** A text in lines of at most `width` characters, colors not counted, broken between words; a longer word keeps a line of its own. */
export function wrapText(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => {
    const lines = [''];
    for (const word of line.split(' ')) {
      const last = lines.at(-1)!;
      const longer = last === '' ? word : `${last} ${word}`;
      if (stripVTControlCharacters(longer).length <= width || last === '') lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  });
}
