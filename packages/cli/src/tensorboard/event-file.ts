/** Event files of TensorBoard: TFRecords of the message `Event` (tensorflow/core/util/event.proto). */
import { maskedCrc32c } from './crc32c.js';

/** What a file says at a step. */
export interface LoggedEvent {
  /** Seconds since 1970. */
  readonly time: number;
  /** A whole number. */
  readonly step: number;
  readonly what:
    | { readonly type: 'version' }
    /** Training starts with this step: a reader forgets what earlier files say of it and of later ones. */
    | { readonly type: 'session-start' }
    | { readonly type: 'scalars'; readonly scalars: ReadonlyMap<string, number> };
}

/** An event as a record: its length, its bytes, and a checksum of each. */
export function encodeEvent(event: LoggedEvent): Buffer {
  const data = eventBytes(event);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, checksum(length), data, checksum(data)]);
}

function checksum(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(maskedCrc32c(bytes));
  return out;
}

function eventBytes({ time, step, what }: LoggedEvent): Buffer {
  const head = [double(1, time), varintField(2, step)];
  switch (what.type) {
    case 'version':
      return Buffer.concat([...head, bytesField(3, Buffer.from('brain.Event:2'))]);
    case 'session-start':
      // SessionLog { status = START }.
      return Buffer.concat([...head, bytesField(7, varintField(1, 1))]);
    case 'scalars': {
      // Summary { repeated Value { tag, simple_value } }.
      const values = [...what.scalars].map(([tag, value]) =>
        bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), float(2, value)])),
      );
      return Buffer.concat([...head, bytesField(5, Buffer.concat(values))]);
    }
    default:
      return what satisfies never;
  }
}

/** Types of a field on the wire. */
const [VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES] = [0, 1, 2, 5];

const key = (field: number, type: number) => varint(8 * field + type);

/** A whole number, seven bits a byte, the lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

const varintField = (field: number, value: number) => Buffer.concat([key(field, VARINT), varint(value)]);

const bytesField = (field: number, content: Buffer) =>
  Buffer.concat([key(field, BYTES), varint(content.length), content]);

function double(field: number, value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeDoubleLE(value);
  return Buffer.concat([key(field, EIGHT_BYTES), out]);
}

function float(field: number, value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeFloatLE(value);
  return Buffer.concat([key(field, FOUR_BYTES), out]);
}
