import { CertError, type Shape, sizeOf } from '@cert/core';

/** A tensor as a file holds it: flat numbers in row-major order. */
export interface Numbers {
  readonly shape: Shape;
  readonly data: readonly number[];
}

const SPECIAL: { readonly [text: string]: number } = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
};

/** A value in a JSON file together with the path that leads to it, so that what does not fit is named. */
export class Field {
  constructor(
    readonly value: unknown,
    readonly path: string,
  ) {}

  has(key: string): boolean {
    return this.isRecord() && key in this.value && this.value[key] !== null;
  }

  get(key: string): Field {
    if (!this.isRecord() || !(key in this.value)) throw this.wrong(`has no field "${key}"`);
    return new Field(this.value[key], this.path === '' ? key : `${this.path}.${key}`);
  }

  /** The fields of a record, in the order of the file. */
  entries(): [string, Field][] {
    if (!this.isRecord()) throw this.wrong('is not a record');
    return Object.keys(this.value).map((key) => [key, this.get(key)]);
  }

  list(): Field[] {
    if (!Array.isArray(this.value)) throw this.wrong('is not a list');
    return this.value.map((value, i) => new Field(value, `${this.path}[${i}]`));
  }

  text(): string {
    if (typeof this.value !== 'string') throw this.wrong('is not a text');
    return this.value;
  }

  flag(): boolean {
    if (typeof this.value !== 'boolean') throw this.wrong('is neither true nor false');
    return this.value;
  }

  /** A number; `"nan"`, `"inf"` and `"-inf"` stand for what JSON cannot write. */
  number(): number {
    const number = toNumber(this.value);
    if (number === undefined) throw this.wrong('is not a number');
    return number;
  }

  numbers(): number[] {
    if (!Array.isArray(this.value)) throw this.wrong('is not a list');
    return this.value.map((value, i) => {
      const number = toNumber(value);
      if (number === undefined)
        throw this.wrong(`has ${JSON.stringify(value)} at position ${i}, which is not a number`);
      return number;
    });
  }

  tensor(): Numbers {
    const shape = this.get('shape').numbers();
    const data = this.get('data').numbers();
    if (!shape.every((n) => Number.isInteger(n) && n >= 0)) throw this.wrong(`has the shape [${shape}]`);
    const size = sizeOf(shape);
    if (data.length !== size) throw this.wrong(`has ${data.length} numbers for the shape [${shape}]`);
    return { shape, data };
  }

  /** The error for a value that is not what it should be. */
  wrong(problem: string): CertError {
    return new CertError(
      'bad-file',
      `${this.path === '' ? 'The file' : `"${this.path}"`} ${problem}.`,
      'Compare it with a file of the same kind that passes.',
    );
  }

  private isRecord(): this is { readonly value: { readonly [key: string]: unknown } } {
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value);
  }
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && Object.hasOwn(SPECIAL, value) ? SPECIAL[value] : undefined;
}
