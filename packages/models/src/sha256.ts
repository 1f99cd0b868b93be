import { sha256 as hash } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** The SHA-256 of bytes, hexadecimal, such as of a checkpoint file. */
export const sha256 = (bytes: Uint8Array): string => bytesToHex(hash(bytes));
