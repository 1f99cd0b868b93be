import type { Rng } from '@cert/core';

/** A JSON text in pieces. Objects are lists, so that a key can occur twice; `raw` is written as it stands, valid or not. */
type Piece =
  | { readonly raw: string }
  | { readonly items: Piece[] }
  | { readonly entries: [key: string, value: Piece][] };

const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;

/** Texts that readers trip over: other types, extreme numbers, names of prototypes, deep and long values, and some that are not JSON. */
const ODD: readonly string[] = [
  ...['null', 'true', 'false', '0', '-0', '1', '-1', '0.5', '-0.5', '3', '1e999', '-1e999', '1e-999', '1e308'],
  ...['9007199254740992', '18446744073709551615', '4294967296', '2147483648', '2147483647', '65536'],
  ...['""', '" "', '"0"', '"1"', '"-1"', '"NaN"', '"Infinity"', '"1e999"', '"٣"', '"\\u0000"', '"\\ud800"', '"."'],
  ...['"__proto__"', '"constructor"', '"toString"', '"null"', '"none"', '"[object Object]"'],
  ...['[]', '[[]]', '[null]', '[0]', '["ibp"]', '{}', '{"toString":null}', '{"toString":null,"valueOf":null}'],
  ...['{"length":-1}', '{"length":4294967296}', '{"__proto__":{"toJSON":1}}', '{"toJSON":null}', '{"data":[1]}'],
  ...[nested('[', ']', 100), nested('[', ']', 20_000), nested('{"a":', '}', 20_000), nested('[', ']', 501)],
  ...[`"${'a'.repeat(100_000)}"`, `"${'\\u0041'.repeat(20_000)}"`, `[${'0,'.repeat(20_000)}0]`, '9'.repeat(5000)],
  ...['NaN', 'Infinity', 'undefined', "'a'", '01', '+1', '1.', '0x10', '١', '1n', '', ',', '[', '{', ']', '}', '1 2'],
];

const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'toJSON',
  'length',
  '',
  ' ',
  'a',
  '0',
  '\ud800',
];

function pieceOf(value: unknown): Piece {
  if (Array.isArray(value)) return { items: value.map(pieceOf) };
  if (typeof value === 'object' && value !== null) {
    return { entries: Object.entries(value).map(([key, part]) => [key, pieceOf(part)]) };
  }
  return { raw: JSON.stringify(value) };
}

function textOf(piece: Piece): string {
  if ('raw' in piece) return piece.raw;
  if ('items' in piece) return `[${piece.items.map(textOf).join(',')}]`;
  return `{${piece.entries.map(([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`).join(',')}}`;
}

/** Every piece that holds others, from the outermost one on. */
function branches(piece: Piece): Exclude<Piece, { readonly raw: string }>[] {
  if ('raw' in piece) return [];
  const parts = 'items' in piece ? piece.items : piece.entries.map(([, value]) => value);
  return [piece, ...parts.flatMap(branches)];
}

const copy = (piece: Piece): Piece => {
  if ('raw' in piece) return piece;
  if ('items' in piece) return { items: piece.items.map(copy) };
  return { entries: piece.entries.map(([key, value]) => [key, copy(value)]) };
};

/** A number or a text that is nearly the given one. */
function nearly(raw: string, rng: Rng): string {
  const number = Number(raw);
  if (raw === '' || Number.isNaN(number)) return raw.replace(/.(?="$)/, (last) => last.toUpperCase() + last);
  const near = [number + 1, number - 1, -number, number * 10, number / 10, number * 1e30, number + 0.5];
  const at = rng.int(near.length + 1);
  return at === near.length ? `"${raw}"` : String(near[at]);
}

/**
 * The text of a JSON value with one to three changes of its structure: values replaced, moved, doubled, nested or taken out, keys renamed
 * or doubled. Some texts are no JSON at all.
 *
 * @param value an object or an array
 */
export function mutateJson(value: unknown, rng: Rng): string {
  const root: Piece = pieceOf(value);
  const pick = <T>(list: readonly T[]): T => list[rng.int(list.length)]!;
  for (let changes = 1 + rng.int(3); changes > 0; changes--) {
    const branch = pick(branches(root));
    const length = 'items' in branch ? branch.items.length : branch.entries.length;
    const at = rng.int(length + 1);
    const odd: Piece = { raw: pick(ODD) };
    if (at === length) {
      if ('items' in branch) branch.items.push(odd);
      else branch.entries.push([pick(KEYS), odd]);
      continue;
    }
    const old = 'items' in branch ? branch.items[at]! : branch.entries[at]![1];
    const set = (piece: Piece) => {
      if ('items' in branch) branch.items[at] = piece;
      else branch.entries[at]![1] = piece;
    };
    switch (rng.int(8)) {
      case 0:
        if ('items' in branch) branch.items.splice(at, 1);
        else branch.entries.splice(at, 1);
        break;
      case 1:
        if ('items' in branch) branch.items.push(copy(old));
        else branch.entries.push([branch.entries[at]![0], rng.int(2) === 0 ? copy(old) : odd]);
        break;
      case 2:
        if ('items' in branch) branch.items.reverse();
        else branch.entries[at]![0] = pick([...KEYS, ...branch.entries.map(([key]) => key)]);
        break;
      case 3:
        set(rng.int(2) === 0 ? { items: [old] } : { entries: [[pick(KEYS), old]] });
        break;
      case 4: {
        // Not one that holds this one: texts stay finite.
        const leaves = branches(root).flatMap((other) =>
          ('items' in other ? other.items : other.entries.map(([, part]) => part)).filter((part) => 'raw' in part),
        );
        if (leaves.length > 0) set(pick(leaves));
        break;
      }
      case 5:
        if ('raw' in old) set({ raw: nearly(old.raw, rng) });
        break;
      default:
        set(odd);
    }
  }
  return textOf(root);
}
