import { CertError } from '@cert/core';

/** A benchmark instance: a network and a property. */
export interface Instance {
  /** Path of the ONNX file, as it is written; may end in .gz. */
  readonly onnx: string;
  /** Path of the VNN-LIB file, as it is written; may end in .gz. */
  readonly vnnlib: string;
  /** Seconds. */
  readonly timeout: number;
  /** Further columns by the names that a header gives them. */
  readonly columns: { readonly [name: string]: string };
}

const bad = (line: number, problem: string, cure: string): CertError =>
  new CertError('bad-file', `Line ${line} of the instances: ${problem}.`, cure);

/** A row with the line where it begins. */
interface Row {
  readonly line: number;
  readonly fields: readonly string[];
}

/** The rows of a CSV text. Quoted fields may hold commas, line breaks and doubled quotes; blank lines are left out. */
function rowsOf(text: string): Row[] {
  const rows: Row[] = [];
  let fields: string[] = [];
  let [line, start] = [1, 1];
  const endRow = () => {
    if (fields.length > 1 || fields[0] !== '') rows.push({ line: start, fields });
    fields = [];
    start = line;
  };
  // One field and what ends it; the text ends without a separator.
  const field = /(?:[ \t]*"((?:[^"]|"")*)"[ \t]*|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  while (field.lastIndex <= text.length) {
    const at = field.lastIndex;
    const found = field.exec(text);
    if (found === null) {
      throw bad(
        line,
        'a quote that is not closed or is inside an unquoted field',
        'Quote whole fields, and double any quote inside a field.',
      );
    }
    const [whole, quoted, plain, end] = found;
    fields.push(quoted === undefined ? plain!.trim() : quoted.replaceAll('""', '"'));
    line += whole.split(/\r\n|\n|\r/).length - 1;
    if (end !== ',') endRow();
    if (end === '') break;
    if (field.lastIndex === at) break;
  }
  return rows;
}

/** The columns of a file without a header. */
const PLAIN = ['onnx', 'vnnlib', 'timeout'] as const;

const isTimeout = (text: string | undefined) =>
  text !== undefined && text !== '' && Number(text) > 0 && Number(text) < 1e9;

/**
 * Reads the instances of an `instances.csv` file of VNN-COMP, one `onnx,vnnlib,timeout` per line.
 *
 * With a header, columns may have any order and there may be more of them; the header names `onnx`, `vnnlib`, and `timeout` or `timeout_s`.
 *
 * @param csv the text of the file
 * @throws CertError `bad-file` with the line
 */
export function readInstances(csv: string): Instance[] {
  const rows = rowsOf(csv.replace(/^\ufeff/, ''));
  const header = rows[0]?.fields.includes('onnx') ? rows[0] : undefined;
  const names = header?.fields ?? PLAIN;
  const place = (...wanted: readonly string[]): number => {
    const found = names.flatMap((name, i) => (wanted.includes(name) ? [i] : []));
    if (found.length === 1) return found[0]!;
    throw bad(
      header?.line ?? 1,
      `${found.length} columns are named ${wanted.join(' or ')}`,
      'A header names onnx, vnnlib and timeout, each once.',
    );
  };
  const [onnx, vnnlib, timeout] = [place('onnx'), place('vnnlib'), place('timeout', 'timeout_s')];
  if (new Set(names).size < names.length) {
    throw bad(header?.line ?? 1, 'two columns have one name', 'Give every column a unique name.');
  }
  return rows.slice(header === undefined ? 0 : 1).map(({ line, fields }) => {
    if (fields.length !== names.length || !fields[onnx] || !fields[vnnlib]) {
      throw bad(
        line,
        `${fields.length} fields`,
        `Expected: ${names.slice(0, 10).join(',')}. Files with more columns need a header.`,
      );
    }
    if (!isTimeout(fields[timeout])) {
      throw bad(line, `the timeout "${fields[timeout]!.slice(0, 40)}"`, 'Give a positive number of seconds.');
    }
    const others = names.flatMap((name, i) =>
      i === onnx || i === vnnlib || i === timeout ? [] : [[name, fields[i]!]],
    );
    return {
      onnx: fields[onnx],
      vnnlib: fields[vnnlib],
      timeout: Number(fields[timeout]),
      columns: Object.fromEntries(others),
    };
  });
}
